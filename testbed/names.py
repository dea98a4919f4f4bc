"""What Threadmill's images are called. Standard library only."""

from servers.models import SERVERS

# What stands beside the models: the load and the probe.
COMPANIONS = ("locust", "probe")
# What may stand before servers: only a sweep that asks for it needs it.
FRONTS = ("haproxy", "nginx")
# What may stand behind servers, and what takes from brokers; likewise.
PARTS = ("postgres", "pgbouncer", "valkey", "nats", "rabbitmq", "consumer")
_BEHIND = "-behind"
# Servers that can talk to those.
BEHIND = tuple(f"{name}{_BEHIND}" for name in SERVERS)
# What `make images` builds. The others are built by who asks for what stands behind servers.
USUAL = (*SERVERS, *COMPANIONS, *FRONTS)
EVERY = (*SERVERS, *COMPANIONS, *FRONTS, *PARTS, *BEHIND)


def image_name(model: str) -> str:
    """The image of a model, of `locust`, of `probe` or of a front."""
    return f"threadmill/{model}"


def behind_name(model: str) -> str:
    """What the image of a model is called that can talk to what is behind it."""
    return f"{model}{_BEHIND}"


def model_of(name: str) -> tuple[str, bool]:
    """The model that an image's name is of, and whether it can talk to what is behind it."""
    return name.removesuffix(_BEHIND), name.endswith(_BEHIND)
