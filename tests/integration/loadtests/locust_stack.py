"""A Locust master and its workers as processes of this machine, and HTTP to them."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from tests.waiting import wait_until

PROJECT = Path(__file__).parents[3]
LOCUSTFILE = PROJECT / "loadtests" / "locustfile.py"

ENGINES = ("fast", "plain")
"""Of the generator; a test that matters for both runs with each."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class LocustApi:
    """HTTP to a master whose page is `base_url`; result files appear in `results`."""

    def __init__(self, base_url: str, results: Path) -> None:
        self.base_url = base_url
        self.results = results
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return dict(self._session.get(self.base_url + path, params=params, timeout=20).json())

    def post(self, path: str, headers: Mapping[str, str] | None = None, **form: Any) -> requests.Response:
        return self._session.post(self.base_url + path, data=form, headers=dict(headers or {}), timeout=20)

    def status(self) -> dict[str, Any]:
        return self.get("/threadmill/status")

    def swarm(self, **form: Any) -> dict[str, Any]:
        users = form.pop("users", 4)
        return dict(self.post("/swarm", **{"user_count": users, "spawn_rate": users, **form}).json())

    def start(self, **form: Any) -> None:
        answer = self.swarm(**form)
        assert answer["success"] is True, (answer, self.log())

    def stop(self) -> dict[str, Any]:
        return dict(self.post("/threadmill/stop").json())

    def result(self, trial_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.results / "load" / f"{trial_id}.json").read_text())
        return found

    def is_ready(self, workers: int) -> bool:
        try:
            return bool(self.status()["workers"] == workers)
        except requests.ConnectionError:
            return False

    def wait_status(self, what: str, timeout_s: float = 20.0, **expected: Any) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            status = self.status()
            return status if all(status[name] == value for name, value in expected.items()) else None

        found = wait_until(reached, what, timeout_s)
        assert found is not None
        return found


class LocustStack(LocustApi):
    """Master and workers as processes of this machine."""

    def __init__(
        self, targets: Mapping[str, int], results: Path, workers: int = 2, arguments: Sequence[str] = ()
    ) -> None:
        super().__init__(f"http://127.0.0.1:{free_port()}", results)
        self._master_port = free_port()
        self._addresses = {name: f"127.0.0.1:{port}" for name, port in targets.items()}
        self.logs: list[IO[str]] = []
        web_port = self.base_url.rpartition(":")[2]
        self.master = self._locust(
            [
                *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(self._master_port)),
                *("--web-host", "127.0.0.1", "--web-port", web_port),
                *arguments,
            ],
            TARGETS=",".join(targets),
            TARGET_ADDRESSES=",".join(f"{name}={address}" for name, address in self._addresses.items()),
            RESULTS_DIR=str(results),
        )
        self.workers: list[subprocess.Popen[str]] = []
        for _ in range(workers):
            self.add_worker()

    def _locust(self, arguments: list[str], **env: str) -> "subprocess.Popen[str]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TARGET", "LOCUST"))}
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- lives as long as the process
        self.logs.append(log)
        return subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments],
            env={**clean, **env},
            # Neither the checkout nor its parent: the load must find its modules by itself.
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def add_worker(self, **env: str) -> None:
        self.workers.append(
            self._locust(["--worker", "--master-host", "127.0.0.1", "--master-port", str(self._master_port)], **env)
        )

    def wait_ready(self, workers: int) -> None:
        def ready() -> bool:
            assert self.master.poll() is None, self.log()
            return self.is_ready(workers)

        wait_until(ready, f"{workers} workers ready; log: {self.log()}", 30)

    def run(self, trial_id: str, **form: Any) -> dict[str, Any]:
        """One whole trial as the orchestrator drives it: start, wait for the closing, stop; its result."""
        form = {"warmup_s": 0.2, "window_s": 0.6, **form}
        self.start(trial_id=trial_id, **form)
        wait_until(lambda: self.status()["window_closes_in_s"] < 0, "the window to close", 90)
        answer = self.stop()
        assert answer["complete"] is True, (answer, self.log())
        return self.result(trial_id)

    def log(self) -> str:
        texts = []
        for log in self.logs:
            log.seek(0)
            texts.append(log.read())
        return "\n".join(texts)

    def shut_down(self) -> None:
        processes = [*self.workers, self.master]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        deadline = time.monotonic() + 10
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self.logs:
            log.close()


@contextmanager
def locust_stack(targets: Mapping[str, int], results: Path, workers: int = 2) -> Iterator[LocustStack]:
    """A stack that is ready to start, gone at the end of the block."""
    stack = LocustStack(targets, results, workers)
    try:
        stack.wait_ready(workers)
        yield stack
    finally:
        stack.shut_down()


def counts_add_up(result):
    assert sum(result["failures"].values()) == result["failed"]
    totals = result["totals"]
    assert (
        result["sent"]
        == totals["sent"]
        == totals["ok"] + totals["failed"] + (totals["limited"] or 0) + totals["in_flight"]
    )
    assert sum(piece["ok"] for piece in result["slices"]) == result["totals"]["ok"]
    assert sum(piece["failed"] for piece in result["slices"]) == result["totals"]["failed"]
    inside = [piece for piece in result["slices"] if piece["in_window"]]
    assert sum(piece["ok"] for piece in inside) == result["ok"]
    assert sum(piece["failed"] for piece in inside) == result["failed"]
    assert sum(piece["limited"] or 0 for piece in inside) == (result["limited"] or 0)
    assert sum(count for _lower, _upper, count in result["histograms"]["latency"]) == result["ok"]
    assert sum(piece["duration_s"] for piece in inside) == pytest.approx(result["window"]["duration_s"], abs=0.05)
