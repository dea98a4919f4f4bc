"""What Threadmill's images are called. Standard library only."""

from servers.models import SERVERS

# What stands beside the models: the load and the probe.
COMPANIONS = ("locust", "probe")
# What may stand before servers: only a sweep that asks for it needs it.
FRONTS = ("haproxy", "nginx")
EVERY = (*SERVERS, *COMPANIONS, *FRONTS)


def image_name(model: str) -> str:
    """The image of a model, of `locust`, of `probe` or of a front."""
    return f"threadmill/{model}"
