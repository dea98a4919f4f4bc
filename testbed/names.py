"""What Threadmill's images are called. Standard library only."""

from servers.models import SERVERS

# What stands beside the models: the load and the probe.
COMPANIONS = ("locust", "probe")
# What may stand before servers: only a sweep that asks for it needs it.
FRONTS = ("haproxy", "nginx")
# Likewise, only before servers that speak HTTP.
HTTP_FRONTS = ("varnish", "envoy")
# Fronts whose image is that of another.
_FRONT_IMAGES = {"nginx-cache": "nginx", "haproxy-http": "haproxy"}
# What may stand behind servers, and what takes from brokers; likewise.
PARTS = ("postgres", "pgbouncer", "valkey", "nats", "rabbitmq", "consumer")
_BEHIND = "-behind"
_HTTP = "-http"
# Servers that can talk to those.
BEHIND = tuple(f"{name}{_BEHIND}" for name in SERVERS)
# Servers that speak HTTP; they can talk to those, too.
HTTP = tuple(f"{name}{_HTTP}" for name in SERVERS)
# What `make images` builds. The others are built by who asks for HTTP, or for what stands behind servers.
USUAL = (*SERVERS, *COMPANIONS, *FRONTS)
EVERY = (*SERVERS, *COMPANIONS, *FRONTS, *HTTP_FRONTS, *PARTS, *BEHIND, *HTTP)


def image_name(model: str) -> str:
    """The image of a model, of `locust`, of `probe` or of a front."""
    return f"threadmill/{model}"


def front_image(front: str) -> str:
    """What the image of a front is called."""
    return _FRONT_IMAGES.get(front, front)


def behind_name(model: str) -> str:
    """What the image of a model is called that can talk to what is behind it."""
    return f"{model}{_BEHIND}"


def http_name(model: str) -> str:
    """What the image of a model is called that speaks HTTP."""
    return f"{model}{_HTTP}"


def model_of(name: str) -> str:
    """The model that an image's name is of, whatever else is in that image."""
    return name.removesuffix(_BEHIND).removesuffix(_HTTP)
