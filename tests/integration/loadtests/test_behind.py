"""Requests for what is behind a server: what is stale or wrong is found, what fails behind is counted by its name."""

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack
from tests.integration.loadtests.stores import KEYS, Store
from tests.waiting import wait_until

FAILING = ("unreachable", "timeout", "exhausted", "unknown key", "refused")


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
    wanted = {"honest read", "honest write"}
    # Workers tell the master of them at their next report.
    wait_until(lambda: wanted <= {row["name"] for row in stack.get("/stats/requests")["stats"]}, "both rows")


def test_requests_that_write_need_a_key_for_each_user(stack):
    answer = stack.swarm(target="honest", behind="store", keys=4, reads=0.5, users=8)
    assert answer["success"] is False
    assert "4 keys for 8 users of 2 workers" in answer["message"]


def verified(stack, target, **asked):
    """The status of each check, by name, with the reason of those that failed."""
    answer = stack.post("/threadmill/verify", target=target, parallel=0, behind="store", keys=KEYS, **asked).json()
    return {one["name"]: one["reason"] or one["status"] for one in answer["checks"]}


def test_a_server_is_checked_for_what_it_asks_of_a_store_before_load(stack):
    assert {name: verified(stack, "honest", scans="true")[name] for name in ("read", "write", "scan")} == dict.fromkeys(
        ("read", "write", "scan"), "pass"
    )
    assert "read" not in {one["name"] for one in stack.post("/threadmill/verify", target="honest").json()["checks"]}
    # A key that nobody has, answered as if there were one.
    assert "instead of !error backend unknown key" in verified(stack, "honest")["unknown_key"]
    assert "!error backend refused" in verified(stack, "refused")["read"]
    assert "!wrong" in verified(stack, "wrong")["read"]


def test_a_write_that_is_not_seen_fails_the_check_unless_a_copy_may_be_read(stack, stores):
    stores["honest"].lost = 1.0
    try:
        told = {seen: verified(stack, "honest", seen=seen)["write"] for seen in ("at once", "soon", "any")}
    finally:
        stores["honest"].lost = 0.0
    assert "received b'!stale" in told["at once"]
    assert told["soon"] == "no reply within 2 s"
    assert told["any"] == "pass"


def test_a_message_is_sent_to_a_broker_before_load(stack):
    answer = stack.post("/threadmill/verify", target="broker", parallel=0, behind="broker").json()
    assert {one["name"]: one["status"] for one in answer["checks"]}["send"] == "pass"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"behind": "shelf"}, "behind: none or store or broker, not 'shelf'"),
        ({"seen": "never"}, "seen: at once or soon or any, not 'never'"),
        ({"keys": 0}, "keys: a whole number from 1 to 1000000, not '0'"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_a_line(stack, asked, message):
    response = stack.post("/threadmill/verify", **{"target": "honest", **asked})
    assert (response.status_code, response.json()["error"]) == (409, message)
