"""What Threadmill's images are called. Standard library only."""

from servers.models import SERVERS

# What stands beside the models: the load and the probe.
COMPANIONS = ("locust", "probe")
EVERY = (*SERVERS, *COMPANIONS)


def image_name(model: str) -> str:
    """The image of a model, of `locust`, or of `probe`."""
    return f"threadmill/{model}"
