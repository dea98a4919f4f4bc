"""A real server process for the length of a ``with`` block, and raw clients for it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil

from tests.waiting import wait_until

TIMEOUT_S = 20.0
STOPPED = re.compile(r"^\[INFO\] Server stopped: accepted (\d+), served (\d+), refused (\d+), errors (\d+)$")


class Running:
    def __init__(self, model: str, env: dict[str, str]) -> None:
        self.model = model
        self.process = subprocess.Popen(
            [sys.executable, "-m", "servers", model],
            env={**os.environ, "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "2", "THREADS": "4", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()
        self._family: set[psutil.Process] = set()

    @staticmethod
    def _read(stream: Iterator[str], lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)

    @property
    def port(self) -> int:
        return int(self.wait_for_line(r"\[INFO\] Server started on port (\d+)$").group(1))

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        def search() -> re.Match[str] | None:
            matches = (re.search(pattern, line) for line in list(self.lines))
            return next((match for match in matches if match), None)

        try:
            return wait_until(search, f"log line {pattern!r} of {self.model}", TIMEOUT_S)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; log: {self.lines[-20:]} {self.errors}") from None

    def connect(self) -> "Client":
        return Client(self.port)

    def children(self) -> list[psutil.Process]:
        found = psutil.Process(self.pid).children(recursive=True)
        self._family.update(found)
        return found

    def rested_children(self) -> list[psutil.Process]:
        """The children, once every thread of theirs waits for something: what they have answered is counted then, which
        in the moment after a reply it need not be."""

        def resting() -> list[psutil.Process]:
            found = self.children()
            return found if all(_waits(child.pid) for child in found) else []

        return wait_until(resting, "children that wait")

    def zombies(self) -> list[int]:
        return [child.pid for child in self.children() if status_of(child) == psutil.STATUS_ZOMBIE]

    def shape(self) -> tuple[int, list[int]]:
        """Number of processes, and the threads of each child, then of the first process last."""
        children = [child for child in self.children() if status_of(child) not in (psutil.STATUS_ZOMBIE, "gone")]
        threads = sorted(threads_of(child) for child in children)
        return len(children) + 1, [*threads, psutil.Process(self.pid).num_threads()]

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.children()
            self.process.send_signal(signum)
        return self.finished()

    def finished(self) -> int:
        """The exit code, once the process has ended and its whole log has been read."""
        code = self.process.wait(TIMEOUT_S)
        for reader in self._readers:
            reader.join(TIMEOUT_S)
        return code

    def totals(self) -> dict[str, int]:
        """The counts in the last line of a stopped server."""
        match = STOPPED.match(self.lines[-1])
        assert match, f"the last line is {self.lines[-1]!r}"
        return dict(zip(("accepted", "served", "refused", "errors"), map(int, match.groups()), strict=True))

    def report(self) -> dict[str, Any]:
        """The exit report, the line before the last one."""
        line = self.lines[-2]
        assert line.startswith("[REPORT] "), f"the last lines are {self.lines[-2:]!r}"
        report: dict[str, Any] = json.loads(line.removeprefix("[REPORT] "))
        return report

    def left_behind(self) -> list[psutil.Process]:
        return [process for process in self._family if process.is_running()]

    def discard(self) -> None:
        if self.process.poll() is None:
            self.children()
            self.process.kill()
            self.process.wait()
        for process in self.left_behind():
            process.kill()


@contextmanager
def server(model: str, **env: str) -> Iterator[Running]:
    """A running server, stopped and checked for leftovers at the end of a block that succeeded."""
    running = Running(model, env)
    try:
        assert running.port
        yield running
        assert running.stop() == 0, running.errors
        assert running.errors == []
        assert running.left_behind() == []
    finally:
        running.discard()


class Client:
    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        return self._replies.readline()

    def read(self, count: int) -> bytes:
        return self._replies.read(count)

    def ask(self, line: bytes) -> bytes:
        self.send(line)
        return self.line()

    def at_end(self) -> bool:
        """Whether the server has closed the connection, in order or by a reset."""
        try:
            return self._replies.read(1) == b""
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        """Break off without the closing handshake."""
        self._replies.close()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self._replies.close()
        self.sock.close()


def status_of(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return "gone"


def _waits(pid: int) -> bool:
    """Whether no thread of this process runs or is about to."""
    states = [stat.read_text().rpartition(") ")[2][0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"S"}


def threads_of(process: psutil.Process) -> int:
    try:
        return int(process.num_threads())
    except psutil.NoSuchProcess:
        return 0
