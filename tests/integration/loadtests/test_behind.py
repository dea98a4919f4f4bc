"""Requests for what is behind a server: what is stale or wrong is found, what fails behind is counted by its name."""

import re
import socket
import threading

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack

KEYS = 20
FAILING = ("unreachable", "timeout", "exhausted", "unknown key", "refused")
_ASKED = re.compile(rb"!(read|write|send)=(all|\d+)(?::(\d+))? ")


class Store:
    """Of versions in memory, with what its answers may be made to lack."""

    def __init__(self, lost=0.0):
        self.lost = lost
        """Share of the writes that are confirmed and not done."""
        self.versions = dict.fromkeys(range(KEYS), 0)
        self.asked = []
        self.writing = set()
        self.overlapped = 0
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket, line: bytes) -> None:
        connection.sendall(self.answer(line))

    def answer(self, line):
        verb, key, version = _ASKED.match(line).groups()
        with self._lock:
            self.asked.append((verb, key, int(version or 0)))
            if key == b"all" or verb == b"send":
                return line
            key, version = int(key), int(version)
            if verb == b"read":
                return line if self.versions[key] >= version else b"!stale\n"
            assert version > self.versions[key]
            if len(self.asked) % 100 >= 100 * self.lost:
                self.versions[key] = version
        return line


def failing(name):
    def handler(connection, line):
        connection.sendall(b"!error backend %s: it is so\n" % name.encode())

    return handler


def wrong(connection, line):
    connection.sendall(b"!wrong\n" if line.startswith(b"!read=") else line)


@pytest.fixture(scope="module")
def stores():
    return {"honest": Store(), "forgetful": Store(lost=0.5), "broker": Store()}


@pytest.fixture(scope="module")
def servers(stores):
    handlers = {**stores, "wrong": wrong, **{name.replace(" ", "-"): failing(name) for name in FAILING}}
    servers = {name: rigged.Rigged(rigged.honest_to_probes(handler)) for name, handler in handlers.items()}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, servers):
    targets = {name: server.port for name, server in servers.items()}
    with locust_stack(targets, tmp_path_factory.mktemp("results"), workers=2) as running:
        yield running


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", [{}, {"mode": "open", "rate": 300}], ids=["closed", "open"])
def test_a_store_that_keeps_what_it_confirms_is_never_stale(stack, stores, engine, mode):
    store = stores["honest"]
    store.asked.clear()
    result = stack.run(
        f"honest-{engine}-{len(mode)}",
        target="honest",
        behind="store",
        keys=KEYS,
        zipf=1,
        reads=0.6,
        scans=0.2,
        **{"users": 8, "engine": engine, **mode},
    )
    assert (result["stale"], result["failed"], result["totals"]["stale"]) == (0, 0, 0)
    asked = result["asked"]
    assert sum(asked.values()) == result["ok"] > 50
    assert asked["send"] == 0
    # Of 100 requests or more, within four standard deviations and a little.
    assert asked["write"] / result["ok"] == pytest.approx(0.4, abs=0.2)
    assert asked["scan"] / (asked["scan"] + asked["read"]) == pytest.approx(0.2, abs=0.2)
    assert 0 < result["reads_checked"] < asked["read"]
    assert result["read_us"]["p50"] > 0 < result["write_us"]["p50"]
    assert result["histograms"].keys() >= {"latency", "read", "write", "scan"}
    assert len(store.asked) == result["totals"]["sent"]
    # A worker writes its own keys alone, so each key's versions rise, whatever the other worker does.
    assert {int(key) for verb, key, _ in store.asked if verb == b"write"} <= set(range(KEYS))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_that_loses_what_it_confirmed_is_found_stale(stack, engine):
    result = stack.run(
        f"forgetful-{engine}", target="forgetful", behind="store", keys=KEYS, reads=0.5, users=8, engine=engine
    )
    assert result["failed"] == 0
    assert 0.2 * result["reads_checked"] < result["stale"] < result["reads_checked"]
    assert sum(piece["stale"] for piece in result["slices"]) == result["totals"]["stale"] >= result["stale"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_value_is_a_failure_of_its_own(stack, engine):
    result = stack.run(f"wrong-{engine}", target="wrong", behind="store", keys=KEYS, users=2, engine=engine)
    assert result["ok"] == 0
    assert result["failures"]["wrong"] == result["failed"] > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FAILING)
def test_what_fails_behind_is_counted_by_its_name_and_the_connection_stays(stack, servers, engine, name):
    target = name.replace(" ", "-")
    result = stack.run(f"{target}-{engine}", target=target, behind="store", keys=KEYS, users=2, engine=engine)
    assert result["failures"][f"backend {name}"] == result["failed"] > 2
    assert sum(result["connections"].values()) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_no_two_messages_to_a_broker_are_the_same(stack, stores, engine):
    stores["broker"].asked.clear()
    result = stack.run(f"broker-{engine}", target="broker", behind="broker", keys=KEYS, users=8, engine=engine)
    messages = [(key, version) for verb, key, version in stores["broker"].asked if verb == b"send"]
    assert len(set(messages)) == len({version for _, version in messages}) == len(messages) == result["totals"]["sent"]
    assert result["asked"]["send"] == result["ok"]
    assert result["stale"] == result["reads_checked"] == 0


def test_locust_shows_reads_and_writes_in_rows_of_their_own(stack):
    stack.run("rows", target="honest", behind="store", keys=KEYS, reads=0.5, users=4)
    names = {row["name"] for row in stack.get("/stats/requests")["stats"]}
    assert {"honest read", "honest write"} <= names


def test_requests_that_write_need_a_key_for_each_user(stack):
    answer = stack.swarm(target="honest", behind="store", keys=4, reads=0.5, users=8)
    assert answer["success"] is False
    assert "4 keys for 8 users of 2 workers" in answer["message"]
