"""Faults on request: who is hit, and that nobody is where they are not allowed."""

import signal

import psutil
import pytest

from servers.models import SERVERS, TABLE
from servers.models.traits import WORKERS
from tests.integration.servers.running import Client, Running, server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
POOLS = tuple(name for name in SERVERS if TABLE[name].pool == WORKERS)
FORKING = (*POOLS, "mpst")


@pytest.mark.parametrize("model", SERVERS)
def test_faults_are_refused_unless_allowed(model: str) -> None:
    with server(model) as running, running.connect() as client:
        for name in (b"segv", b"exit", b"raise", b"oom", b"lie"):
            assert client.ask(b"!crash=" + name + b" x\n") == b"!error crash is refused: ALLOW_FAULTS is not 1\n"
        assert client.ask(b"on\n") == b"on\n"


@pytest.mark.parametrize("model", SERVERS)
def test_a_lie_is_told_and_a_raise_drops_only_its_connection(model: str) -> None:
    with server(model, ALLOW_FAULTS="1") as running:
        for wait in (b"", b"!sleep=1000 "):
            with running.connect() as client:
                assert client.ask(wait + b"!crash=lie abc\n") == wait + b"!crash=lie ab?\n"
                client.send(b"before\n" + wait + b"!crash=raise x\nafter\n")
                assert client.line() == b"before\n"
                assert client.at_end()
        with running.connect() as client:
            assert client.ask(b"on\n") == b"on\n"
        running.stop()
        assert running.totals() == {"accepted": 3, "served": 5, "refused": 0, "errors": 2}
        assert sum("was dropped: AskedForError: !crash=raise" in line for line in running.lines) == 2


@pytest.mark.parametrize("model", SERVERS)
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [(b"segv", -signal.SIGSEGV, r"was killed by SIGSEGV"), (b"exit", 13, r"exited with code 13")],
    ids=["segv", "exit"],
)
def test_a_crash_ends_the_process_that_serves_it(model: str, name: bytes, code: int, words: str) -> None:
    running = Running(model, {"ALLOW_FAULTS": "1"})
    try:
        with running.connect() as client:
            client.send(b"!crash=" + name + b"\n")
            assert client.at_end()
        if model not in FORKING:
            assert running.finished() == code
            return
        running.wait_for_line(words)
        with Client(running.port) as client:
            assert client.ask(b"on\n") == b"on\n"
        assert running.stop() == 0
        assert running.report()["replaced"] == (1 if model in POOLS else 0)
    finally:
        running.discard()


@pytest.mark.parametrize("model", ["spmt", "prefork", "event-loop"])
def test_running_out_of_memory_drops_the_connection_where_the_limit_does_not_kill(model: str) -> None:
    with server(model, ALLOW_FAULTS="1") as running:
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"
        wait_until(lambda: running.shape()[0] == (3 if model in POOLS else 1), "the workers")
        for process in running.children() or [psutil.Process(running.pid)]:
            limit = process.memory_info().vms + (64 << 20)
            process.rlimit(psutil.RLIMIT_AS, (limit, limit))
        with running.connect() as client:
            client.send(b"!crash=oom\n")
            assert client.at_end()
        running.wait_for_line(r"was dropped: MemoryError")
        with running.connect() as client:
            assert client.ask(b"on\n") == b"on\n"
