"""Engines of the tests' own. Where none can be started, one line says why; `make test-lab` fails on it."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from testbed import names
from testbed.names import image_name
from testbed.stack import images as image_builder
from testbed.stack import machine
from tests.lab.cluster import Cluster, swarm
from tests.lab.engines import LabEngine, engines, lacking
from tests.waiting import wait_until

MODELS = ("event-loop",)
# What a node still removes when the product has been told that it does.
SETTLING_S = 20.0


@pytest.fixture(scope="session")
def images() -> list[str]:
    """The images of this checkout, on the machine's own engine."""
    if why := lacking():
        (pytest.fail if os.environ.get("THREADMILL_LAB") else pytest.skip)(why)
    machine.require_docker()
    image_builder.build(MODELS, print)
    return [image_name(name) for name in (*MODELS, *names.COMPANIONS)]


@pytest.fixture(scope="session")
def lab(images: list[str]) -> Iterator[LabEngine]:
    """One engine that has the images of this checkout."""
    with engines(1) as (engine,):
        engine.load(images)
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


@pytest.fixture(scope="session")
def cluster(images: list[str]) -> Iterator[Cluster]:
    """Three engines in one swarm, of which the first alone has the images of this checkout."""
    with swarm() as cluster:
        cluster.manager.load(images)
        yield cluster


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[Cluster]:
    """The swarm, all of its nodes ready and empty; a test may do to them what it likes, but leaves nothing on them."""
    yield cluster
    cluster.restore()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not cluster.left(), "the nodes are empty", SETTLING_S)
    if left := cluster.left():
        cluster.empty()
    assert left == {}
