"""The containers behind a target are known by name, each with its own probe, or said to be unknown."""

from typing import Any

import pytest

from loadtests.master.containers import KEPT_S, Container, Containers
from loadtests.master.samples import Samples
from loadtests.master.served_by import ServedBy, Serving

TARGETS = {"spmt": ("spmt", 8081), "haproxy": ("haproxy", 8081)}
FRONTS = {"haproxy": "spmt"}
NAMES = {"10.0.0.1": "threadmill-spmt-1.threadmill_default", "10.0.0.2": "threadmill-spmt-2.threadmill_default"}


class Dns:
    """The engine's: addresses by name, which a test may change."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = {"id1": ["10.0.0.1"], "id2": ["10.0.0.2"], **addresses}
        self.asked = 0
        self.now = 0.0

    def look(self, host: str) -> list[str]:
        self.asked += 1
        if host not in self.addresses:
            raise OSError("no such name")
        return self.addresses[host]

    def name(self, address: str) -> str:
        if address not in NAMES:
            raise OSError("no such address")
        return NAMES[address]

    def containers(self) -> Containers:
        return Containers(self.look, self.name, lambda: self.now)


def served(dns: Dns, *hosts: str, fronts: tuple[str, ...] = ()) -> ServedBy:
    samples = Samples(list(TARGETS))
    for model, names in (("spmt", hosts), ("haproxy", fronts)):
        for host in names:
            line: dict[str, Any] = {"schema_version": 2, "model": model, "host": host, "unix": 1.0}
            samples.add(line, f"probe of {host}")
    return ServedBy(TARGETS, FRONTS, samples, dns.containers())


def test_addresses_have_the_names_of_their_containers() -> None:
    found = Dns(spmt=["10.0.0.2", "10.0.0.9", "10.0.0.1"]).containers().behind("spmt")
    assert found == (
        Container("10.0.0.9", "10.0.0.9"),
        Container("10.0.0.1", "threadmill-spmt-1"),
        Container("10.0.0.2", "threadmill-spmt-2"),
    )


def test_the_resolver_is_asked_now_and_then_only_and_a_new_container_is_seen() -> None:
    dns = Dns(spmt=["10.0.0.1"])
    containers = dns.containers()
    assert [len(containers.behind("spmt")) for _ in range(3)] == [1, 1, 1]
    assert dns.asked == 1
    dns.addresses["spmt"] = ["10.0.0.1", "10.0.0.2"]
    dns.now += KEPT_S + 0.1
    assert len(containers.behind("spmt")) == 2


def test_one_server_with_its_probe_is_shown_under_the_models_name() -> None:
    (shown,) = served(Dns(spmt=["10.0.0.1"]), "id1").shown("spmt")
    assert (shown.name, shown.told is not None, shown.is_target) == ("spmt", True, True)
    (without,) = served(Dns()).shown("spmt")
    assert (without.name, without.told) == ("spmt", None)
    assert without.start_probe == "docker compose up -d probe-spmt"


def test_the_one_probe_of_three_servers_is_shown_as_that_of_one() -> None:
    shown = served(Dns(spmt=["10.0.0.1", "10.0.0.2"]), "id2").shown("spmt")
    assert [(one.name, one.told is not None) for one in shown] == [
        ("threadmill-spmt-1", False),
        ("threadmill-spmt-2", True),
    ]
    assert shown[0].start_probe == "BACKEND=spmt docker compose up -d --no-deps probe-1"


def test_a_front_comes_before_what_is_behind_it() -> None:
    dns = Dns(spmt=["10.0.0.1", "10.0.0.2"], haproxy=["10.0.0.3"])
    shown = served(dns, "id1", "id2", fronts=("id3",)).shown("haproxy")
    assert [(one.name, one.told is not None, one.is_target) for one in shown] == [
        ("haproxy", True, True),
        ("threadmill-spmt-1", True, False),
        ("threadmill-spmt-2", True, False),
    ]


def test_a_probe_whose_container_the_name_does_not_have_is_shown_by_what_that_calls_itself() -> None:
    shown = served(Dns(spmt=["10.0.0.1"]), "id1", "gone").shown("spmt")
    assert [one.name for one in shown] == ["spmt", "gone"]


def test_the_lines_of_a_run_say_of_which_container_they_are() -> None:
    dns = Dns(spmt=["10.0.0.1", "10.0.0.2"])
    lines = served(dns, "id1", "id2", fronts=("id3",)).lines("haproxy", 0, 1e12)
    assert [(one["model"], one["container"]) for one in lines] == [
        ("spmt", "threadmill-spmt-1"),
        ("spmt", "threadmill-spmt-2"),
        ("haproxy", "haproxy"),
    ]


def test_of_a_probe_in_the_servers_own_network_the_address_tells_which_it_is() -> None:
    samples = Samples(list(TARGETS))
    for host, sender in (("pod-a", "10.0.0.9"), ("pod-a", "10.0.0.2"), ("pod-b", "10.0.0.1"), ("pod-c", "10.0.0.7")):
        samples.add({"schema_version": 2, "model": "spmt", "host": host, "unix": 1.0}, sender)
    found = ServedBy(TARGETS, FRONTS, samples, Dns(spmt=["10.0.0.1", "10.0.0.2"]).containers()).lines("spmt", 0, 1e12)
    named = {line["host"]: line["container"] for line in found}
    assert named == {"pod-a": "threadmill-spmt-2", "pod-b": "threadmill-spmt-1", "pod-c": "pod-c"}


@pytest.mark.parametrize(
    ("before", "after", "servers"),
    [
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"], ["threadmill-spmt-1", "threadmill-spmt-2"]),
        (["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], None),
        ([], [], None),
    ],
)
def test_how_many_served_is_known_where_it_stayed_the_same(
    before: list[str], after: list[str], servers: list[str] | None
) -> None:
    def at(addresses: list[str]) -> Serving:
        return served(Dns(spmt=addresses)).now("haproxy")

    found = at(before).throughout(at(after)).as_json()
    assert found == {"model": "spmt", "front": "haproxy", "servers": servers}
