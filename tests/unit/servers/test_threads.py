"""A pool thread that dies, which no client can bring about."""

import signal
import threading

import pytest

from servers import threads
from servers.config import read_config
from servers.counters import Counters
from servers.face import LINES
from servers.listener import open_listener
from servers.server import Server

pytestmark = pytest.mark.timeout(30)


def test_a_dead_thread_is_replaced_and_counted_and_keeps_its_counts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threads, "_LOOK_S", 0.01)
    main = threading.get_ident()
    config = read_config({"THREADS": "2"}, cpus=1.0)
    done = threading.Event()
    runs: list[int] = []

    def serve(server: Server) -> None:
        row = server._thread_rows[threading.get_ident()]
        server.counters.add(row, accepted=1, served=10)
        runs.append(row)
        if len(runs) == 1:
            raise SystemExit
        if len(runs) == 3:
            signal.pthread_kill(main, signal.SIGTERM)
        done.wait()

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with open_listener("127.0.0.1", 0, 16) as listener:
        server = Server("thread-pool", config, listener, Counters(rows=4), face=LINES)
        try:
            threads.supervise(server, serve)
        finally:
            done.set()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    totals = server.counters.totals()
    assert (totals.replaced, totals.accepted, totals.served) == (1, 3, 30)
    assert [worker.counts() for worker in server.workers] == [
        {"thread": number, "accepted": 1, "served": 10} for number in (1, 2, 3)
    ]
    assert "thread 1 died: replaced" in capfd.readouterr().out


def test_threads_that_cannot_be_started_are_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threads, "_LOOK_S", 0.01)
    main = threading.get_ident()
    tries: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        tries.append(thread)
        if len(tries) == 3:
            signal.pthread_kill(main, signal.SIGTERM)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with open_listener("127.0.0.1", 0, 16) as listener:
        server = Server("thread-pool", read_config({}, cpus=1.0), listener, Counters(rows=2), face=LINES)
        try:
            threads.supervise(server, lambda _: None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert server.counters.totals().replaced == 0
    assert capfd.readouterr().out.count("cannot start a thread: can't start new thread") == 3
