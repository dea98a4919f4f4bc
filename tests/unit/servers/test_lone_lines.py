"""Lines that come alone, which have a loop of their own: the same conversation, count and drain as for all others."""

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from servers import connection as conversation
from servers import logs
from servers import server as counting
from servers.config import read_config
from servers.connection import RECEIVE_BYTES, SHORT_RECEIVE_BYTES, Connection, converse
from servers.counters import ADDS_IN_ONE_STEP, Counters
from servers.face import LINES
from servers.listener import open_listener
from servers.server import Server

pytestmark = pytest.mark.timeout(30)
Piece = bytes | type[OSError]


class Scripted:
    """A socket that receives these pieces, one for each receive, and then the end; sends at most so much at once."""

    def __init__(
        self, pieces: Iterable[Piece], on_send: Callable[[], object] = bool, sends_bytes: int = 1 << 20
    ) -> None:
        self._pieces, self._on_send, self._sends_bytes = iter(pieces), on_send, sends_bytes
        self.asked: list[int] = []
        self.sent = b""

    def recv(self, size: int, *_: int) -> bytes:
        self.asked.append(size)
        piece = next(self._pieces, b"")
        if isinstance(piece, bytes):
            assert len(piece) <= size
            return piece
        raise piece(11, "nothing came")

    def send(self, data: bytes | memoryview) -> int:
        self._on_send()
        taken = bytes(data[: self._sends_bytes])
        self.sent += taken
        return len(taken)

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def setsockopt(self, *_: object) -> None:
        pass

    def shutdown(self, _: int) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    config = read_config({"HOST": "127.0.0.1", "IDLE_TIMEOUT": "1", "MAX_LINE": "600"}, cpus=1.0)
    with open_listener("127.0.0.1", 0, 16) as listener:
        yield Server("spmt", config, listener, Counters(rows=2), face=LINES)


def talk(server: Server, sock: Scripted) -> Scripted:
    client = Connection(sock, "client")  # type: ignore[arg-type]
    assert server.admit(client)
    converse(server, client, 0.5)
    assert not client.sending
    return sock


@pytest.fixture(params=[True, False], ids=["with the interpreter's lock", "without it"])
def one_step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways of counting; the one without our lock is only right where an interpreter's lock stands in for it."""
    if request.param and not ADDS_IN_ONE_STEP:
        pytest.skip("an interpreter without a lock of its own")
    monkeypatch.setattr(conversation, "ADDS_IN_ONE_STEP", request.param)
    monkeypatch.setattr(counting, "ADDS_IN_ONE_STEP", request.param)
    return bool(request.param)


def test_threads_that_count_in_one_cell_at_once_lose_nothing(server: Server, one_step: bool) -> None:
    lines = 3000
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            # Alone and in pairs, which are counted in another place.
            threading.Thread(target=talk, args=(server, Scripted([b"a\n", b"b\nc\n"] * lines)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert server.counters.totals().served == 6 * 3 * lines


@pytest.mark.skipif(not ADDS_IN_ONE_STEP, reason="an interpreter without a lock of its own")
def test_a_line_is_answered_whoever_holds_the_lock(server: Server) -> None:
    with socket.create_connection(server.listener.getsockname(), 10) as client:
        ours = Connection(*server.listener.accept())
        assert server.admit(ours)
        thread = threading.Thread(target=server.handle, args=(ours,))
        with server._lock:  # an admission that takes its time
            thread.start()
            for _ in range(2):  # the second only once the first is counted
                client.sendall(b"x\n")
                assert client.recv(100) == b"x\n"
        client.shutdown(socket.SHUT_WR)
        thread.join()
    assert server.counters.totals().served == 2


def test_what_is_no_lone_line_is_answered_as_ever_in_between(server: Server, one_step: bool) -> None:
    pieces = [b"a\n", b"!what\n", b"b\n", b"c\nd", b"e\n", b"f\n", b"!spin=1 g\n", b"\n", b"h"]
    sock = talk(server, Scripted(pieces))
    *replies, left = sock.sent.split(b"\n")
    assert replies.pop(1).startswith(b"!error unknown directive")
    assert (replies, left) == ([b"a", b"b", b"c", b"de", b"f", b"!spin=1 g", b""], b"")
    totals = server.counters.totals()
    assert (totals.served, totals.errors) == (7, 2)  # the directive, and the line that was never finished


def test_the_bound_of_a_line_holds_for_one_that_comes_alone(server: Server) -> None:
    whole, long = b"x" * 600 + b"\n", b"x" * 601 + b"\n"
    # The first piece fills the short buffer, so that the others may come in one.
    first = b"y" * SHORT_RECEIVE_BYTES
    sock = talk(server, Scripted([first, b"\n", whole, whole, long, b"a\n"]))
    assert sock.sent.endswith(whole * 2 + b"!error line is longer than 600 bytes\n")
    assert server.counters.totals().errors == 1


def test_a_connection_is_read_by_little_until_that_is_too_little(server: Server) -> None:
    full = b"x" * SHORT_RECEIVE_BYTES
    assert (
        talk(server, Scripted([b"a\n", b"b\n", full, b"\n", b"c\n"])).asked
        == [SHORT_RECEIVE_BYTES] * 3 + [RECEIVE_BYTES] * 3
    )


@pytest.mark.parametrize("sends_bytes", [1, 2, 3])
def test_a_lone_line_sent_by_and_by_is_one_reply(server: Server, sends_bytes: int) -> None:
    sock = talk(server, Scripted([b"abcdef\n", b"gh\n"], sends_bytes=sends_bytes))
    assert sock.sent == b"abcdef\ngh\n"
    assert server.counters.totals().served == 2


@pytest.mark.parametrize(
    ("failure", "words"), [(BlockingIOError, "did not read its replies for 1 s"), (BrokenPipeError, "broke off")]
)
@pytest.mark.parametrize("before", [0, 2])
def test_a_lone_line_that_does_not_get_out_whole_is_not_counted(
    server: Server, failure: type[OSError], words: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(logs, "info", logged.append)
    sends = iter(range(before))

    def fail_in_the_end() -> None:
        if next(sends, None) is None:
            raise failure(11, "it does not take it")

    talk(server, Scripted([b"abcdef\n"], on_send=fail_in_the_end, sends_bytes=3))
    totals = server.counters.totals()
    assert (totals.served, totals.errors) == (0, 1)
    assert len(logged) == 1 and words in logged[0]


def test_a_client_is_idle_from_its_last_line_on(server: Server, one_step: bool) -> None:
    none = BlockingIOError
    sock = talk(server, Scripted([b"a\n", none, b"b\n", b"c\n", none, b"d\n", none, none, b"e\n"]))
    assert sock.sent == b"a\nb\nc\nd\n"
    assert server.counters.totals() == (1, 4, 0, 0, 0)


def test_a_stop_in_mid_reply_counts_it_and_ends_a_client_that_never_pauses(server: Server, one_step: bool) -> None:
    replies = iter(range(1, 1000))

    def stop_at_the_third() -> None:
        server.draining = next(replies) >= 3

    sock = talk(server, Scripted(iter(lambda: b"x\n", None), on_send=stop_at_the_third))
    assert 3 * 2 <= len(sock.sent) <= 5 * 2
    assert server.counters.totals() == (1, len(sock.sent) // 2, 0, 0, 0)
    assert sock.asked[-1] == RECEIVE_BYTES  # the last look is at all that had arrived


def test_every_packet_is_logged_in_one_piece(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, bytes]] = []
    monkeypatch.setattr(logs, "packet", lambda direction, data: logged.append((direction, data)))
    server.config = server.config._replace(packet_log=True)
    sock = talk(server, Scripted([b"a\n", b"x" * 500 + b"\n"]))
    assert [direction for direction, _ in logged] == ["RECV", "SEND"] * 2
    assert set(sock.asked) == {RECEIVE_BYTES}
