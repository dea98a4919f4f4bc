"""A trial with two servers, from its start to its record, beside a load generator and an engine that only play them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed.plan import sweepfile
from testbed.results.directory import ResultsDirectory
from testbed.run.speeds import Speeds
from testbed.run.trial import Setting, run_trial
from testbed.stack.engine import Exit, LaidOut
from testbed.stack.locust_api import Echo, Held, Status, Verified
from testbed.stack.run import Run
from testbed.stack.services import Stack
from tests.unit.testbed.made_runs import MACHINE
from tests.unit.testbed.stack.golden_cases import run_of, trial_of

TRIAL = trial_of("models: spmt\nlimits: {cpus: 0.5}\nload: {users: 4}\nreplicas: {count: 2}\nfront: dns")
ID = TRIAL.trial_id
NAMES = ("spmt-1", "spmt-2")
SERVED = {"spmt-1": 60, "spmt-2": 51}


class Container:
    def __init__(self, name: str, engine: "Docker") -> None:
        self.name, self.engine, self.pid = name, engine, 1

    def exit(self) -> Exit | None:
        return self.engine.ended.get(self.name)

    def tasks(self) -> tuple[int, int]:
        return 1, 4

    def stop(self) -> str:
        self.engine.stopped.append(self.name)
        return f'[REPORT] {{"served": {SERVED[self.name]}, "replaced": 0}}\n'


class Docker:
    cpus, is_here = 4, False

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.removed: list[str] = []
        self.ended: dict[str, Exit] = {}

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:
        return LaidOut(directory / "compose.yaml", stack)

    def clock_ahead_s(self, service: str) -> float:
        return 0.0

    def hand_in(self, run_id: str, service: str, file: Path) -> None: ...

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None: ...

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        assert set(services) <= {service.name for service in laid.stack.services}
        self.started += services

    def server(self, run_id: str, service: str) -> Container:
        return Container(service, self)

    def load_is_gone(self, run_id: str) -> bool:
        return False

    def remove_trial(self, run_id: str, trial_id: str) -> None:
        self.removed.append(trial_id)


class Load:
    """Its run is over as soon as it has begun, and 100 requests were echoed; both probes have looked."""

    def __init__(self, directory: ResultsDirectory) -> None:
        self.directory = directory
        self.probed = list(NAMES)
        self.echoed: list[str] = []
        self.late = 0

    def echo(self, target: str, protocol: str = "line") -> Echo:
        self.echoed.append(target)
        if self.late:
            self.late -= 1
            return Echo("spmt-1 is up but does not echo: no reply within 1 s", 0, reached=True)
        return Echo("", 1, reached=True)

    def verify(
        self, target: str, parallel: int, behind: Mapping[str, Any] | None = None, protocol: str = "line"
    ) -> Verified:
        return Verified([{"name": "echo", "status": "pass", "reason": ""}], 1, 1)

    def hold(self, target: str, connections: int, protocol: str = "line") -> Held:
        return Held(3, 3)

    def release(self) -> int:
        return 0

    def start(self, *_: Any) -> None:
        totals = {"sent": 100, "ok": 100, "failures": {}, "in_flight": 0}
        load = {"ok": 80, "failed": 0, "totals": totals, "window": {"duration_s": 10.0}, "replies_to_checks": 0}
        load |= {"generator": [], "workers_present": {"throughout": True}, "throughput_rps": 8.0}
        (self.directory.load / f"{ID}.json").write_text(json.dumps(load))
        for name in self.probed:
            used = {"difference": {"cpu_used_us": 1_000_000}, "closed": {"oom_kills": 0}}
            (self.directory.load / f"{ID}.{name}.probe.json").write_text(json.dumps(used))

    def status(self) -> Status:
        return Status("running", ID, 2, 2, 4, 0.0, 0.0, 0, 0)

    def stop(self) -> None: ...


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultsDirectory:
    monkeypatch.setattr("testbed.run.boxes.PROBE_TIMEOUT_S", 0.0)
    made = ResultsDirectory(tmp_path / "results")
    made.load.mkdir(parents=True)
    (made.path / "trials").mkdir()
    return made


def measured(directory: ResultsDirectory, engine: Docker, load: Load) -> dict[str, Any]:
    run = Run(**run_of({}))
    speeds = Speeds(engine, run, sweepfile.parse("name: t\n", Path("t.yaml"), MACHINE))  # type: ignore[arg-type]
    setting = Setting(engine, load, run, directory, 0.0, 10.0, speeds)  # type: ignore[arg-type]
    row = run_trial(TRIAL, setting, lambda _: None)
    record: dict[str, Any] = json.loads((directory.trial(ID) / "trial.json").read_text())
    assert (record["verdict"], record["trial_id"]) == (row["verdict"], ID)
    return record


def test_both_are_started_with_their_probes_measured_and_stopped(directory: ResultsDirectory) -> None:
    engine = Docker()
    load = Load(directory)
    record = measured(directory, engine, load)
    # Each by itself, and then by the name that both have.
    assert load.echoed == [*NAMES, "spmt"]
    assert engine.started == [*NAMES, "probe-spmt-1", "probe-spmt-2"]
    assert (engine.stopped, engine.removed) == (list(NAMES), [ID])
    gates = {gate["name"]: gate for gate in record["gates"]}
    # 100 of the load, 3 of readiness, and of verification and shape 4 in each.
    assert (gates["conservation"]["status"], gates["conservation"]["found"]) == ("pass", "111 served")
    assert gates["model_shape"]["status"] == "pass"
    assert (record["server_served"], record["cpu_used_s"]) == (111, 2.0)
    assert [box["served"] for box in record["boxes"]] == [60, 51]
    assert list(record["exit_reports"]) == list(NAMES)
    assert list(directory.load.iterdir()) == []


@pytest.mark.parametrize("late", [0, 1, 2])
def test_an_echo_that_was_given_up_on_may_be_among_what_a_slow_server_has_served(
    directory: ResultsDirectory, late: int
) -> None:
    load = Load(directory)
    load.late = late
    record = measured(directory, Docker(), load)
    (gate,) = [gate for gate in record["gates"] if gate["name"] == "conservation"]
    allowed = "111 served" if not late else f"111 to {111 + late} served"
    assert (gate["status"], gate["allowed"]) == ("pass", allowed)


def test_without_what_one_probe_saw_the_cpu_time_is_not_known(directory: ResultsDirectory) -> None:
    load = Load(directory)
    load.probed.remove("spmt-2")
    record = measured(directory, Docker(), load)
    assert record["cpu_used_s"] is None
    assert [box["cpu_used_s"] for box in record["boxes"]] == [1.0, None]
    assert record["server_served"] == 111


def test_one_that_ends_makes_the_trial_invalid_by_its_name(directory: ResultsDirectory) -> None:
    engine = Docker()
    engine.ended["spmt-2"] = Exit(139, oom_killed=False)
    record = measured(directory, engine, Load(directory))
    assert record["verdict"] == "invalid"
    reasons = " ".join(record["reasons"])
    assert "server spmt-2 ended during the verification: exit code 139, SIGSEGV" in reasons
    assert [box["ended"] == "" for box in record["boxes"]] == [True, False]
    assert engine.stopped == list(NAMES)


def test_one_that_runs_out_of_memory_as_the_window_closes_is_named_though_the_load_has_its_result(
    directory: ResultsDirectory,
) -> None:
    engine = Docker()

    class Ending(Load):
        def stop(self) -> None:
            engine.ended["spmt-2"] = Exit(137, oom_killed=True)

    record = measured(directory, engine, Ending(directory))
    (gate,) = [gate for gate in record["gates"] if gate["name"] == "server_survived"]
    told = "server spmt-2 ended before it was stopped: exit code 137, out of memory"
    assert (gate["status"], gate["found"], record["verdict"]) == ("fail", told, "invalid")
