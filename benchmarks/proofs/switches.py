"""Whether the probe's context switches are all of them: against the server's own getrusage, in real containers.

The window opens on a server that has served nobody and closes on one that is idle again but whose persistent
connections are still open. Then it is stopped: its exit report has the switches of its whole life by getrusage, of
itself and its reaped children. Less what the probe's opening reading has, that is the growth in the window and of the
moments in which the server stops.
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import docker
from docker.models.containers import Container

from benchmarks.proofs.running import CONSOLE
from benchmarks.subjects import SEQUENTIAL
from servers.models import SERVERS

CLAIMED = 0.02
SHAPES = {"persistent": 0, "20 requests": 20, "1 request": 1}
"""Requests per connection, by name; 0: as many as there are."""
_USER = "4321:4322"
_CLIENTS = 2
_LEAD_S = 2.5
_WINDOW_S = 2.5
_LOAD_S = 1.2
_SETTLE_S = 0.3
_AT_ONCE = 3
_START_S = 30
_SWITCHES = ("voluntary_switches", "involuntary_switches")


@dataclass(frozen=True)
class Found:
    """Context switches in the window, and what the probe says of its wait for CPUs."""

    model: str
    shape: str
    requests: int
    by_probe: int | None
    by_server: int
    why: str
    run_queue_wait_us: int | None
    tasks_ended: int

    @property
    def off(self) -> float | None:
        return None if self.by_probe is None else self.by_probe / self.by_server - 1


def compare(model: str, shape: str, directory: Path) -> Found:
    """One server, one probe beside it, one window. OSError or docker's errors if it cannot be had."""
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    client = docker.from_env()
    name = f"threadmill-switches-{secrets.token_hex(4)}"
    confined = {"detach": True, "user": _USER, "cap_drop": ["ALL"], "read_only": True}
    made: list[Container] = []
    try:
        made.append(
            client.containers.run(
                f"threadmill/{model}",
                name=name,
                environment={"WORKERS": "2", "THREADS": "4"},
                ports={"8081/tcp": ("127.0.0.1", None)},
                healthcheck={"test": ["NONE"]},
                **confined,
            )
        )
        server = made[0]
        _until(lambda: b"Server started" in server.logs())
        server.reload()
        port = int(server.ports["8081/tcp"][0]["HostPort"])
        made.append(
            client.containers.run(
                "threadmill/probe",
                ["--output", "/results/load", "--name", "t"],
                name=f"{name}-probe",
                pid_mode=f"container:{name}",
                network_mode="none",
                volumes={str(directory): {"bind": "/results/load"}},
                **confined,
            )
        )
        opens = time.time() + _LEAD_S
        (directory / "window").write_text(json.dumps({"opens_unix": opens, "closes_unix": opens + _WINDOW_S}))
        (directory / "window").rename(directory / "t.window.json")
        time.sleep(max(0.0, opens + 0.2 - time.time()))
        load = Load(port, SHAPES[shape], 1 if model == SEQUENTIAL else _CLIENTS)
        with load:
            load.run(_LOAD_S)
            if time.time() > opens + _WINDOW_S - _SETTLE_S:
                raise TimeoutError(f"{model}: the load was not over before the window closed")
            if (code := made[1].wait()["StatusCode"]) != 0:
                raise OSError(f"the probe ended with {code}: {made[1].logs().decode()}")
        server.stop(timeout=10)
        report = _exit_report(server.logs().decode())
    finally:
        for container in reversed(made):
            container.remove(force=True)
        client.close()
    probe = json.loads((directory / "t.probe.json").read_text())
    return _found(model, shape, load.requests, probe, report)


def _found(model: str, shape: str, requests: int, probe: dict[str, Any], report: dict[str, Any]) -> Found:
    grown = [probe["difference"][name] for name in _SWITCHES]
    before = [probe["opened"][name] for name in _SWITCHES]
    lived = sum(report["rusage"][who][name] for who in ("self", "children") for name in _SWITCHES)
    known = None not in grown and None not in before
    return Found(
        model,
        shape,
        requests,
        sum(grown) if known else None,
        lived - sum(before) if known else lived,
        probe["unavailable"].get(_SWITCHES[0], ""),
        probe["difference"]["run_queue_wait_us"],
        report["accepted"],
    )


def _exit_report(log: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        json.loads(line.removeprefix("[REPORT] ")) for line in log.splitlines() if line.startswith("[REPORT] ")
    )
    return found


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the server did not start")
        time.sleep(0.05)


class Load:
    """Clients that each ask and wait for the reply; what is open at the end of `run` stays open until the exit."""

    def __init__(self, port: int, requests_per_connection: int, clients: int) -> None:
        self._port = port
        self._most = requests_per_connection
        self._clients = clients
        self._open: list[socket.socket] = []
        self._failures: list[OSError] = []
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def run(self, seconds: float) -> None:
        """Raises the first client's OSError."""
        threads = [threading.Thread(target=self._ask, args=(time.monotonic() + seconds,)) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _ask(self, end: float) -> None:
        asked = 0
        try:
            while time.monotonic() < end:
                connection = socket.create_connection(("127.0.0.1", self._port), 10)
                here = 0
                while time.monotonic() < end and (not self._most or here < self._most):
                    connection.sendall(b"hello\n")
                    if connection.recv(100) != b"hello\n":
                        raise ConnectionError("no reply")
                    here += 1
                asked += here
                if self._most:
                    connection.close()
                else:
                    self._open.append(connection)
        except OSError as failure:
            self._failures.append(failure)
        self.requests += asked


def holds(directory: Path) -> bool:
    """Every server, each way to hold connections: the probe's growth is the server's within CLAIMED."""
    cases = [(model, shape) for model in SERVERS for shape in SHAPES]

    def one(number: int) -> Found:
        return compare(*cases[number], directory / f"switches-{number}")

    def say(line: str) -> None:
        CONSOLE.print(line, highlight=False)

    held = True
    say(f"{'server':26} {'connections':12} {'requests':>8} {'by probe':>9} {'getrusage':>9}     off")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for found in pool.map(one, range(len(cases))):
            off = found.off
            held = held and off is not None and abs(off) <= CLAIMED
            told = found.why if off is None else f"{found.by_probe:9,} {found.by_server:9,} {off:+7.2%}"
            say(f"{found.model:26} {found.shape:12} {found.requests:8,} {told}")
    say(f"claimed: within {CLAIMED:.0%}")
    return held
