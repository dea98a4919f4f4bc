"""Real Docker: the images under test are those of this checkout."""

import pytest

from testbed.stack import images as image_builder
from testbed.stack import machine


@pytest.fixture(scope="session")
def images() -> None:
    """Every image, built from the sources as they are now; what has not changed comes from Docker's cache."""
    machine.require_docker()
    image_builder.build(None, print)
