"""Of the tests of what stands beside a server, which need images of their own: fronts, replicas, what scales them, and
what stands behind it."""

from collections.abc import Iterator

import pytest

from testbed.names import PARTS, http_name
from tests.e2e.built import built
from tests.e2e.conftest import images as images
from tests.e2e.conftest import name as name
from tests.parts.containers import Containers, containers

# One connection at a time, a thread for each, an event loop, a pool of processes.
OVER_HTTP = ("spst", "spmt", "event-loop", "prefork")


@pytest.fixture(scope="session")
def images_behind() -> None:
    """Those of stores, brokers and consumers."""
    built(PARTS)


@pytest.fixture(scope="session")
def images_http() -> None:
    """Those of the models that are tried over HTTP."""
    built([http_name(model) for model in OVER_HTTP])


@pytest.fixture
def parts(images_behind: None) -> Iterator[Containers]:
    """Parts in a network of their own, all of them gone afterwards."""
    with containers() as found:
        yield found
