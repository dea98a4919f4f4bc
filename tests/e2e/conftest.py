"""Real Docker: the images under test are those of this checkout."""

import secrets
from collections.abc import Iterator

import pytest

from testbed.stack import images as image_builder
from testbed.stack import machine
from tests.e2e.stack import containers_of, networks_of


@pytest.fixture(scope="session")
def images() -> None:
    """Every image, built from the sources as they are now; what has not changed comes from Docker's cache."""
    machine.require_docker()
    image_builder.build(None, print)


@pytest.fixture
def name() -> Iterator[str]:
    """A sweep name no other test uses; nothing that carries it may be left."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    left = [container.name for container in containers_of(name)], networks_of(name)
    for container in containers_of(name):
        container.remove(force=True)
    assert left == ([], [])
