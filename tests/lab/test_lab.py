"""The lab itself: its engines are on machines of their own, and nothing of it is left on this one."""

import secrets
from collections.abc import Iterator

import pytest

from tests.lab import engines as lab
from tests.lab.cluster import ROLE_LABEL, Cluster
from tests.lab.traces import traces

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def token(images: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """By which a lab of this test can be told from others."""
    token = secrets.token_hex(3)
    monkeypatch.setattr(lab.secrets, "token_hex", lambda _: token)
    yield token
    assert traces(token) == []


def test_a_lab_leaves_nothing_whatever_was_done_to_its_engines(token: str, images: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), lab.engines(2) as (killed, living):
        for engine in (killed, living):
            engine.load(images[:1])
            engine.docker("run", "--detach", "--network", "none", images[0])
        assert traces(token)
        killed.kill()
        with living.unplugged(), living.apart_from(killed):
            raise KeyboardInterrupt
    assert traces(token) == []


def test_a_lab_of_which_an_engine_cannot_start_leaves_nothing(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "NAMED", ("sh", "-c", 'test "$0" = n1 && exec "$@"'))
    with pytest.raises(AssertionError, match="dockerd ended"), lab.engines(2):
        pass
    assert traces(token) == []


def test_each_node_has_a_name_an_address_and_a_role_of_its_own(nodes: Cluster) -> None:
    records = [nodes.described(node) for node in nodes.nodes]
    assert [record["Description"]["Hostname"] for record in records] == ["n1", "n2", "n3"]
    assert [record["Status"]["Addr"] for record in records] == [node.address for node in nodes.nodes]
    assert [record["Spec"]["Labels"] for record in records] == [
        {ROLE_LABEL: role} for role in ("load", "server", "load")
    ]


def test_a_node_comes_back_from_a_loss_of_power_and_of_its_network(nodes: Cluster) -> None:
    _, second, third = nodes.nodes
    second.lose_power()
    with third.apart_from(nodes.manager):
        for node in (second, third):
            nodes.wait_for_state(node, "down")
    nodes.wait_for_state(third, "ready")
    nodes.label(second, None)
    nodes.availability(third, "drain")
    nodes.restore()
    assert [nodes.state(node) for node in nodes.nodes] == ["ready"] * 3
    assert nodes.described(second)["Spec"]["Labels"] == {ROLE_LABEL: "server"}
    assert nodes.described(third)["Spec"]["Availability"] == "active"
