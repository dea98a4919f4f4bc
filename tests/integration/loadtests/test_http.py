"""The load by HTTP: the counts of an honest server are right, and what is not honest is counted by its name."""

import contextlib
import socket

import gevent
import pytest

from loadtests.client import EchoClient, resolve
from loadtests.destination import Destination
from loadtests.replies import EchoError, SilenceError
from loadtests.wire import protocols
from loadtests.worker.fast.connection import Poller, UserConnection
from tests.integration.loadtests import rigged_http
from tests.integration.loadtests.locust_stack import ENGINES, counts_add_up, free_port, locust_stack
from tests.integration.loadtests.rigged_http import MISBEHAVIOURS, Gateway, RiggedHttp, honest_to_probes, with_behind
from tests.integration.loadtests.stores import KEYS, Store
from tests.integration.servers.running import server
from tests.waiting import wait_until

MODES = {"closed": {}, "open": {"mode": "open", "rate": 200}}
CHECKS = ["split", "coalesced", "random_payloads", "bad_directive", "bad_request", "keep_alive", "get", "head"]
WIRE = protocols.of("http", "spmt")
REQUEST = WIRE.request(b"hello", [b"sleep=5"])


@pytest.fixture(scope="module")
def honest():
    with rigged_http.rigged_http(rigged_http.echo) as server:
        yield server


@pytest.fixture(scope="module")
def limiting():
    return Gateway()


@pytest.fixture(scope="module")
def stack(honest, limiting, tmp_path_factory):
    handlers = {
        **{name: handler for name, (handler, _, _) in MISBEHAVIOURS.items()},
        "pieces": rigged_http.in_single_bytes,
        "two-reads": rigged_http.head_first,
        "once-each": rigged_http.once_each,
        "cache": rigged_http.cache,
        "mute": rigged_http.say_nothing,
        "limiting": limiting,
        "store": with_behind(Store().answer),
        "forgetful": with_behind(Store(lost=0.5).answer),
        "wrong": with_behind(lambda line: b"!wrong\n"),
        "late": with_behind(lambda line: b"!error backend timeout: it is so\n"),
    }
    with contextlib.ExitStack() as servers:
        real = {
            "spmt": servers.enter_context(server("spmt", FACE="http")),
            "spst": servers.enter_context(server("spst", FACE="http")),
            "small": servers.enter_context(server("spmt", FACE="http", MAX_CONNECTIONS="20")),
        }
        targets = {"honest": honest.port, "down": free_port(), **{name: one.port for name, one in real.items()}}
        for name, handler in handlers.items():
            rigged = RiggedHttp(honest_to_probes(handler))
            servers.callback(rigged.stop)
            targets[name] = rigged.port
        with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
            yield running


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_projects_own_servers_answer_the_load(stack, engine, mode):
    result = run(stack, f"own-{engine}-{mode}", target="spmt", users=4, spin_us=200, engine=engine, **MODES[mode])
    assert (result["failed"], result["users_starved"]) == (0, 0)
    assert result["ok"] > 20
    assert result["options"]["spin_units"] > 10


def test_the_projects_own_servers_pass_every_check(stack):
    answer, found = verify(stack, "spmt")
    assert set(found.values()) == {"pass"}
    assert answer["errors"] == 6
    assert set(verify(stack, "spst", parallel=0)[1].values()) == {"pass"}
    held = stack.post("/threadmill/hold", target="spst", connections=3, protocol="http").json()
    assert held == {"held": 3, "served": 1, "replies": 1}
    assert stack.post("/threadmill/release").json() == {"released": 3, "replies": 2, "unanswered": 0}


def test_holders_that_a_server_refuses_are_told_why(stack):
    holders = run(stack, "refused", target="small", users=2, idle_holders=40, warmup_s=0)["idle_holders"]
    assert holders["opened"] == holders["held_throughout"] == holders["echoes"] in (19, 20)
    assert holders["failures"].keys() == {"refused"}
    assert (holders["said"], holders["unanswered"]) == ("server is full: 20 connections", 0)


def run(stack, name, **form):
    result = stack.run(name, protocol="http", **form)
    counts_add_up(result)
    return result


@pytest.mark.parametrize("connection", ["persistent", "per-request", "7"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_reply_of_an_honest_server_is_an_echo_and_counted_once(stack, honest, engine, mode, connection):
    honest.lines.clear()
    before = len(honest.connections)
    result = run(
        stack,
        f"honest-{engine}-{mode}-{connection}",
        target="honest",
        connection=connection,
        payload_bytes=100,
        users=4,
        engine=engine,
        **MODES[mode],
    )
    assert (result["failed"], result["options"]["protocol"]) == (0, "http")
    assert result["ok"] > 20
    assert len(honest.lines) == result["totals"]["sent"] + result["replies_to_checks"]
    assert result["bytes_sent"] == result["bytes_received"] == 100 * result["ok"]
    made = len(honest.connections) - before - 1
    assert made == sum(result["connections"].values())
    each = {"persistent": None, "per-request": 1}.get(connection, 7)
    if each is None:
        assert made == 4
    else:
        assert made >= result["totals"]["ok"] / each


@pytest.mark.parametrize("engine", ENGINES)
def test_the_words_stand_in_the_query_and_the_body_is_the_payload(stack, honest, engine):
    honest.lines.clear()
    run(stack, f"words-{engine}", target="honest", sleep_us=2000, spin_units=7, payload_bytes=9, engine=engine)
    found = {(one.method, one.target, len(one.body)) for one in honest.lines}
    assert found == {("POST", "/", 16), ("POST", "/?sleep=2000&spin=7", 9)}
    assert {tuple(sorted(one.fields.items())) for one in honest.lines if len(one.body) == 9} == {
        (("content-length", "9"), ("host", "honest"))
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_items_of_a_cache_are_told_from_those_of_the_server(stack, engine, mode):
    form = {"method": "get", "keys": 8, "payload_bytes": 90, "sleep_us": 7, "users": 4, "engine": engine}
    result = run(stack, f"cache-{engine}-{mode}", target="cache", **form, **MODES[mode])
    assert (result["failed"], result["age_max_s"]) == (0, 7)
    assert 0.3 * result["ok"] < result["cached"] < 0.7 * result["ok"]
    assert result["bytes_received"] == 90 * result["ok"]
    assert sum(piece["cached"] for piece in result["slices"]) == result["totals"]["cached"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_item_of_another_key_is_a_bad_echo(stack, engine):
    result = run(stack, f"cache-wrong-{engine}", target="cache", method="get", keys=10, users=2, engine=engine)
    assert result["failed"] == result["failures"]["bad_echo"] > 1
    assert result["ok"] > result["failed"]


@pytest.mark.parametrize("engine", ENGINES)
def test_items_are_got_with_their_values_of_a_store_and_the_server_alone_answers_without_a_cache(stack, honest, engine):
    honest.lines.clear()
    form = {"method": "get", "behind": "store", "keys": 5, "spin_units": 3, "payload_bytes": 40}
    result = run(stack, f"items-{engine}", target="honest", engine=engine, **form)
    assert (result["failed"], result["cached"], result["asked"]["read"]) == (0, 0, result["ok"])
    targets = {one.target for one in honest.lines if one.method == "GET" and one.target.startswith("/items")}
    assert targets == {f"/items/{key}?size=40&read={key}:0&spin=3" for key in range(5)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_service_gets_its_share_and_what_a_gateway_limits_is_neither_right_nor_failed(
    stack, limiting, engine, mode
):
    limiting.reset()
    services = {"services": "reads:3:sleep=7,waits:1:sleep=9", "api_key": Gateway.KEY}
    # In a closed loop a user that is refused waits, longer each time.
    form = {"users": 4, "window_s": 1, "engine": engine, **services, **MODES[mode]}
    result = run(stack, f"services-{engine}-{mode}", target="limiting", **form)
    assert (result["failed"], result["totals"]["in_flight"]) == (0, 0)
    assert result["failures"].keys().isdisjoint({"limited"})
    by_service = result["by_service"]
    for count in ("ok", "limited"):
        assert sum(one[count] for one in by_service.values()) == result[count] > 10
    assert {f"/{name}": one["total_ok"] for name, one in by_service.items()} == limiting.let_through
    assert limiting.limited.total() == result["totals"]["limited"]
    assert by_service["reads"]["ok"] > by_service["waits"]["ok"] > 0
    assert all(one["latency_us"]["max"] > 0 for one in by_service.values())
    # What was refused had been read to its end.
    assert sum(result["connections"].values()) <= 4


@pytest.mark.parametrize("engine", ENGINES)
def test_a_request_without_the_key_is_a_failure_of_its_service(stack, limiting, engine):
    limiting.reset()
    form = {"users": 2, "engine": engine, "services": "reads:3,waits:1"}
    result = run(stack, f"no-key-{engine}", target="limiting", **form)
    assert (result["ok"], result["limited"]) == (0, 0)
    assert result["failures"]["status"] == result["failed"] > 2
    assert sum(one["failed"] for one in result["by_service"].values()) == result["failed"]
    assert not limiting.let_through


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_what_is_no_echo_is_counted_by_its_name(stack, engine, name):
    _, kind, keeps_connection = MISBEHAVIOURS[name]
    result = run(stack, f"{name}-{engine}", target=name, users=2, engine=engine)
    assert result["failures"][kind] > 2
    assert result["ok"] == 0
    # What is left of one reply may be found before the next.
    assert result["failures"][kind] >= result["failed"] / 2
    assert (sum(result["connections"].values()) == 2) is keeps_connection


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("target", ["pieces", "two-reads"])
def test_a_reply_in_pieces_is_one_reply(stack, engine, target):
    result = run(stack, f"{target}-{engine}", target=target, users=2, engine=engine)
    assert (result["failed"], result["totals"]["in_flight"]) == (0, 0)
    assert result["ok"] > 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_that_says_it_closes_is_not_asked_again_on_that_connection(stack, engine, mode):
    result = run(stack, f"once-each-{engine}-{mode}", target="once-each", users=2, engine=engine, **MODES[mode])
    assert result["failed"] == 0
    assert sum(result["connections"].values()) == result["totals"]["sent"] > 10


@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_never_answered_is_starved(stack, engine):
    result = run(stack, f"mute-{engine}", target="mute", users=2, engine=engine)
    assert (result["users_starved"], result["ok"], result["failed"], result["in_flight"]) == (2, 0, 0, 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_is_read_and_written_and_what_it_forgets_is_found_stale(stack, engine, mode):
    asked = {"behind": "store", "keys": KEYS, "reads": 0.5, "scans": 0.2, "users": 8, "engine": engine, **MODES[mode]}
    kept = run(stack, f"store-{engine}-{mode}", target="store", **asked)
    assert (kept["stale"], kept["failed"]) == (0, 0)
    assert sum(kept["asked"].values()) == kept["ok"] > 50
    assert min(kept["asked"][verb] for verb in ("read", "write", "scan")) > 0
    assert kept["bytes_sent"] == 64 * kept["ok"]
    lost = run(stack, f"forgetful-{engine}-{mode}", target="forgetful", **asked)
    assert lost["failed"] == 0
    assert 0 < lost["stale"] < lost["reads_checked"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("target", "kind"), [("wrong", "wrong"), ("late", "backend timeout")])
def test_what_fails_behind_is_counted_by_its_name_and_the_connection_stays(stack, engine, target, kind):
    result = run(stack, f"{target}-{engine}", target=target, behind="store", keys=KEYS, users=2, engine=engine)
    assert result["failures"][kind] == result["failed"] > 2
    assert sum(result["connections"].values()) == 2


def test_a_server_is_checked_for_what_it_asks_of_a_store(stack):
    asked = {"parallel": 0, "behind": "store", "keys": KEYS, "scans": "true"}
    found = verify(stack, "store", **asked)[1]
    assert {name: found[name] for name in ("read", "write", "scan")} == dict.fromkeys(("read", "write", "scan"), "pass")
    assert "instead of !error backend unknown key" in found["unknown_key"]
    assert "received 500 b'!wrong" in verify(stack, "wrong", **asked)[1]["read"]


def test_holders_are_held_by_http_as_well(stack, honest):
    honest.lines.clear()
    result = run(stack, "held", target="honest", users=2, idle_holders=21)
    held = ("wanted", "opened", "held_at_open", "held_at_close", "held_throughout", "echoes")
    assert {name: result["idle_holders"][name] for name in held} == dict.fromkeys(held, 21)
    assert sum(one.body == b"holder" for one in honest.lines) == 21


def test_a_sleep_is_slept_and_work_in_time_is_calibrated(stack):
    assert run(stack, "slept", target="honest", users=1, sleep_us=20_000)["latency_us"]["min"] > 19_000
    # It works on nothing, so any work takes it no time.
    refused = stack.swarm(target="honest", protocol="http", spin_us=5_000_000)
    assert (refused["success"], "spin_us: at most" in refused["message"]) == (False, True)


def test_locust_shows_the_requests_as_http(stack):
    run(stack, "rows", target="honest", users=2)

    def methods():
        return {row["method"] for row in stack.get("/stats/requests")["stats"] if row["name"] == "honest"}

    # Workers tell the master of it at their next report.
    assert wait_until(methods, "its row") == {"HTTP"}


def test_the_other_protocol_is_refused_before_the_run(stack):
    answer = stack.swarm(target="raw", protocol="line")
    assert answer["success"] is False
    answer = stack.swarm(target="gateway", protocol="HTTP/2")
    assert answer["message"] == "protocol: line or http, not 'HTTP/2'"


def test_a_check_by_hand_is_one_request_in_the_protocol_asked_for(stack, honest):
    honest.lines.clear()
    answer = stack.get("/threadmill/echo", target="honest", protocol="http")
    assert (answer["ok"], answer["replies"], answer["connections"]) == (True, 1, 1)
    assert [(one.body, one.fields["host"]) for one in honest.lines] == [(b"threadmill-check", "honest")]
    answer = stack.get("/threadmill/echo", target="honest")
    assert (answer["ok"], "does not echo: bad_echo" in answer["error"]) == (False, True)
    answer = stack.get("/threadmill/echo", target="honest", protocol="carrier pigeon")
    assert (answer["ok"], answer["error"]) == (False, "protocol: line or http, not 'carrier pigeon'")


def verify(stack, target, **parameters):
    answer = stack.post("/threadmill/verify", target=target, protocol="http", **parameters).json()
    return answer, {check["name"]: check["reason"] or check["status"] for check in answer["checks"]}


def test_an_honest_server_passes_every_check_and_every_reply_is_counted(stack, honest):
    honest.lines.clear()
    before = len(honest.connections)
    answer, found = verify(stack, "honest", parallel=3)
    assert found == dict.fromkeys([*CHECKS, "parallel"], "pass")
    assert answer["replies"] == len(honest.lines)
    # Three bad directives in the query, one in the header, what is no HTTP, and a method.
    assert answer["errors"] == 6
    assert answer["connections"] == len(honest.connections) - before == len(CHECKS) + 1 + 3


@pytest.mark.parametrize(
    ("target", "check", "reason"),
    [
        ("liar", "split", "sent b'POST / byte by byte', received 200 b'?yte by byte'"),
        ("liar", "bad_directive", "received 200 b'?' instead of 400 and !error"),
        ("chunked", "split", "a reply of status 200 without a Content-Length"),
        ("gateway", "get", "received 502 b'<html>Bad Gateway</html>'"),
        ("closer", "coalesced", "the server closed the connection after b''"),
        ("raw", "split", "no HTTP reply with a Content-Length: no HTTP: b'POST / HTTP/1.1"),
        ("down", "split", "refused"),
    ],
)
def test_a_server_that_is_wrong_or_gone_fails_with_what_was_found(stack, target, check, reason):
    assert reason in verify(stack, target)[1][check]


def test_connections_are_held_for_a_look_and_let_go(stack, honest):
    honest.lines.clear()
    held = stack.post("/threadmill/hold", target="honest", connections=5, protocol="http").json()
    assert held == {"held": 5, "served": 5, "replies": 5}
    assert {one.body for one in honest.lines} == {b"held"}
    assert stack.post("/threadmill/release").json() == {"released": 5, "replies": 0, "unanswered": 0}


# One connection by itself


@pytest.fixture
def connect():
    clients = []

    def connected(port, reply_timeout_s=5.0):
        client = EchoClient(lambda: resolve("127.0.0.1", port), WIRE, reply_timeout_s)
        client.connect()
        clients.append(client)
        return client

    yield connected
    for client in clients:
        client.close()


def test_a_body_larger_than_every_buffer_comes_back(connect, honest):
    assert connect(honest.port).round_trip(WIRE.request(b"x" * 5_000_000)) is False


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_each_way_to_fail_has_its_name(connect, name):
    handler, kind, keeps_connection = MISBEHAVIOURS[name]
    with rigged_http.rigged_http(handler) as server:
        client = connect(server.port)
        with pytest.raises(EchoError) as caught:
            client.round_trip(REQUEST)
        assert (caught.value.kind, caught.value.keeps_connection) == (kind, keeps_connection)


def test_the_last_reply_of_a_connection_is_known_as_such(connect, honest):
    with rigged_http.rigged_http(rigged_http.once_each) as server:
        client = connect(server.port)
        client.round_trip(REQUEST)
        assert client.is_last
        client.close()
        client.connect()
        assert not client.is_last


def test_silence_after_an_earlier_reply_times_out(connect):
    def fall_silent(connection, request):
        if request.target == "/":
            rigged_http.echo(connection, request)

    with rigged_http.rigged_http(fall_silent) as server:
        client = connect(server.port, reply_timeout_s=0.2)
        client.round_trip(WIRE.request(b"one"))
        with pytest.raises(SilenceError), gevent.Timeout(5):
            client.round_trip(REQUEST)


def test_a_request_that_is_answered_before_it_is_sent_leaves_no_connection_for_the_next():
    poller = Poller()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        destination = Destination("127.0.0.1", listener.getsockname()[1])
        user = UserConnection(poller, destination, WIRE, iter([WIRE.request(b"x" * 50_000_000)]))
        user.sent_at, user.done_at = 1.0, 0.0
        user.request()
        connection, _peer = listener.accept()
        with connection:
            connection.sendall(rigged_http.reply(b"!error what\n", "400 Bad Request"))
            with pytest.raises(EchoError) as caught:
                while True:
                    for _descriptor, event in poller.poll(1, 1):
                        user.on_event(event)
            assert (caught.value.kind, caught.value.keeps_connection) == ("refused", True)
            assert user.is_sending
            user.close()
            assert not user.is_sending
    poller.close()
