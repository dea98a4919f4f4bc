"""The measured containers of a trial: found, looked after, told of the window, and taken from, each by its name."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.plan.trials import Trial
from testbed.results.directory import ResultsDirectory
from testbed.run import boxes
from testbed.run.boxes import BoxEnded, Boxes
from testbed.stack import server_services, system
from testbed.stack.engine import ContainerGone, Exit
from testbed.stack.run import Run
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of

RUN = Run(**run_of({}))
TRIAL: Trial = trial_of("models: spmt")
SERVER = server_services.servers(RUN, TRIAL)[0]
ID = TRIAL.trial_id


class Container:
    """A server's: how it has ended, how it looks, what it logs."""

    def __init__(self, pid: int, tasks: tuple[int, int] = (1, 1)) -> None:
        self.pid, self._tasks = pid, tasks
        self.ended: Exit | None = None
        self.stopped = False
        self.frozen: list[bool] = []

    def exit(self) -> Exit | None:
        return self.ended

    def tasks(self) -> tuple[int, int]:
        return self._tasks

    def freeze(self) -> None:
        self.frozen.append(True)

    def thaw(self) -> None:
        self.frozen.append(False)

    def stop(self) -> str:
        self.stopped = True
        return f'[INFO] cannot serve a: out of memory\n[REPORT] {{"served": {self.pid}}}\n'


class Docker:
    def __init__(self, **containers: Container) -> None:
        self.containers = containers
        self.ahead_s: dict[str, float] = {}
        self.handed: list[tuple[str, dict[str, float]]] = []
        self.elsewhere: dict[str, str] = {}
        """What probes have written on another machine."""

    def server(self, run_id: str, service: str) -> Container:
        try:
            return self.containers[service.replace("-", "_")]
        except KeyError:
            raise ContainerGone(service) from None

    def clock_ahead_s(self, service: str) -> float:
        return self.ahead_s.get(service, 0.0)

    def hand_in(self, run_id: str, service: str, file: Path) -> None:
        self.handed.append((service, json.loads(file.read_text())))

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None:
        for name in self.elsewhere.keys() & set(names):
            (directory / name).write_text(self.elsewhere[name])


def measured(*names: str) -> Boxes:
    services = [replace(SERVER, name=name) for name in names]
    return Boxes(system.stack_of(RUN, MODELS, TRIAL, services), TRIAL)


def taken(engine: Docker, *names: str) -> Boxes:
    found = measured(*names)
    assert found.take(engine, RUN.run_id) == []  # type: ignore[arg-type]
    return found


@pytest.fixture
def directory(tmp_path: Path) -> ResultsDirectory:
    made = ResultsDirectory(tmp_path)
    made.load.mkdir()
    made.trial(ID).mkdir(parents=True)
    return made


@pytest.fixture
def two() -> Docker:
    return Docker(spmt_1=Container(11), spmt_2=Container(12))


def test_every_box_is_taken_and_one_that_is_not_there_is_named(two: Docker) -> None:
    assert taken(two, "spmt-1", "spmt-2").pids() == [11, 12]
    del two.containers["spmt_2"]
    assert measured("spmt-1", "spmt-2").take(two, RUN.run_id) == ["server spmt-2"]  # type: ignore[arg-type]
    assert measured("spmt").take(two, RUN.run_id) == ["server"]  # type: ignore[arg-type]


def test_the_one_that_ended_is_named_where_there_are_several(two: Docker) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    found.fail_if_ended("during the window")
    two.containers["spmt_2"].ended = Exit(137, oom_killed=True)
    with pytest.raises(
        BoxEnded, match=r"^server spmt-2 ended during the window: exit code 137, out of memory$"
    ) as error:
        found.fail_if_ended("during the window")
    assert error.value.name == "spmt-2"
    alone = taken(Docker(spmt=two.containers["spmt_2"]), "spmt")
    with pytest.raises(BoxEnded, match=r"^server ended during the window: exit code 137"):
        alone.fail_if_ended("during the window")


def test_while_others_live_one_that_has_ended_is_noted_and_they_go_on(two: Docker) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    two.containers["spmt_2"].ended = Exit(137, oom_killed=False)
    found.note_ended("during the window")
    assert found.seen["spmt-2"].ended == "server spmt-2 ended during the window: exit code 137, SIGKILL"
    assert found.seen["spmt-1"].ended == ""
    found.note_ended("during the window")
    two.containers["spmt_1"].ended = Exit(0, oom_killed=False)
    with pytest.raises(BoxEnded, match=r"^server spmt-1 ended") as error:
        found.note_ended("during the window")
    assert error.value.name == "spmt-1"


def test_what_has_ended_when_all_is_over_is_noted_of_each_but_of_those_that_were_told_to(
    two: Docker, directory: ResultsDirectory
) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    found.note_all_ended("before it was stopped")
    assert [seen.ended for seen in found.seen.values()] == ["", ""]
    found.remove("spmt-1", directory)
    for container in two.containers.values():
        container.ended = Exit(137, oom_killed=True)
    found.note_all_ended("before it was stopped")
    told = "server spmt-2 ended before it was stopped: exit code 137, out of memory"
    assert [seen.ended for seen in found.seen.values()] == ["", told]


def test_one_that_joins_is_taken_from_its_start_and_one_that_is_removed_is_not_missed(
    two: Docker, directory: ResultsDirectory
) -> None:
    services = [replace(SERVER, name="spmt-1"), replace(SERVER, name="spmt-2", joins_later=True)]
    stack = system.stack_of(RUN, MODELS, TRIAL, services)
    assert [probe.joins_later for probe in stack.of_role("probe")] == [False, True]
    found = Boxes(stack, TRIAL)
    assert found.take(two, RUN.run_id) == []  # type: ignore[arg-type]
    assert list(found.seen) == found.servers == ["spmt-1"]
    found.join("spmt-2", directory)
    assert [(seen.name, seen.joined) for seen in found.seen.values()] == [("spmt-1", False), ("spmt-2", True)]
    two.containers["probe_spmt_2"] = beside = Container(13)
    found.remove("spmt-2", directory)
    assert beside.stopped
    two.containers["spmt_2"].ended = Exit(0, oom_killed=False)
    found.fail_if_ended("during the window")
    assert (found.seen["spmt-2"].removed, found.seen["spmt-2"].report) == (True, {"served": 12})
    two.containers["spmt_2"].stopped = False
    found.stop(directory)
    assert (two.containers["spmt_1"].stopped, two.containers["spmt_2"].stopped) == (True, False)


def test_one_that_was_dead_when_it_was_to_be_removed_was_not_removed(two: Docker, directory: ResultsDirectory) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    two.containers["spmt_2"].ended = Exit(137, oom_killed=False)
    found.remove("spmt-2", directory)
    assert not found.seen["spmt-2"].removed
    found.note_ended("during the window")
    assert found.seen["spmt-2"].ended


def test_the_server_that_holds_connections_is_looked_at_and_named_where_there_are_several() -> None:
    def mismatch(name: str, *threads: int) -> str:
        containers = {f"spmt_{n}": Container(n, (1, count)) for n, count in enumerate(threads)}
        names = [name.replace("_", "-") for name in containers]
        return taken(Docker(**containers), *names).shape_mismatch(name, TRIAL.cell, 3)

    wrong = "spmt with 3 open connections has 1 process with 4 threads, found 1 process with 5 threads"
    assert mismatch("spmt-0", 4) == mismatch("spmt-1", 1, 4) == ""
    assert mismatch("spmt-0", 5) == wrong
    assert mismatch("spmt-1", 4, 5) == f"spmt-1: {wrong}"


def test_every_probe_is_told_the_window_and_asked_for_what_it_saw(two: Docker, directory: ResultsDirectory) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    found.tell_window(directory, {"opens_unix": 1.0, "closes_unix": 2.0})
    assert sorted(path.name for path in directory.load.iterdir()) == [
        f"{ID}.spmt-1.window.json",
        f"{ID}.spmt-2.window.json",
    ]
    for name in ("spmt-1", "spmt-2"):
        (directory.load / f"{ID}.{name}.probe.json").write_text(json.dumps({"of": name}))
        (directory.load / f"{ID}.{name}.probe.ndjson").write_text('{"unix": 1}\n')
    found.wait_for_probes(directory)
    assert found.take_probes(directory)
    assert {name: seen.probe for name, seen in found.seen.items()} == {
        "spmt-1": {"of": "spmt-1"},
        "spmt-2": {"of": "spmt-2"},
    }
    directory.take_rest(ID)
    assert list(directory.load.iterdir()) == []
    kinds = ("probe.json", "probe.ndjson")
    assert {path.name for path in directory.trial(ID).iterdir()} == {
        f"{name}.{kind}" for name in ("spmt-1", "spmt-2") for kind in kinds
    }


def test_a_server_alone_has_the_files_it_always_had(directory: ResultsDirectory) -> None:
    found = taken(Docker(spmt=Container(7)), "spmt")
    found.tell_window(directory, {"opens_unix": 1.0, "closes_unix": 2.0})
    assert [path.name for path in directory.load.iterdir()] == [f"{ID}.window.json"]
    (directory.load / f"{ID}.probe.json").write_text("{}")
    (directory.load / f"{ID}.probe.ndjson").write_text("")
    assert found.take_probes(directory)
    found.stop(directory)
    directory.take_rest(ID)
    names = sorted(path.name for path in directory.trial(ID).iterdir())
    assert names == ["probe.json", "probe.ndjson", "server.log"]


def test_a_probe_that_has_written_nothing_is_noticed(two: Docker, directory: ResultsDirectory) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    (directory.load / f"{ID}.spmt-1.probe.json").write_text("{}")
    assert not found.take_probes(directory)
    assert [seen.probe for seen in found.seen.values()] == [{}, None]


def test_nobody_waits_for_the_probe_of_a_server_that_has_ended(
    two: Docker, directory: ResultsDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        (directory.load / f"{ID}.spmt-1.probe.json").write_text("{}")

    monkeypatch.setattr(boxes.time, "sleep", sleep)
    two.containers["spmt_2"].ended = Exit(1, oom_killed=False)
    taken(two, "spmt-1", "spmt-2").wait_for_probes(directory)
    assert looks == [boxes.INTERVAL_S]


def test_each_server_is_stopped_and_what_it_said_is_kept_as_its_own(two: Docker, directory: ResultsDirectory) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    found.stop(directory)
    assert all(container.stopped for container in two.containers.values())
    reports: dict[str, Any] = {name: seen.report for name, seen in found.seen.items()}
    assert reports == {"spmt-1": {"served": 11}, "spmt-2": {"served": 12}}
    assert {seen.said for seen in found.seen.values()} == {"cannot serve a: out of memory"}
    names = sorted(path.name for path in directory.trial(ID).iterdir())
    assert names == ["spmt-1.server.log", "spmt-2.server.log"]


def test_each_probe_is_told_the_window_by_the_clock_of_its_machine(directory: ResultsDirectory) -> None:
    boxes, docker = measured("spmt-1", "spmt-2"), Docker(spmt_1=Container(1), spmt_2=Container(2))
    docker.ahead_s = {"probe-spmt-2": 1.5}
    boxes.take(docker, "run")  # type: ignore[arg-type]
    boxes.tell_window(directory, {"opens_unix": 10.0, "closes_unix": 12.0})
    assert docker.handed == [
        ("probe-spmt-1", {"opens_unix": 10.0, "closes_unix": 12.0}),
        ("probe-spmt-2", {"opens_unix": 11.5, "closes_unix": 13.5}),
    ]


def test_what_a_probe_has_written_on_another_machine_is_brought(directory: ResultsDirectory) -> None:
    boxes, docker = measured("spmt-1"), Docker(spmt_1=Container(1))
    docker.elsewhere = {f"{boxes.summary(directory, 'spmt-1').name}": '{"max": {}}'}
    boxes.take(docker, "run")  # type: ignore[arg-type]
    boxes.wait_for_probes(directory)
    assert boxes.take_probes(directory)
    assert boxes.seen["spmt-1"].probe == {"max": {}}


def test_what_stands_still_is_set_going_before_it_is_stopped(two: Docker, directory: ResultsDirectory) -> None:
    found = taken(two, "spmt-1", "spmt-2")
    found.freeze("spmt-2")
    assert two.containers["spmt_2"].frozen == [True]
    found.stop(directory)
    assert [container.frozen for container in two.containers.values()] == [[], [True, False]]
    assert all(container.stopped for container in two.containers.values())


def test_one_that_was_asked_to_crash_may_end_also_where_it_is_the_only_one() -> None:
    engine = Docker(spmt=Container(11))
    found = taken(engine, "spmt")
    engine.containers["spmt"].ended = Exit(139, oom_killed=False)
    with pytest.raises(BoxEnded):
        found.note_ended("during the window")
    found.seen["spmt"].crashes.append("segv")
    found.note_ended("during the window")
    assert found.seen["spmt"].ended == "server ended during the window: exit code 139, SIGSEGV"
