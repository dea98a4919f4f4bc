"""That each model is what it says, seen from /proc."""

import os
import select
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from tests.integration.servers.running import Client, Running, server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
CLIENTS = 5


def connected(stack: ExitStack, running: Running, clients: int = CLIENTS) -> list[Client]:
    made = [stack.enter_context(running.connect()) for _ in range(clients)]
    for client in made:
        assert client.ask(b"hello\n") == b"hello\n"
    return made


def has_shape(running: Running, processes: int, threads: list[int]) -> None:
    wait_until(lambda: running.shape() == (processes, threads), f"{processes} processes of {threads} threads")


def test_spst_makes_the_second_client_wait_until_the_first_leaves() -> None:
    with server("spst") as running, running.connect() as first, running.connect() as second:
        assert first.ask(b"first\n") == b"first\n"
        second.send(b"second\n")
        for _ in range(20):
            assert first.ask(b"!sleep=1000 first\n") == b"!sleep=1000 first\n"
        assert select.select([second.sock], [], [], 0)[0] == []
        assert running.shape() == (1, [1])
        first.close()
        assert second.line() == b"second\n"


def test_spmt_has_a_thread_per_connection() -> None:
    with server("spmt") as running, ExitStack() as stack:
        connected(stack, running)
        has_shape(running, 1, [CLIENTS + 1])


def test_mpst_has_a_process_per_connection() -> None:
    with server("mpst") as running, ExitStack() as stack:
        connected(stack, running)
        has_shape(running, CLIENTS + 1, [1] * (CLIENTS + 1))


def test_mpmt_has_its_workers_and_a_thread_per_connection_spread_over_them() -> None:
    with server("mpmt", WORKERS="3") as running, ExitStack() as stack:
        wait_until(lambda: running.shape() == (4, [1, 1, 1, 1]), "three workers")
        connected(stack, running, 12)
        processes, threads = running.shape()
        assert processes == 4
        assert threads[-1] == 1  # the parent never serves
        assert sum(threads[:-1]) == 3 + 12

        def two_serve() -> bool:
            """Whom the kernel wakes is its own affair: it may take many clients until it is a second one."""
            if sum(count > 1 for count in running.shape()[1][:-1]) > 1:
                return True
            connected(stack, running, 1)
            return False

        wait_until(two_serve, "a second worker serves")


@pytest.mark.parametrize(
    ("model", "shape"), [("prefork", (4, [1, 1, 1, 1])), ("thread-pool", (1, [4]))], ids=["prefork", "thread-pool"]
)
def test_a_bounded_pool_makes_the_client_after_the_last_worker_wait(model: str, shape: tuple[int, list[int]]) -> None:
    with server(model, WORKERS="3", THREADS="3") as running, ExitStack() as stack:
        clients = connected(stack, running, 3)
        waiting = stack.enter_context(running.connect())
        waiting.send(b"waiting\n")
        for client in clients:
            for _ in range(10):
                assert client.ask(b"!sleep=1000 x\n") == b"!sleep=1000 x\n"
        assert select.select([waiting.sock], [], [], 0)[0] == []
        assert running.shape() == shape
        clients[1].close()
        assert waiting.line() == b"waiting\n"
        assert running.shape() == shape


def test_thread_pool_has_all_its_threads_before_the_first_client() -> None:
    with server("thread-pool", THREADS="7") as running:
        has_shape(running, 1, [8])


@pytest.mark.parametrize("model", ["prefork-event-loop", "prefork-event-loop-uvloop"])
def test_prefork_event_loop_has_its_workers_of_one_thread_and_any_number_of_clients(model: str) -> None:
    with server(model, WORKERS="2") as running, ExitStack() as stack:
        connected(stack, running, 12)
        has_shape(running, 3, [1, 1, 1])


@pytest.mark.parametrize("model", ["event-loop", "event-loop-uvloop"])
def test_event_loop_has_one_thread_for_all(model: str) -> None:
    with server(model) as running, ExitStack() as stack:
        connected(stack, running)
        has_shape(running, 1, [1])


@pytest.mark.parametrize("model", [name for name in SERVERS if TABLE[name].surely_served(Size(5, 5)) != 1])
def test_waits_of_concurrent_clients_overlap(model: str) -> None:
    with server(model, WORKERS="5", THREADS="5") as running, ExitStack() as stack:
        clients = connected(stack, running)
        start = time.monotonic()
        for client in clients:
            client.send(b"!sleep=200000 x\n")
        for client in clients:
            assert client.line() == b"!sleep=200000 x\n"
        assert time.monotonic() - start < CLIENTS * 0.2 - 0.1


def test_mpmt_replaces_a_killed_worker_and_says_why() -> None:
    with server("mpmt") as running:
        wait_until(lambda: len(running.children()) == 2, "two workers")
        victim = running.children()[0]
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"
        has_shape(running, 3, [1, 1, 1])  # the client's thread has ended, so the victim has nothing under way
        victim.send_signal(signal.SIGKILL)
        running.wait_for_line(rf"worker {victim.pid} was killed by SIGKILL \(out of memory\?\): replaced in")
        wait_until(lambda: victim not in (now := running.children()) and len(now) == 2, "a new worker")
        assert running.zombies() == []
        for _ in range(6):
            with running.connect() as client:
                assert client.ask(b"x\n") == b"x\n"
        running.stop()
        assert "[INFO] Workers replaced: 1" in running.lines
        assert running.totals() == {"accepted": 7, "served": 7, "refused": 0, "errors": 1}


def test_mpmt_replaces_a_worker_that_was_asked_to_stop_while_the_others_serve() -> None:
    with server("mpmt") as running:
        wait_until(lambda: len(running.children()) == 2, "two workers")
        victim, other = running.children()
        wait_until(lambda: blocks_in_accept(victim), "the worker to be ready")
        victim.send_signal(signal.SIGTERM)
        running.wait_for_line(rf"worker {victim.pid} exited: replaced in")
        wait_until(lambda: len(running.children()) == 2, "a new worker")
        assert other.is_running()
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"


def blocks_in_accept(process: psutil.Process) -> bool:
    """Whether the process handles SIGTERM itself and has nothing to do."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    term = 1 << (signal.SIGTERM - 1)
    return bool(int(fields["SigCgt"], 16) & term) and not int(fields["SigBlk"], 16) & term


def test_mpst_reaps_a_killed_child_says_so_and_goes_on() -> None:
    with server("mpst") as running, running.connect() as client:
        assert client.ask(b"x\n") == b"x\n"
        (child,) = running.children()
        child.send_signal(signal.SIGKILL)
        running.wait_for_line(rf"process {child.pid} was killed by SIGKILL \(out of memory\?\)")
        assert client.at_end()
        wait_until(lambda: running.shape() == (1, [1]), "the child to be reaped")
        with running.connect() as other:
            assert other.ask(b"y\n") == b"y\n"


@pytest.mark.parametrize("model", ["mpst", "mpmt"])
def test_children_do_not_outlive_a_killed_parent(model: str) -> None:
    running = Running(model, {})
    try:
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"
            assert running.children()
            os.kill(running.pid, signal.SIGKILL)
            running.process.wait()
            wait_until(lambda: running.left_behind() == [], "the children to notice")
    finally:
        running.discard()


@pytest.mark.parametrize("model", ["mpst", "mpmt"])
def test_a_child_that_does_not_stop_is_killed(model: str) -> None:
    with server(model, DRAIN_TIMEOUT="0.2") as running, running.connect() as client:
        assert client.ask(b"x\n") == b"x\n"
        for child in running.children():
            child.suspend()
        assert running.stop() == 0
        assert any("processes did not stop: killed" in line for line in running.lines)
        assert running.totals()["accepted"] == 1
