"""A listening socket for each worker: who waits for whom, and what becomes of those who wait."""

import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from probe import listeners
from probe.listeners import Queue
from tests.integration.servers.running import Client, Running, server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
MODEL = "prefork-reuseport"
LISTENS = "0A"


def clients_of(worker: psutil.Process) -> set[int]:
    """The ports of the clients that this worker has accepted."""
    return {one.raddr.port for one in worker.net_connections("tcp") if one.raddr}


def sockets_of(worker: psutil.Process) -> dict[str, int]:
    """How many connections wait in each listening socket that the process has open, by the socket's inode."""
    open_here = set()
    for entry in Path(f"/proc/{worker.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed in the meantime
            open_here.add(str(entry.readlink()))
    rows = [line.split() for line in Path(f"/proc/{worker.pid}/net/tcp").read_text(encoding="ascii").splitlines()]
    return {row[9]: int(row[4][9:], 16) for row in rows if row[3] == LISTENS and f"socket:[{row[9]}]" in open_here}


def readable(client: Client) -> bool:
    return bool(select.select([client.sock], [], [], 0)[0])


class Held:
    """Two workers, one of which has a client that stays."""

    def __init__(self, running: Running, stack: ExitStack) -> None:
        self.running = running
        self._stack = stack
        wait_until(lambda: len(running.children()) == 2, "two workers")
        self.client = stack.enter_context(running.connect())
        assert self.client.ask(b"busy\n") == b"busy\n"
        port = self.client.sock.getsockname()[1]
        workers = running.children()
        (self.worker,) = (one for one in workers if port in clients_of(one))
        (self.idle,) = (one for one in workers if one != self.worker)

    def waiting(self) -> int:
        (queue,) = sockets_of(self.worker).values()
        return queue

    def comes(self) -> tuple[Client, bool]:
        """A client that has just connected, and whether it waits behind the one that stays."""
        before = self.waiting()
        client = self._stack.enter_context(self.running.connect())
        port = client.sock.getsockname()[1]
        # Nobody accepts from the queue of the busy worker; who is turned away by the idle one can read that.
        wait_until(lambda: self.waiting() > before or port in clients_of(self.idle) or readable(client), "the client")
        return client, self.waiting() > before

    def behind(self) -> Client:
        """A client that waits behind the one that stays; the idle worker is idle again."""
        while True:
            client, waits = self.comes()
            if waits:
                return client
            client.close()
            wait_until(lambda: not clients_of(self.idle), "the worker to be idle again")

    def elsewhere(self) -> Client:
        """A client that has come to the idle worker. Who came to the other one before it waits there."""
        while True:
            client, waits = self.comes()
            if not waits:
                return client


@pytest.fixture
def held() -> Iterator[Held]:
    with server(MODEL, WORKERS="2") as running, ExitStack() as stack:
        yield Held(running, stack)


def test_a_client_waits_for_its_worker_while_another_has_nothing_to_do(held: Held) -> None:
    waits = held.behind()
    waits.send(b"waits\n")
    assert held.elsewhere().ask(b"served\n") == b"served\n"
    assert held.client.ask(b"still here\n") == b"still here\n"
    assert held.waiting() >= 1
    held.client.close()
    assert waits.line() == b"waits\n"


def test_every_worker_accepts_on_a_socket_that_no_other_worker_has() -> None:
    with server(MODEL, WORKERS="3", BACKLOG="7") as running:
        wait_until(lambda: len(running.children()) == 3, "three workers")
        wait_until(lambda: all(len(sockets_of(one)) == 1 for one in running.children()), "a socket each")
        assert len({inode for one in running.children() for inode in sockets_of(one)}) == 3
        # What watch shows: over all of them.
        assert listeners.read(running.port) == Queue(0, 21)


def test_connections_are_spread_over_the_workers_and_each_is_counted_by_its_own() -> None:
    with server(MODEL, WORKERS="2") as running:
        for _ in range(64):
            with running.connect() as client:
                assert client.ask(b"x\n") == b"x\n"
        running.stop()
        report = running.report()
    assert (report["accepted"], report["served"]) == (64, 64)
    assert sum(worker["served"] for worker in report["workers"]) == 64
    # 2 in 2^64 that all come to one.
    assert all(worker["accepted"] for worker in report["workers"])


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_who_waits_for_a_worker_that_ends_is_served_by_the_one_that_replaces_it(
    held: Held, signum: signal.Signals
) -> None:
    waits = held.behind()
    waits.send(b"waits\n")
    held.worker.send_signal(signum)
    assert held.client.at_end()
    assert waits.line() == b"waits\n"
    running = held.running
    waits.close()
    running.stop()
    assert running.report()["replaced"] == 1
    assert running.totals()["errors"] == (signum == signal.SIGKILL)


def test_beyond_max_connections_who_comes_to_an_idle_worker_is_told_and_who_comes_to_a_busy_one_waits() -> None:
    with server(MODEL, WORKERS="2", MAX_CONNECTIONS="1") as running, ExitStack() as stack:
        held = Held(running, stack)
        waits, refused = held.behind(), held.elsewhere()
        assert refused.line() == b"!error server is full: 1 connections\n"
        assert refused.at_end()
        waits.send(b"waits\n")
        held.client.close()
        assert waits.line() == b"waits\n"


def test_a_stop_answers_what_is_in_flight_and_ends_those_who_wait(held: Held) -> None:
    waits = held.behind()
    waits.send(b"waits\n")
    held.client.send(b"!sleep=150000 x\n")
    held.running.process.send_signal(signal.SIGTERM)
    assert held.client.line() == b"!sleep=150000 x\n"
    assert held.client.at_end()
    assert waits.at_end()
    assert held.running.stop() == 0


def test_a_second_server_of_this_kind_does_not_take_half_of_the_firsts_clients() -> None:
    with server(MODEL) as running:
        second = Running(MODEL, {"PORT": str(running.port)})
        try:
            assert second.finished() == 2
            (line,) = second.errors
            assert line.startswith(
                f"servers: PORT={running.port}: already in use on 127.0.0.1; stop what listens there"
            )
        finally:
            second.discard()


def test_with_one_worker_there_is_one_socket() -> None:
    with server(MODEL, WORKERS="1", BACKLOG="7") as running:
        assert listeners.read(running.port) == Queue(0, 7)
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"
