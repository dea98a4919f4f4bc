"""Forking, signalling and reaping the child processes of a server."""

import contextlib
import os
import signal
from _signal import pthread_sigmask  # type: ignore[import-not-found]
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from servers import logs
from servers.counters import Tenure

if TYPE_CHECKING:
    from typing import Protocol

    from servers.counters import Counters

    class Process(Protocol):
        """What children need of the process that makes them; ``server.Server`` is one."""

        counters: Counters
        draining: bool

        def become_child(self, row: int) -> None: ...
        def finish(self) -> None: ...


_T = TypeVar("_T")
# Blocked around a fork: no handler sees a half-registered child, and no child runs its parent's handlers. Not by way of
# signal.pthread_sigmask, which makes an enum of each signal, on pages that then have to be copied.
FORK_SIGNALS = tuple(int(signum) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM))
_BLOCK, _SET = int(signal.SIG_BLOCK), int(signal.SIG_SETMASK)
_WAIT_S = 0.1
_LIKELY_CAUSES: dict[int, str] = {signal.SIGKILL: " (out of memory?)", signal.SIGSEGV: " (a crash in native code)"}


class Death(NamedTuple):
    pid: int
    how: str  # "" for a clean exit


class Children:
    """The children of one process. Everything but ``fork`` and ``wait`` may run in a signal handler."""

    def __init__(self, server: "Process") -> None:
        self._server = server
        self._rows: dict[int, int] = {}  # of the counters, by process id
        self._tenures: dict[int, Tenure] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def tenure(self, pid: int) -> Tenure:
        """The counts of a worker that has not been reaped."""
        return self._tenures[pid]

    def fork(self, run: Callable[[_T], None], argument: _T, *, worker: bool = True) -> int:
        """Start a child that does ``run(argument)`` and then exits; returns its process id.

        A worker's counts are its own; a child that is none inherits an open connection, which is counted in its row
        from the first moment. Raises OSError if there can be no child.
        """
        server, counters = self._server, self._server.counters
        mask = pthread_sigmask(_BLOCK, FORK_SIGNALS)
        try:
            row = counters.claim()
            tenure = Tenure(counters, "pid", 0, row) if worker else None
            if not worker:
                counters.set_open(row, 1)
            try:
                pid = os.fork()
            except OSError:
                counters.release(row)
                raise
            if pid == 0:
                self._be_child(run, argument, row)
            self._rows[pid] = row
            if tenure is not None:
                counters.ended.has_threads(row, pid)
                tenure.number = pid
                self._tenures[pid] = tenure
            if server.draining:  # the stop came before this child and did not reach it
                os.kill(pid, signal.SIGTERM)
            return pid
        finally:
            pthread_sigmask(_SET, mask)

    def _be_child(self, run: Callable[[_T], None], argument: _T, row: int) -> None:
        code = 1
        try:
            self._server.become_child(row)
            pthread_sigmask(_SET, ())
            run(argument)
            self._server.finish()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must not reach the parent's code
            logs.failure(f"process {os.getpid()} failed")
        finally:
            os._exit(code)  # never back into the parent's stack

    def reap(self) -> list[Death]:
        """Collect every child that has ended, without waiting. Strays that PID 1 inherits are collected too.

        Returns those that did not end well, and every worker.
        """
        ended = self._server.counters.ended
        ended.begin_reaping()
        try:
            return self._reap()
        finally:
            ended.end_reaping()

    def _reap(self) -> list[Death]:
        deaths: list[Death] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return deaths
            if pid == 0:
                return deaths
            self._server.counters.ended.reaped(pid)
            row = self._rows.get(pid)
            if row is None:
                continue
            if status:
                # The dead child was the row's only writer.
                self._server.counters.add(row, errors=1)
            if status or pid in self._tenures:
                deaths.append(Death(pid, describe(status)))
            self._end(pid)

    def _end(self, pid: int) -> None:
        row = self._rows.pop(pid, None)
        if row is not None:
            if (tenure := self._tenures.pop(pid, None)) is not None:
                tenure.end()
                self._server.counters.ended.clear(row, pid)
            self._server.counters.release(row)

    def on_child_signal(self, *_: object) -> None:
        """Handler of SIGCHLD."""
        for death in self.reap():
            if death.how:
                logs.info(f"process {death.pid} {death.how}")

    def send(self, signum: signal.Signals) -> None:
        _send(list(self._rows), signum)

    def kill(self) -> None:
        """Kill and reap every child, saying so if there is any."""
        if self._rows:
            logs.info(f"{len(self._rows)} processes did not stop: killed")
        self.send(signal.SIGKILL)
        ended = self._server.counters.ended
        ended.begin_reaping()
        for pid in list(self._rows):
            with contextlib.suppress(ChildProcessError):  # reaped by the code this handler interrupted
                os.waitpid(pid, 0)
                ended.reaped(pid)
            self._end(pid)
        ended.end_reaping()

    def wait(self) -> None:
        """Reap until no child is left."""
        if not self._rows:  # the child of one connection, which is charged for every step it takes
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        while True:
            self.on_child_signal()
            if not self._rows:
                return
            signal.sigtimedwait({signal.SIGCHLD}, _WAIT_S)


def describe(status: int) -> str:
    """How a process ended that should not have: what ``waitpid`` says in words, "" for exit code 0."""
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        try:
            name = signal.Signals(signum).name
        except ValueError:
            name = f"signal {signum}"
        cause = _LIKELY_CAUSES.get(signum, "")
        return f"was killed by {name}{cause}"
    code = os.waitstatus_to_exitcode(status)
    return f"exited with code {code}" if code else ""


def _send(pids: Iterable[int], signum: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # reaped in the meantime
            os.kill(pid, signum)
