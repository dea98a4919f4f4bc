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
    from servers.server import Server

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

    def __init__(self, server: "Server") -> None:
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
        deaths: list[Death] = []
        while True:
            ended = self._wait_for(-1, os.WNOHANG)
            if ended is None:
                return deaths
            pid, status = ended
            row = self._rows.get(pid)
            if row is None:
                continue
            if status:
                # The dead child was the row's only writer.
                self._server.counters.add(row, errors=1)
            if status or pid in self._tenures:
                deaths.append(Death(pid, describe(status)))
            self._end(pid)

    def _wait_for(self, which: int, options: int) -> tuple[int, int] | None:
        """One child that has ended, with its status, once its use is counted. None: there is none."""
        # Nothing else is done in between: whoever reads these counts meanwhile has to wait.
        ended = self._server.counters.ended
        ended.begin_reaping()
        try:
            pid, status, used = os.wait4(which, options)
            if pid:
                ended.process(pid, used, self._rows.get(pid) if pid in self._tenures else None)
        except ChildProcessError:
            return None
        finally:
            ended.end_reaping()
        return (pid, status) if pid else None

    def _end(self, pid: int) -> None:
        row = self._rows.pop(pid, None)
        if row is not None:
            if (tenure := self._tenures.pop(pid, None)) is not None:
                tenure.end()
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
        for pid in list(self._rows):
            self._wait_for(pid, 0)  # None: reaped by the code this handler interrupted, which counts it
            self._end(pid)

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
    """How a process ended that should not have: what ``wait4`` says in words, "" for exit code 0."""
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
