"""Driving Locust's master through its HTTP API: start a run, follow it, stop it."""

from dataclasses import dataclass
from typing import Any

import requests

from testbed.plan import Trial

# The master answers at once or is in trouble; stopping waits for the workers' last figures.
REQUEST_TIMEOUT_S = 5.0
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0


class LoadError(Exception):
    """The load generator did not do what was asked. The message says what."""


@dataclass(frozen=True)
class Status:
    """The state of a run. Times are seconds from now; None before the run's window is known."""

    state: str
    trial_id: str
    workers: int
    workers_expected: int
    users: int
    window_opens_in_s: float | None
    window_closes_in_s: float | None
    requests: int
    failures: int


class Load:
    """Locust's master at `base_url`, such as http://127.0.0.1:40123."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        # Only ever this machine: a proxy from the environment would break the way to it.
        self._session.trust_env = False

    def _call(self, method: str, path: str, timeout: float, **options: Any) -> dict[str, Any]:
        try:
            response = self._session.request(method, self.base_url + path, timeout=timeout, **options)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except requests.RequestException as error:
            raise LoadError(f"Locust's master: {method} {path}: {error}") from None
        return answer

    def workers(self) -> int:
        """How many workers are connected; 0 while the master is still starting."""
        try:
            return int(self._call("GET", "/threadmill/status", REQUEST_TIMEOUT_S)["workers"])
        except LoadError:
            return 0

    def echo(self, target: str) -> str:
        """One real echo from the load's network to the server: the empty string when it came back, else why not."""
        answer = self._call("GET", "/threadmill/echo", REQUEST_TIMEOUT_S, params={"target": target})
        return "" if answer["ok"] else str(answer["error"])

    def start(self, trial: Trial, spin_units: int, warmup_s: float, window_s: float) -> None:
        """Start the trial's users, all at once. LoadError with Locust's reason when it refuses."""
        cell = trial.cell
        form = {
            "user_count": cell.users,
            "spawn_rate": cell.users,
            "target": cell.model,
            "connection": cell.connection,
            "payload_bytes": cell.payload_bytes,
            "think_ms": cell.think_us / 1000,
            "sleep_us": cell.sleep_us,
            "spin_units": spin_units,
            "warmup_s": warmup_s,
            "window_s": window_s,
            "trial_id": trial.trial_id,
        }
        answer = self._call("POST", "/swarm", START_TIMEOUT_S, data=form)
        if not answer.get("success"):
            raise LoadError(f"Locust did not start: {answer.get('message')}")

    def status(self) -> Status:
        answer = self._call("GET", "/threadmill/status", REQUEST_TIMEOUT_S)
        return Status(**{name: answer[name] for name in Status.__annotations__})

    def stop(self) -> None:
        """Stop the run; after this its result is on the volume. LoadError when a worker's figures are missing."""
        answer = self._call("POST", "/threadmill/stop", STOP_TIMEOUT_S)
        if not answer["complete"]:
            raise LoadError(
                f"worker lost: figures of {answer['workers_final']} of {answer['workers_expected']} workers came"
            )
