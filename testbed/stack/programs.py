"""Run other programs so that they never outlive us: a Ctrl-C or a failure elsewhere ends them, and we wait for that.

Standard library only: the set-up uses it before there is a virtual environment.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

# mmdebstrap unmounts and removes a directory tree before it goes; anything else ends within a second.
PATIENCE_S = 20


class CommandFailed(Exception):
    """A program ended with an exit code other than 0. `lines` is what it printed, standard error included."""

    def __init__(self, command: Sequence[str], exit_code: int, lines: Sequence[str]) -> None:
        self.lines = [line for line in lines if line.strip()]
        last = self.lines[-1].strip() if self.lines else "no reason given"
        super().__init__(f"`{' '.join(command[:3])}` failed with exit code {exit_code}: {last}")


class Interrupted(Exception):
    """Commands are being stopped: this one was not started."""


class Commands:
    """The programs that run on behalf of one caller, from any of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(
        self,
        command: Sequence[str],
        on_line: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Run to the end, hand over each line as it comes, and return all of them. CommandFailed, Interrupted."""
        process = self.start(command, environment)
        lines = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if on_line is not None:
                    on_line(lines[-1])
            process.wait()
        finally:
            self.end(process)
        if process.returncode != 0:
            raise CommandFailed(command, process.returncode, lines)
        return lines

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start it with its output in a pipe. The caller owes an end()."""
        with self._lock:
            if self._stopped:
                raise Interrupted
            # No terminal to ask questions at: what wants an answer fails instead of waiting unseen. A session of its
            # own, so that a Ctrl-C reaches it once, from here, together with whatever it has started itself.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def end(self, process: "subprocess.Popen[str]") -> None:
        """See to it that it has ended. Idempotent."""
        with self._lock:
            self._running.discard(process)
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            _wait(process)
        if process.stdout is not None:
            process.stdout.close()

    def stop(self) -> None:
        """End everything that runs and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        for process in running:
            _wait(process)


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _wait(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()
