"""Driving Locust's master through its HTTP API: start a run, follow it, stop it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from testbed.errors import Breakdown
from testbed.plan import services
from testbed.plan.axes import AXES
from testbed.plan.calibration import Work
from testbed.plan.cell import Cell
from testbed.plan.profile import STEADY
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import Trial
from testbed.stack.load_services import target

# The master answers at once or is in trouble; stopping waits for the workers' last figures.
REQUEST_TIMEOUT_S = 5.0
START_TIMEOUT_S = 20.0
# Ten seconds and this are what the load takes at most to open idle holders.
LEAST_HOLDERS_PER_S = 250
STOP_TIMEOUT_S = 15.0
VERIFY_TIMEOUT_S = 30.0
# A server that is silent for so long counts as stuck; longer only where a reply was asked to take long.
REPLY_TIMEOUT_S = 10.0
MOST_REPLY_TIMEOUT_S = 3_600.0


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
    workers_lost: Sequence[str] = ()
    """The host names of those that were there when the run began."""


@dataclass(frozen=True)
class Responses:
    """What has ended since the run began, by Locust's own statistics: they come every second or so, and times are
    rounded to two digits."""

    requests: int
    """Failures among them."""
    failures: int
    times_ms: Mapping[float, int]
    """How many took so long."""


def form(trial: Trial, work: Work, warmup_s: float, window_s: float) -> dict[str, Any]:
    """What Locust's master is asked for: the fields of its form, by name. Pure."""
    cell = trial.cell
    return {
        "user_count": cell.users,
        "spawn_rate": cell.users,
        "target": target(cell),
        **{axis.form.name: axis.form.sent(getattr(cell, axis.field)) for axis in AXES if axis.form},
        # The mean of a profile is no rate to be sent at.
        **({"rate": 0} if cell.profile != STEADY else {}),
        "spin_units": work.spin_units,
        "hash_rounds": work.hash_rounds,
        "services": services_text(cell, work),
        "seed": trial.seed,
        "warmup_s": warmup_s,
        "window_s": window_s,
        "reply_timeout_s": reply_timeout_s(cell),
        "trial_id": trial.trial_id,
    }


def services_text(cell: Cell, work: Work) -> str:
    """What goes to each service, in the notation of the load's option; empty for one. Pure."""
    parts = []
    for one in services.of_text(cell.services):
        asked, units = service_cells(cell)[one.name], work.services.get(one.name, Work(0, 0))
        amounts = (("sleep", asked.sleep_us), ("spin", units.spin_units), ("hash", units.hash_rounds))
        words = [f"{name}={amount}" for name, amount in amounts if amount]
        parts.append(":".join((one.name, f"{one.share:.12g}", *(["read"] if one.reads else []), *words)))
    return ",".join(parts)


def asked_behind(cell: Cell) -> dict[str, Any]:
    """What the check of a server is told of what stands behind it; empty with nothing. Pure."""
    stands = cell.what_is_behind
    if stands is None:
        return {}
    database = stands.database
    lags = database is not None and database.reads == "standby" and database.commit != "remote_apply"
    # A cache that was filled from a standby keeps what it was given.
    seen = "at once" if not lags else "soon" if stands.part is database else "any"
    return {"behind": stands.kind, "keys": cell.keys, "scans": "true" if cell.scans else "false", "seen": seen}


def reply_timeout_s(cell: Cell) -> float:
    """How long a server may be silent: twice what a reply takes where all users' work is done under the CPU limit."""
    every = service_cells(cell).values() or (cell,)
    reply_us = max(one.sleep_us + cell.users * (one.spin_us + one.hash_us) / one.cpus for one in every)
    return min(MOST_REPLY_TIMEOUT_S, max(REPLY_TIMEOUT_S, 2 * reply_us / 1e6))


@dataclass(frozen=True)
class Echo:
    """One try for an echo. `error` is empty when it came back; `reached`: a connection was made at all."""

    error: str
    echoes: int
    reached: bool


@dataclass(frozen=True)
class Verified:
    """Checks of the protocol, each {"name", "status", "reason"}, the requests the server echoed for them, and the
    connections they were made on."""

    checks: list[dict[str, str]]
    echoes: int
    connections: int


@dataclass(frozen=True)
class Held:
    """Connections that are open and silent, and the requests the server echoed on them."""

    held: int
    echoes: int


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
            answer: dict[str, Any] = response.json()
            if not response.ok:
                raise LoadError(f"Locust's master: {method} {path}: {answer.get('error') or response.reason}")
        except requests.RequestException as error:
            raise LoadError(f"Locust's master: {method} {path}: {error}") from None
        return answer

    def workers(self) -> int:
        """How many workers are connected; 0 while the master is still starting."""
        try:
            return int(self._call("GET", "/threadmill/status", REQUEST_TIMEOUT_S)["workers"])
        except LoadError:
            return 0

    def echo(self, target: str, protocol: str = "line", key: str = "") -> Echo:
        """One real echo from the load's network to the server; `key`: what a gateway is shown."""
        parameters = {"target": target, "protocol": protocol, **({"api_key": key} if key else {})}
        answer = self._call("GET", "/threadmill/echo", REQUEST_TIMEOUT_S, params=parameters)
        return Echo("" if answer["ok"] else str(answer["error"]), answer["replies"], bool(answer["connections"]))

    def crash(self, target: str, how: str, protocol: str = "line") -> Echo:
        """Have the server commit this fault, by a request of its own. `error` is empty where its connection ended."""
        parameters = {"target": target, "protocol": protocol, "how": how}
        answer = self._call("POST", "/threadmill/crash", REQUEST_TIMEOUT_S, params=parameters)
        return Echo(str(answer["error"]), 0, bool(answer["connections"]))

    def verify(
        self, target: str, parallel: int, behind: Mapping[str, Any] | None = None, protocol: str = "line"
    ) -> Verified:
        """Check that the server speaks the protocol, on `parallel` connections at once besides one alone; `behind`:
        what stands behind it (`asked_behind`)."""
        parameters = {"target": target, "protocol": protocol, "parallel": parallel, **(behind or {})}
        answer = self._call("POST", "/threadmill/verify", VERIFY_TIMEOUT_S, params=parameters)
        # A line answered with !error is no request served, neither here nor in the server's own count.
        return Verified(answer["checks"], answer["replies"] - answer["errors"], answer["connections"])

    def hold(self, target: str, connections: int, protocol: str = "line") -> Held:
        """Open connections, get an echo on each that is served, and keep them open until `release`."""
        parameters = {"target": target, "protocol": protocol, "connections": connections}
        answer = self._call("POST", "/threadmill/hold", VERIFY_TIMEOUT_S, params=parameters)
        return Held(answer["held"], answer["replies"])

    def release(self) -> int | None:
        """Close what `hold` keeps open. Returns the requests echoed since; None if it is not certain for each."""
        answer = self._call("POST", "/threadmill/release", REQUEST_TIMEOUT_S)
        return None if answer["unanswered"] else int(answer["replies"])

    def start(self, trial: Trial, work: Work, warmup_s: float, window_s: float) -> None:
        """Start the trial's users, all at once. LoadError with Locust's reason when it refuses."""
        # It answers when the idle holders are there, or the server has shown that it cannot hold them.
        timeout_s = START_TIMEOUT_S + trial.cell.idle_holders / LEAST_HOLDERS_PER_S
        answer = self._call("POST", "/swarm", timeout_s, data=form(trial, work, warmup_s, window_s))
        if not answer.get("success"):
            raise LoadError(f"Locust did not start: {answer.get('message')}")

    def status(self) -> Status:
        answer = self._call("GET", "/threadmill/status", REQUEST_TIMEOUT_S)
        return Status(**{name: answer[name] for name in Status.__annotations__})

    def responses(self) -> Responses:
        answer = self._call("GET", "/threadmill/responses", REQUEST_TIMEOUT_S)
        times = {float(ms): count for ms, count in answer["times_ms"].items()}
        return Responses(answer["requests"], answer["failures"], times)

    def stop(self) -> None:
        """Stop the run; after this its result is on the volume. LoadError when a worker's figures are missing.

        Breakdown when the master could not write the result.
        """
        answer = self._call("POST", "/threadmill/stop", STOP_TIMEOUT_S)
        if not answer["complete"] and "cannot be written" in answer["error"]:
            raise Breakdown(f"Locust's master: {answer['error']}")
        if not answer["complete"]:
            raise LoadError(
                f"worker lost: figures of {answer['workers_final']} of {answer['workers_expected']} workers came"
            )
