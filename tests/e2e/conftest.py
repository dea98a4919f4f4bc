"""Real Docker: the images under test are those of this checkout."""

import secrets
from collections.abc import Iterator

import pytest

from testbed.names import USUAL
from tests.e2e.built import built
from tests.e2e.stack import containers_of, networks_of


@pytest.fixture(scope="session")
def images() -> None:
    """Every usual image, of the sources as they are now."""
    built(USUAL)


@pytest.fixture
def name() -> Iterator[str]:
    """A sweep name no other test uses; nothing that carries it may be left."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    left = [container.name for container in containers_of(name)], networks_of(name)
    for container in containers_of(name):
        container.remove(force=True)
    assert left == ([], [])
