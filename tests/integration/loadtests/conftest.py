"""What modules of this folder share: a server that counts, and a stack."""

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import free_port, locust_stack
from tests.integration.servers.running import server


@pytest.fixture(scope="module")
def counting():
    with rigged.rigged(rigged.echo) as echoing:
        yield echoing


@pytest.fixture(scope="module")
def stack(counting, tmp_path_factory):
    """One stack for all tests that leave it as they found it."""
    with server("spst") as spst, server("spmt") as spmt, rigged.rigged(rigged.fall_silent()) as mute:
        misbehaving = {
            name: rigged.Rigged(rigged.honest_to_probes(handler)) for name, (handler, _) in rigged.MISBEHAVIOURS.items()
        }
        targets = {
            "spst": spst.port,
            "spmt": spmt.port,
            "counting": counting.port,
            "mute": mute.port,
            "down": free_port(),
            **{name: one.port for name, one in misbehaving.items()},
        }
        with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
            yield running
        for one in misbehaving.values():
            one.stop()
