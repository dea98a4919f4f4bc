"""A server that speaks HTTP by hand: asked by a real request before it is said to be up, in the names of its image."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from testbed.errors import UserError
from testbed.plan.fields import Machine
from testbed.run import behind_by_hand, swarm_by_hand
from testbed.stack import by_hand, http_by_hand
from testbed.stack.by_hand import ServerLimits
from testbed.stack.gateway_by_hand import Admission
from testbed.stack.naming import MASTER
from testbed.stack.run import Run
from testbed.stack.scale_by_hand import Scale

MIB = 2**20
LIMITS = ServerLimits(0.5, 64 * MIB)


@contextmanager
def serving(status: int = 200, more: bytes = b"", key: str | None = None) -> Iterator[str]:
    """The address of a server that sends a request's body back, and `more`; 401 unless it is shown `key`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])) + more
            self.send_response(status if self.headers["X-Api-Key"] == key else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_request_that_comes_back_is_an_answer() -> None:
    with serving() as address:
        http_by_hand.until_it_answers(address, "spmt-http answers no request")


def test_the_key_is_shown_to_who_asks_for_one() -> None:
    with serving(key="a-key") as address:
        http_by_hand.until_it_answers(address, "envoy hands no request on", "a-key")
        assert http_by_hand.why_not("127.0.0.1", int(address.rpartition(":")[2])) == "401 Unauthorized, b'hello'"
    assert http_by_hand.curl("x:1", key="a-key") == "curl -i -H 'X-Api-Key: a-key' -d hello 'x:1/?sleep=500'"


@pytest.mark.parametrize(
    ("status", "more", "reason"), [(503, b"", "503 Service Unavailable, b'hello'"), (200, b"!", "200 OK, b'hello!'")]
)
def test_anything_else_is_none_and_said_in_one_line(
    status: int, more: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_by_hand, "TIMEOUT_S", 0.3)
    with serving(status, more) as address, pytest.raises(UserError) as refused:
        http_by_hand.until_it_answers(address, "haproxy hands no request on")
    assert str(refused.value) == f"haproxy hands no request on: {reason}"


def test_nobody_there_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_by_hand, "TIMEOUT_S", 0.3)
    with serving() as address:
        pass
    with pytest.raises(UserError, match="refused"):
        http_by_hand.until_it_answers(address, "spmt-http answers no request")


class Started:
    """What Compose was asked for, and what was asked of it by HTTP."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.environment: dict[str, str] = {}
        self.built: list[str] = []
        self.asked: list[str] = []
        self.said: list[str] = []
        monkeypatch.setattr(by_hand, "_compose", self.compose)
        monkeypatch.setattr(by_hand.images, "build_missing", lambda names, _: self.built.extend(names))
        self.keys: list[str] = []
        monkeypatch.setattr(http_by_hand, "until_it_answers", self.answers)

    def answers(self, _address: str, what: str, key: str = "") -> None:
        self.asked.append(what)
        self.keys.append(key)

    def compose(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        self.commands.append(arguments)
        self.environment |= environment or {}
        return f"127.0.0.1:90{len(self.commands):02}\n" if arguments[0] == "port" else ""

    @property
    def up(self) -> str:
        (up,) = (one for one in self.commands if one[0] == "up")
        return " ".join(up)


def test_several_models_are_services_and_targets_by_the_names_of_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    by_hand.up(["spst", "spmt"], LIMITS, 1, False, started.said.append, http=True)
    assert started.built == ["spst-http", "spmt-http", "locust", "probe"]
    services = "spst-http spmt-http probe-spst-http probe-spmt-http locust worker"
    assert started.up == f"up --detach --wait --scale worker=1 {services}"
    assert (started.environment["MORE_TARGETS"], started.environment["PROTOCOL"]) == ("spst-http,spmt-http", "http")
    assert [what.partition(" ")[0] for what in started.asked] == ["spst-http", "spmt-http"]
    (one, other) = (line for line in started.said if line.startswith("at work: "))
    assert one.startswith("at work: curl -i -d hello '127.0.0.1:90")
    assert one.endswith("/?sleep=500'") and one != other


def test_several_containers_and_a_front_are_all_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    by_hand.up(["spmt"], LIMITS, 1, False, started.said.append, Scale(2, "haproxy"), http=True)
    assert started.environment["BACKEND"] == "spmt-http"
    assert "--scale spmt-http=2 spmt-http haproxy probe-1 probe-2 probe-haproxy" in started.up
    assert [what.partition(";")[0] for what in started.asked] == [
        "spmt-http answers no request",
        "spmt-http answers no request",
        "haproxy hands no request on to spmt-http",
    ]
    assert "run" not in [one[0] for one in started.commands], "no line is sent through it"
    assert sum(line.startswith("at work: ") for line in started.said) == 1
    (typed,) = (line for line in started.said if line.startswith("the same without this: "))
    assert "MORE_TARGETS=spmt-http PROTOCOL=http docker compose up" in typed


def test_a_gateway_is_shown_the_key_and_a_person_is_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    of_gateway = {"scale": Scale(1, "envoy"), "admission": Admission(50.0, "a-key")}
    by_hand.up(["spmt"], LIMITS, 1, False, started.said.append, http=True, **of_gateway)
    assert (started.environment["RATE_LIMIT"], started.environment["API_KEY"]) == ("50", "a-key")
    # The server itself asks for none.
    assert started.keys == ["", "a-key"]
    (typed,) = (line for line in started.said if line.startswith("at work: "))
    assert "-H 'X-Api-Key: a-key'" in typed


def test_lines_are_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    by_hand.up(["spmt"], LIMITS, 1, False, started.said.append)
    assert started.built == ["spmt", "locust", "probe"]
    assert not {"MORE_TARGETS", "PROTOCOL"} & started.environment.keys()
    assert started.asked == []


def test_what_scales_by_hand_finds_those_that_speak_http(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["1 spmt-http t-spmt-http-1", "2 spmt-http t-spmt-http-2", "3 spst t-spst-1", "4 spst-http t-spst-http-1"]
    monkeypatch.setattr(by_hand, "_compose", lambda *_: "\n".join(lines))
    found = by_hand.containers("spmt")
    assert (found.service, found.ids) == ("spmt-http", (("1", "spmt-http-1"), ("2", "spmt-http-2")))
    assert by_hand.containers("spst").ids == (("3", "spst"),)


@pytest.mark.parametrize(("http", "more"), [(False, ()), (True, ("--protocol", "http"))])
def test_behind_it_and_on_a_swarm_the_model_keeps_its_name(http: bool, more: tuple[str, ...]) -> None:
    run = Run("by-hand", "threadmill", "1:1", 1)
    trial = behind_by_hand.trial_of("spmt", LIMITS, '{"postgres":{"cpus":0.4}}', Machine(4, 2**33), http)
    overlay = Machine(2, 4096 * MIB, ("overlay",))
    behind = behind_by_hand.stack_of(run, trial)
    swarm = swarm_by_hand.stack_of(["spmt"], LIMITS, 1, "1:1", overlay, http)
    for stack, image in ((behind, "threadmill/spmt-behind"), (swarm, "threadmill/spmt")):
        server = stack.service("spmt")
        assert server.image == ("threadmill/spmt-http" if http else image)
        assert server.environment.get("FACE") == ("http" if http else None)
        assert stack.service(MASTER).environment["TARGETS"] == "spmt"
        assert stack.service(MASTER).command == ("--master", "--web-port", "8089", *more)
