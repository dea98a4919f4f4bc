"""Which of a name's addresses a connection goes to, and how many went to each."""

import socket
from collections import Counter

import gevent
import pytest
from gevent.event import Event

from loadtests import destination
from loadtests.client import Address
from loadtests.destination import Destination
from loadtests.messages import before, share_of
from loadtests.replies import ConnectError

THREE = [Address(socket.AF_INET, (f"10.0.0.{n}", 8081)) for n in (1, 2, 3)]


class Resolver:
    """Gives the same three addresses in another order each time, as Docker's does."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[Address]:
        assert (host, port) == ("spmt", 8081)
        self.asked += 1
        turn = (self.asked - 1) % 3
        return THREE[turn:] + THREE[:turn]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(destination, "resolve_all", made)
    return made


def hosts(found: list[Address]) -> list[str]:
    return [str(address.sockaddr[0])[-1] for address in found]


def test_once_is_the_first_address_ever_after(resolver: Resolver) -> None:
    found = Destination("spmt", 8081)
    assert hosts([found.next() for _ in range(4)]) == ["1"] * 4
    assert (resolver.asked, found.looks_up) == (1, False)
    assert hosts([found.choose()]) == ["1"]


@pytest.mark.parametrize(("earlier", "order"), [(0, "1231"), (1, "2312"), (5, "3123")])
def test_all_are_taken_in_turn_after_those_of_earlier_workers(resolver: Resolver, earlier: int, order: str) -> None:
    found = Destination("spmt", 8081, "all", earlier)
    assert "".join(hosts([found.next() for _ in range(4)])) == order
    assert resolver.asked == 1


@pytest.mark.parametrize(("users", "workers"), [(4, 2), (7, 2), (8, 3), (10, 4), (2, 5)])
def test_the_users_of_all_workers_together_are_spread_evenly(resolver: Resolver, users: int, workers: int) -> None:
    """Although each gets the addresses in another order, and no worker's share is a multiple of their number."""
    taken = Counter[str]()
    for worker in range(workers):
        found = Destination("spmt", 8081, "all", before(users, worker, workers))
        taken.update(hosts([found.next() for _ in range(share_of(users, worker, workers))]))
    assert taken.total() == users
    assert max(taken.values()) - min(taken[host] for host in "123") <= 1


def test_each_asks_anew_for_every_connection(resolver: Resolver) -> None:
    found = Destination("spmt", 8081, "each")
    assert found.looks_up
    for _ in range(60):
        found.choose()
    assert resolver.asked == 61


def test_each_takes_any_address_of_an_answer_whose_order_never_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a C library that sorts what the engine's DNS has shuffled."""
    monkeypatch.setattr(destination, "resolve_all", lambda _host, _port: list(THREE))
    found = Destination("spmt", 8081, "each")
    taken = Counter(hosts([found.choose() for _ in range(300)]))
    # A hundred of each, give or take five standard deviations.
    assert all(60 < taken[host] < 140 for host in "123")


def test_who_must_not_wait_takes_any_of_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "resolve_all", lambda _host, _port: list(THREE))
    answer = [(address.family, 1, 6, "", address.sockaddr) for address in THREE]
    monkeypatch.setattr(destination, "get_original", lambda _module, _name: lambda *_asked, **_kind: answer)
    found = Destination("spmt", 8081, "each")
    told: list[Address | None] = []
    over = Event()

    def tell(address: Address | None) -> None:
        told.append(address)
        if len(told) == 100:
            over.set()

    for _ in range(100):
        found.look_up(tell)
    assert over.wait(10)
    found.close()
    assert set(told) == set(THREE)


def test_a_name_that_goes_away_is_a_failure_to_connect(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Destination("spmt", 8081, "each")

    def gone(host: str, port: int) -> list[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(destination, "resolve_all", gone)
    with pytest.raises(ConnectError) as error:
        found.choose()
    assert error.value.detail == "Name or service not known"
    with pytest.raises(OSError, match="not known"):
        Destination("spmt", 8081, "each")


def test_connections_are_counted_by_address(resolver: Resolver) -> None:
    found = Destination("spmt", 8081, "all")
    assert found.connections == {}
    for _ in range(4):
        found.opened(found.next())
    assert found.connections == {"10.0.0.1:8081": 2, "10.0.0.2:8081": 1, "10.0.0.3:8081": 1}


def test_who_must_not_wait_is_told_from_the_loop() -> None:
    """With the system's own resolver, in threads of the system's own."""
    found = Destination("127.0.0.1", 8081, "each")
    told: list[Address | None] = []
    over = Event()

    def tell(address: Address | None) -> None:
        told.append(address)
        if len(told) == 20:
            over.set()

    for _ in range(20):
        found.look_up(tell)
    # Nothing is told before the loop runs.
    assert told == []
    assert over.wait(10)
    assert told == [Address(socket.AF_INET, ("127.0.0.1", 8081))] * 20
    found.close()
    found.close()


def test_a_look_up_that_finds_nothing_says_so() -> None:
    found = Destination("127.0.0.1", 8081, "each")
    found.host = "no-such-name.invalid"
    told: list[Address | None] = []
    over = Event()

    def tell(address: Address | None) -> None:
        told.append(address)
        over.set()

    found.look_up(tell)
    assert over.wait(30)
    assert told == [None]
    found.close()


def test_nobody_is_told_after_the_run() -> None:
    found = Destination("127.0.0.1", 8081, "each")
    told: list[Address | None] = []
    for _ in range(50):
        found.look_up(told.append)
    found.close()
    gevent.sleep(0)
    gevent.idle()
    assert told == []
