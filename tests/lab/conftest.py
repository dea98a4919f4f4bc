"""Engines of the tests' own. Where none can be started, one line says why; `make test-lab` fails on it."""

import os
from collections.abc import Iterator

import pytest

from testbed import names
from testbed.names import image_name
from testbed.stack import images as image_builder
from testbed.stack import machine
from tests.lab.engines import LabEngine, engines, lacking

MODELS = ("event-loop",)


@pytest.fixture(scope="session")
def lab() -> Iterator[LabEngine]:
    """One engine that has the images of this checkout."""
    if why := lacking():
        (pytest.fail if os.environ.get("THREADMILL_LAB") else pytest.skip)(why)
    machine.require_docker()
    image_builder.build(MODELS, print)
    with engines(1) as (engine,):
        engine.load([image_name(name) for name in (*MODELS, *names.COMPANIONS)])
        yield engine


@pytest.fixture
def engine(lab: LabEngine) -> Iterator[LabEngine]:
    """The lab's engine, running and empty; a test may do to it what it likes."""
    yield lab
    if not lab.answers():
        lab.kill()
        lab.start()
    left = lab.containers()
    if left:
        lab.docker("rm", "--force", *left)
    if networks := lab.networks():
        lab.docker("network", "rm", *networks)
    assert (left, networks) == ([], [])
