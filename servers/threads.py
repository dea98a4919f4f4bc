"""A pool of threads, made at start and replaced when one dies; the main thread only waits for signals."""

import signal
from collections.abc import Callable
from threading import Thread

from servers import logs
from servers.counters import Tenure
from servers.server import STOP_SIGNALS, Server

# How soon a dead thread is replaced; also what keeps one that dies at once from being made in a busy loop.
_LOOK_S = 1.0


def supervise(server: Server, serve: Callable[[Server], None]) -> None:
    """Keep THREADS threads that each run ``serve`` on the shared listener, until the server drains."""
    # Blocked before the threads exist, so in them too: a signal waits until it is asked for here.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    pool: list[_PoolThread] = []
    while not server.draining:
        for thread in [thread for thread in pool if not thread.is_alive()]:
            pool.remove(thread)
            thread.tenure.end()
            server.counters.release(thread.tenure.row)
            server.count_replaced()
            logs.info(f"{thread.name} died: replaced")
        try:
            while len(pool) < server.config.threads:
                pool.append(_PoolThread(server, serve))
        except (OSError, RuntimeError) as failure:
            logs.info(f"cannot start a thread: {failure}")
        if signal.sigtimedwait(STOP_SIGNALS, _LOOK_S) is not None:
            server.stop()


class _PoolThread(Thread):
    """Started when made. Counts in a row of its own. Raises OSError or RuntimeError if there can be no more."""

    def __init__(self, server: Server, serve: Callable[[Server], None]) -> None:
        row = server.counters.claim()
        self.tenure = Tenure(server.counters, "thread", len(server.workers) + 1, row)
        super().__init__(name=f"thread {self.tenure.number}", daemon=True)
        self._server, self._serve = server, serve
        try:
            self.start()
        except RuntimeError:
            server.counters.release(row)
            raise
        server.workers.append(self.tenure)

    def run(self) -> None:
        try:
            self._server.count_in(self.tenure.row)
            self._serve(self._server)
        except BaseException:  # noqa: BLE001 - the main thread starts another
            logs.failure(f"{self.name} failed")
        finally:
            self._server.count_this_thread()
