"""What is behind as one process sees it, with a store of the test's own in place of a driver's."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servers.behind import process
from servers.behind.addresses import Place
from servers.behind.failures import REFUSED, TIMEOUT, UNREACHABLE, BackendError, of_system
from servers.behind.process import Behind, opened
from servers.behind.steps import DATABASE
from servers.behind.values import value_of
from servers.conversation import Errand
from servers.protocol import Ask

ENVIRONMENT = {"BEHIND": "postgres", "BEHIND_WRITE": "127.0.0.1:1", "VALUE_BYTES": "20"}
READ = Ask("read", 7, None)
PROJECT = Path(__file__).resolve().parents[4]
SERVE_NOTHING = """
import sys
from servers import conversation, lifecycle, models, protocol, server
for name in models.SERVERS:
    if not models.traits_of(name).package:
        models.load(name)
assert lifecycle.what_is_behind("spst", 2) is None
assert protocol.parse(b"!read=7\\n").asks
print(*[name for name in sys.modules if name.split(".")[0] in {drivers} or name.startswith("servers.behind")])
"""
DRIVERS = {"psycopg", "valkey", "pika", "aio_pika", "aiormq", "nats"}


class Face:
    """A driver: each connection is the id of the process that made it and a number."""

    def __init__(self) -> None:
        self.made = 0
        self.closed: list[Any] = []
        self.fails: Exception | None = None

    def connect(self, place: Place) -> Any:
        self.made += 1
        return os.getpid(), self.made

    def close(self, connection: Any) -> None:
        self.closed.append(connection)

    def failure(self, error: Exception, connection: Any) -> BackendError:
        return error if isinstance(error, BackendError) else of_system(error)

    def read(self, connection: Any, key: int) -> tuple[int, str]:
        if self.fails:
            raise self.fails
        assert connection[0] == os.getpid()
        return 1, value_of(key, 1, 20)


class AioFace(Face):
    async def connect(self, place: Place) -> Any:
        return super().connect(place)

    async def close(self, connection: Any) -> None:
        super().close(connection)

    async def read(self, connection: Any, key: int) -> tuple[int, str]:
        return super().read(connection, key)


@pytest.fixture(params=[False, True], ids=["threads", "loop"])
def behind(request: pytest.FixtureRequest) -> Behind:
    found = opened(ENVIRONMENT, request.param, 3)
    assert found is not None
    return with_face(found, AioFace() if request.param else Face())


def with_face(found: Behind, face: Face) -> Behind:
    found._stores[DATABASE] = found._store(face, [Place(("127.0.0.1", 1))])
    return found


def face_of(found: Behind) -> Any:
    return found._stores[DATABASE]._face


def ask(found: Behind, wanted: Ask = READ) -> bytes:
    errand = Errand(wanted)
    if found._loop:
        asyncio.run(found.do_in_loop(errand))
    else:
        found.do(errand)
    return errand.reply


def test_nothing_is_connected_before_it_is_needed_and_a_connection_is_used_again(behind: Behind) -> None:
    assert face_of(behind).made == 0
    assert [ask(behind), ask(behind)] == [b"", b""]
    assert face_of(behind).made == 1
    assert behind.counts.totals()["connects"] == 1


@pytest.mark.parametrize(
    ("error", "reply", "is_thrown_away"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), b"unreachable: Connection reset by peer", True),
        (TimeoutError(), b"timeout: no answer within 2 s", True),
        (BackendError(REFUSED, "read only\nfor now", broken=False), b"refused: read only for now", False),
        (ValueError("odd"), b"refused: ValueError: odd", True),
    ],
)
def test_a_failure_is_answered_and_counted_by_name_and_the_next_request_goes_on(
    behind: Behind, error: Exception, reply: bytes, is_thrown_away: bool
) -> None:
    ask(behind)
    face_of(behind).fails = error
    assert ask(behind) == b"!error backend " + reply + b"\n"
    face_of(behind).fails = None
    assert ask(behind) == b""
    assert (face_of(behind).made, len(face_of(behind).closed)) == ((2, 1) if is_thrown_away else (1, 0))
    assert sum(behind.counts.totals()["errors"].values()) == 1  # type: ignore[attr-defined]


def test_a_child_has_connections_of_its_own_and_counts_in_its_row(behind: Behind) -> None:
    ask(behind)
    child = os.fork()
    if child == 0:
        own = behind.in_child(2)
        with_face(own, face_of(behind))
        os._exit(0 if ask(own) == b"" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(behind) == b""
    assert behind.counts.totals()["reads"] == 3
    assert behind.counts.totals()["connects"] == 2


def test_those_that_answer_reads_are_asked_in_turn() -> None:
    found = opened({**ENVIRONMENT, "BEHIND_READ": "127.0.0.1:2,127.0.0.1:3"}, False, 1)
    assert found is not None
    asked: list[int] = []

    class Noting(Face):
        def connect(self, place: Place) -> Any:
            asked.append(place.port)
            return super().connect(place)

    found._stores[DATABASE] = found._store(
        Noting(), [Place(("127.0.0.1", 1))], [Place(("127.0.0.1", port)) for port in (2, 3)]
    )
    assert [ask(found) for _ in range(4)] == [b""] * 4
    assert sorted(asked) == [2, 3]


def test_a_name_that_is_not_known_is_unreachable() -> None:
    found = opened({**ENVIRONMENT, "BEHIND_WRITE": "nobody.invalid:1"}, False, 1)
    assert found is not None
    assert ask(found).startswith(b"!error backend unreachable: nobody.invalid: ")


def test_a_place_that_is_doubted_is_looked_up_again_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(("localhost", 1))
    assert place.ip() == "127.0.0.1"
    monkeypatch.setattr("servers.behind.addresses.socket.getaddrinfo", lambda *_: [(0, 0, 0, "", ("10.0.0.9", 1))])
    place.doubt()
    assert place.ip() == "127.0.0.1"
    monkeypatch.setattr("servers.behind.addresses.AGAIN_S", 0.0)
    place._not_before = 0.0
    assert place.ip() == "10.0.0.9"


@pytest.mark.parametrize(
    ("error", "name"),
    [(TimeoutError(), TIMEOUT), (ConnectionRefusedError(), UNREACHABLE), (RuntimeError(), REFUSED)],
)
def test_errors_of_sockets_have_their_names(error: Exception, name: str) -> None:
    assert of_system(error).name == name


def test_without_behind_nothing_of_it_is_imported() -> None:
    program = SERVE_NOTHING.format(drivers=DRIVERS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEHIND")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT, env=environment
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("kind", process.KINDS)
@pytest.mark.parametrize("loop", [False, True], ids=["threads", "loop"])
def test_every_kind_has_a_driver_for_threads_and_for_a_loop(kind: str, loop: bool) -> None:
    found = opened({"BEHIND": kind, "BEHIND_WRITE": "a:1", "BEHIND_CACHE": "b:2"}, loop, 1)
    assert found is not None
    assert (found.kind, found.verbs) == (kind, process.KINDS[kind])
    methods = (
        {"read", "write", "scan"} if kind == "postgres" else {"get", "put", "replace", "acquire", "delete", "size"}
    )
    wanted = {"send"} if found.verbs == ("send",) else methods
    assert wanted <= {name for store in found._stores.values() for name in dir(store._face)}
