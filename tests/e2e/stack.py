"""Running orchestrate.py as a user does, and looking at Docker from outside."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.models.containers import Container

from testbed.stack.services import RUN_LABEL, TRIAL_LABEL

PROJECT = Path(__file__).parents[2]
TIMEOUT_S = 180.0

CLIENT = docker.from_env()


def orchestrate(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, output captured, no terminal; `environment` comes on top of this process's."""
    command = [sys.executable, str(PROJECT / "orchestrate.py"), *map(str, arguments)]
    return subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=PROJECT,
    )


class Terminal:
    """orchestrate.py on a terminal of 100 columns, as a person has it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.output = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(master,), daemon=True)
        self._reader.start()

    def _read(self, master: int) -> None:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            with self._changed:
                self.output += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
                self._changed.notify_all()
            if not data:
                return

    def wait_for(self, text: str) -> None:
        """Return as soon as this text has been shown."""
        with self._changed:
            shown = self._changed.wait_for(lambda: text in self.output or self.process.poll() is not None, TIMEOUT_S)
            assert shown and text in self.output, f"{text!r} was never shown:\n{self.output}"

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """The exit code, once the program has ended and all it showed is in `output`."""
        code = self.process.wait(TIMEOUT_S)
        self._reader.join(10)
        return code


@contextmanager
def terminal(
    *arguments: str | Path, via: Sequence[str] = (), environment: Mapping[str, str] = os.environ
) -> Iterator[Terminal]:
    """Start a command on a terminal; it is killed if the test leaves early. `via` starts it elsewhere."""
    master, slave = pty.openpty()
    command = [*via, sys.executable, str(PROJECT / "orchestrate.py"), *map(str, arguments)]
    environment = {**environment, "COLUMNS": "100", "LINES": "40", "TERM": "xterm"}
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=PROJECT,
        # Whoever runs the tests in the background may have it ignored, and what is ignored is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            os.close(master)


def containers_of(run_prefix: str) -> list[Container]:
    """Containers of runs of the sweep with this name, stopped ones too."""
    found = CLIENT.containers.list(all=True, filters={"label": RUN_LABEL}, ignore_removed=True)
    return [container for container in found if container.labels[RUN_LABEL].startswith(run_prefix + "-")]


def networks_of(run_prefix: str) -> list[str]:
    found = CLIENT.networks.list(filters={"label": RUN_LABEL})
    return [network.name for network in found if network.attrs["Labels"][RUN_LABEL].startswith(run_prefix + "-")]


def wait_for_container(run_prefix: str, service: str) -> Container:
    """The running container of this service, as soon as there is one."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        for container in containers_of(run_prefix):
            if container.labels["com.docker.compose.service"] == service and container.status == "running":
                return container
        time.sleep(0.05)
    raise AssertionError(f"no container of {service}")


__all__ = [
    "CLIENT",
    "RUN_LABEL",
    "TRIAL_LABEL",
    "Terminal",
    "containers_of",
    "networks_of",
    "orchestrate",
    "terminal",
    "wait_for_container",
]
