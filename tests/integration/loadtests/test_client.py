"""The client against servers that do what servers should not do."""

import socket
import time

import gevent
import pytest

from loadtests import replies
from loadtests.client import EchoClient, resolve
from loadtests.replies import EchoError
from loadtests.wire.lines import Lines
from tests.integration.loadtests import rigged
from tests.waiting import wait_until

LINE = b"!sleep=5 hello its first\n"


@pytest.fixture
def connect():
    """Connect a client to a port; closed at the end."""
    clients = []

    def connected(port, reply_timeout_s=5.0):
        client = EchoClient(lambda: resolve("127.0.0.1", port), Lines(), reply_timeout_s)
        client.connect()
        clients.append(client)
        return client

    yield connected
    for client in clients:
        client.close()


@pytest.mark.parametrize("handler", [rigged.echo, rigged.in_single_bytes], ids=["whole", "byte by byte"])
def test_an_echo_is_right_however_it_is_cut_into_segments(connect, handler):
    with rigged.rigged(handler) as server:
        client = connect(server.port)
        client.round_trip(LINE)
        client.round_trip(b"another\n")
        assert server.lines == [LINE, b"another\n"]


def test_a_line_larger_than_every_buffer_comes_back(connect):
    with rigged.rigged(rigged.echo) as server:
        line = b"x" * 5_000_000 + b"\n"
        connect(server.port).round_trip(line)
        assert server.lines == [line]


@pytest.mark.parametrize(
    ("handler", "kind", "answered"),
    [
        (rigged.lie, "bad_echo", True),
        (rigged.echo_twice, "bad_echo", True),
        (rigged.close, "eof", False),
        (rigged.close_in_the_middle, "eof", False),
        (rigged.reset, "reset", False),
        (rigged.refuse, "refused", True),
    ],
)
def test_each_way_to_fail_has_its_name(connect, handler, kind, answered):
    with rigged.rigged(handler) as server:
        client = connect(server.port)
        with pytest.raises(EchoError) as caught:
            client.round_trip(LINE)
        assert (caught.value.kind, caught.value.answered) == (kind, answered)


def test_the_text_of_a_failure_never_varies_since_locust_counts_by_it(connect):
    with rigged.rigged(rigged.refuse) as server:
        with pytest.raises(EchoError) as caught:
            connect(server.port).round_trip(LINE)
        assert str(caught.value) == "refused: the server answered !error"
        assert caught.value.detail == "server full"


def test_a_stale_reply_is_a_bad_echo(connect):
    with rigged.rigged(rigged.repeat_the_first()) as server:
        client = connect(server.port)
        client.round_trip(b"one\n")
        with pytest.raises(replies.BadEchoError):
            client.round_trip(b"two\n")


def test_nobody_listening_is_a_failure_to_connect():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = EchoClient(lambda: resolve("127.0.0.1", port), Lines(), 1.0)
    with pytest.raises(replies.ConnectError) as caught:
        client.connect()
    assert caught.value.detail == "Connection refused"
    assert not client.connected


def test_silence_after_an_earlier_reply_times_out_in_time(connect):
    with rigged.rigged(rigged.fall_silent()) as server:
        client = connect(server.port, reply_timeout_s=0.2)
        client.round_trip(b"one\n")
        # Idle time between requests is not the server's silence.
        gevent.sleep(0.35)
        began = time.monotonic()
        with pytest.raises(replies.SilenceError):
            client.round_trip(b"two\n")
        assert 0.19 < time.monotonic() - began < 2


def test_before_the_first_reply_a_client_waits_without_a_timeout(connect):
    with rigged.rigged(rigged.say_nothing) as server:
        client = connect(server.port, reply_timeout_s=0.01)
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.5):
            client.round_trip(LINE)


def test_a_client_can_connect_again_after_a_failure(connect):
    with rigged.rigged(rigged.echo) as server:
        client = connect(server.port)
        client.close()
        client.close()
        with pytest.raises(replies.ConnectError):
            client.round_trip(LINE)
        client.connect()
        client.round_trip(LINE)


def test_waiting_for_a_reply_lets_other_users_go_on(connect):
    with rigged.rigged(rigged.say_nothing) as silent, rigged.rigged(rigged.echo) as server:
        starved = gevent.spawn(connect(silent.port).round_trip, LINE)
        connect(server.port).round_trip(LINE)
        assert not starved.ready()
        starved.kill()


def test_a_user_gives_way_to_the_others_even_when_its_reply_is_there_already(connect):
    """Otherwise one user goes round while the replies to the others lie unread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = connect(listener.getsockname()[1])
        connection, _peer = listener.accept()
        with connection:
            connection.sendall(LINE)
            # On loopback what was sent has arrived.
            others = gevent.spawn(int)
            client.round_trip(LINE)
            assert others.ready()


def test_the_load_side_closes_first(connect):
    """So that TIME_WAIT is the load's and never fills the server's table."""
    with rigged.rigged(rigged.echo) as server:
        client = connect(server.port)
        client.round_trip(LINE)
        client.close()
        (connection,) = server.connections
        # This server closes its side only after the end of the stream from ours.
        wait_until(lambda: connection.fileno() == -1, "the server to see the end")
