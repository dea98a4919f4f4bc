"""Which nodes of a Swarm are used, how their engines are found, and what their clocks say."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.stack.swarm.nodes import Listed, clock_of, listed, read_endpoints, seconds_of, standing_in, usable

N1 = Listed("1", "n1", "10.0.0.1", "load", "ready", "active", 2, 2**33)
N2 = replace(N1, id="2", name="n2", role="server")


def said(**about: Any) -> dict[str, Any]:
    return {
        "ID": "abc",
        "Description": {"Hostname": "n1", "Resources": {"NanoCPUs": 4 * 10**9, "MemoryBytes": 2**33}},
        "Status": {"State": "ready", "Addr": "10.0.0.1"},
        "Spec": {"Availability": "active", "Labels": {"threadmill.role": "load"}},
        **about,
    }


def test_a_node_is_what_the_manager_says_of_it() -> None:
    assert listed(said()) == Listed("abc", "n1", "10.0.0.1", "load", "ready", "active", 4, 2**33)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "127.0.0.1"])
def test_a_manager_that_does_not_say_its_address_has_it_as_a_manager(address: str) -> None:
    status = {"State": "ready", "Addr": address}
    assert listed(said(Status=status, ManagerStatus={"Addr": "10.0.0.9:2377"})).address == "10.0.0.9"


def test_a_node_without_labels_has_no_role() -> None:
    assert listed(said(Spec={"Availability": "active", "Labels": None})).role == ""


def test_nodes_are_used_by_their_label_and_others_left_alone() -> None:
    found = usable([N2, N1, replace(N1, name="other", role=""), replace(N1, name="a")])
    assert {role: [node.name for node in nodes] for role, nodes in found.items()} == {
        "server": ["n2"],
        "load": ["a", "n1"],
        "rest": [],
    }
    assert standing_in(found) == {"server": "server", "load": "load", "rest": "server"}
    assert standing_in(usable([N1, N2, replace(N1, name="n3", role="rest")]))["rest"] == "rest"


@pytest.mark.parametrize(
    ("nodes", "line"),
    [
        ([N1], "no node of this Swarm has the label threadmill.role=server"),
        ([N2], "no node of this Swarm has the label threadmill.role=load"),
        ([N1, replace(N2, role="server ")], "node n2: found the label threadmill.role=server , allowed: server, load"),
        ([N1, replace(N2, state="down")], "node n2, of threadmill.role=server, is down; bring it back"),
        ([N1, replace(N2, availability="drain")], "node n2, of threadmill.role=server, is set to drain"),
        ([N1, replace(N2, name="n1")], "two nodes are called n1"),
    ],
)
def test_what_cannot_be_used_is_named_in_a_line(nodes: list[Listed], line: str) -> None:
    with pytest.raises(UserError, match=re.escape(line)) as raised:
        usable(nodes)
    assert "\n" not in str(raised.value)


def test_a_file_of_endpoints_is_read(tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text(
        "nodes: {n1: ssh://me@n1, n2: unix:///run/docker.sock, n3: 'tcp://10.0.0.3:2376'}"
    )
    assert read_endpoints(tmp_path / "nodes.yaml")["n1"] == "ssh://me@n1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nodes:",
        "nodes: {}",
        "nodes: {n1: }",
        "nodes: {n1: n1}",
        "nodes: {n1: ssh://a b}",
        "n1: ssh://n1",
        "{",
    ],
)
def test_a_file_that_is_none_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "nodes.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape("nodes.yaml")) as raised:
        read_endpoints(tmp_path / "nodes.yaml")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="no such file"):
        read_endpoints(Path("not-there.yaml"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.123456789Z", 1.123456789),
        ("1970-01-01T01:00:01.5+01:00", 1.5),
    ],
)
def test_a_time_is_read_with_all_its_digits(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("text", ["", "yesterday", "1970-01-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        seconds_of(text)


def test_of_several_looks_at_a_clock_the_nearest_counts() -> None:
    """The third one took 20 ms, the others 200 ms; the clock is 5 s ahead."""
    times = iter([0.0, 0.2, 1.0, 1.2, 2.0, 2.02, 3.0, 3.2, 4.0, 4.2])
    answers = iter(f"1970-01-01T00:00:0{second}Z" for second in (5.15, 6.05, 7.01, 8.2, 9.0))
    found = clock_of(lambda: next(answers), lambda: next(times))
    assert (found.ahead_s, found.uncertain_s) == (pytest.approx(5.0), pytest.approx(0.01))
