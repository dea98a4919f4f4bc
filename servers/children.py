"""Forking, signalling and reaping the child processes of a server."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from servers import logs
from servers.counters import Tenure

if TYPE_CHECKING:
    from servers.server import Server

# Blocked around a fork: no handler sees a half-registered child, and no child runs its parent's handlers.
FORK_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM})
_WAIT_S = 0.1
_LIKELY_CAUSES: dict[int, str] = {signal.SIGKILL: " (out of memory?)", signal.SIGSEGV: " (a crash in native code)"}


class Death(NamedTuple):
    pid: int
    how: str  # "" for a clean exit


class Children:
    """The children of one process. Everything but ``fork`` and ``wait`` may run in a signal handler."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._tenures: dict[int, Tenure] = {}

    def __len__(self) -> int:
        return len(self._tenures)

    def tenure(self, pid: int) -> Tenure:
        """The counts of a child that has not been reaped."""
        return self._tenures[pid]

    def fork(self, run: Callable[[], None], open_connections: int = 0) -> int:
        """Start a child that does ``run`` and then exits; returns its process id. Raises OSError if there can be none.

        ``open_connections`` are the ones the child inherits, counted as open in its row from the first moment.
        """
        counters = self._server.counters
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_SIGNALS)
        try:
            row = counters.claim()
            counters.set_open(row, open_connections)
            tenure = Tenure(counters, "pid", 0, row)
            parent_pid = os.getpid()
            try:
                pid = os.fork()
            except OSError:
                counters.release(row)
                raise
            if pid == 0:
                self._be_child(run, row, parent_pid)
            tenure.number = pid
            self._tenures[pid] = tenure
            if self._server.draining:  # the stop came before this child and did not reach it
                os.kill(pid, signal.SIGTERM)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _be_child(self, run: Callable[[], None], row: int, parent_pid: int) -> None:
        code = 1
        try:
            self._server.become_child(row, parent_pid)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            run()
            self._server.finish()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must not reach the parent's code
            logs.failure(f"process {os.getpid()} failed")
        finally:
            os._exit(code)  # never back into the parent's stack

    def reap(self) -> list[Death]:
        """Collect every child that has ended, without waiting. Strays that PID 1 inherits are collected too."""
        deaths: list[Death] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return deaths
            if pid == 0:
                return deaths
            tenure = self._tenures.get(pid)
            if tenure is None:
                continue
            death = Death(pid, describe(status))
            if death.how:
                # The dead child was the row's only writer.
                self._server.counters.add(tenure.row, errors=1)
            self._end(pid)
            deaths.append(death)

    def _end(self, pid: int) -> None:
        tenure = self._tenures.pop(pid, None)
        if tenure is not None:
            tenure.end()
            self._server.counters.release(tenure.row)

    def on_child_signal(self, *_: object) -> None:
        """Handler of SIGCHLD."""
        for death in self.reap():
            if death.how:
                logs.info(f"process {death.pid} {death.how}")

    def send(self, signum: signal.Signals) -> None:
        _send(list(self._tenures), signum)

    def kill(self) -> None:
        """Kill and reap every child, saying so if there is any."""
        if self._tenures:
            logs.info(f"{len(self._tenures)} processes did not stop: killed")
        self.send(signal.SIGKILL)
        for pid in list(self._tenures):
            with contextlib.suppress(ChildProcessError):  # reaped by the code this handler interrupted
                os.waitpid(pid, 0)
            self._end(pid)

    def wait(self) -> None:
        """Reap until no child is left."""
        if not self._tenures:  # the child of one connection, which is charged for every step it takes
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        while True:
            self.on_child_signal()
            if not self._tenures:
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
