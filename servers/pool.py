"""A pool of worker processes, forked before any thread exists and replaced when one dies."""

import signal
import time
from collections.abc import Callable

from servers import logs
from servers.server import STOP_SIGNALS, Server

# A worker that dies at once would otherwise be forked in a busy loop, at the expense of the others.
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 2.0
_STABLE_S = 5.0
_WAKE_S = 1.0


def supervise(server: Server, serve: Callable[[Server], None], own_sockets: bool = False) -> None:
    """Keep WORKERS processes that each run ``serve``, until the server drains.

    They share the listener. With ``own_sockets`` each has one of ``server.listeners`` to itself. This process keeps all
    of them open: whoever replaces a dead worker takes over its socket, with all that waits there.
    """
    # This process only waits for signals: blocked and waited for, none can come at the wrong moment.
    signals = STOP_SIGNALS | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    started: dict[int, tuple[float, int]] = {}  # when, and in which place, by process id
    vacant = list(range(server.config.workers))
    backoff_s, not_before = _FIRST_BACKOFF_S, 0.0

    def work(place: int) -> None:
        if own_sockets:
            server.accept_on(place)
        serve(server)

    while not server.draining:
        now = time.monotonic()
        while vacant and now >= not_before:
            try:
                pid = server.children.fork(work, vacant[0])
                server.workers.append(server.children.tenure(pid))
                started[pid] = now, vacant.pop(0)
            except OSError as failure:
                logs.info(f"cannot start a worker: {failure.strerror}")
                not_before = now + backoff_s
                backoff_s = min(2 * backoff_s, _LAST_BACKOFF_S)
        received = signal.sigtimedwait(signals, max(0.0, not_before - now) if vacant else _WAKE_S)
        if received is not None and received.si_signo in STOP_SIGNALS:
            server.stop()
        for death in server.children.reap():
            now = time.monotonic()
            began, place = started.pop(death.pid)
            stable = now - began >= _STABLE_S
            backoff_s = _FIRST_BACKOFF_S if stable else min(2 * backoff_s, _LAST_BACKOFF_S)
            if not server.draining:
                server.count_replaced()
                vacant.append(place)
                not_before = now + backoff_s
                logs.info(f"worker {death.pid} {death.how or 'exited'}: replaced in {backoff_s:g} s")
