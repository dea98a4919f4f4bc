"""Whatever fails in a sweep, its containers go, finished trials stay, and one line says why and how to go on."""

import errno
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from testbed.errors import Breakdown, EngineGone, UserError
from testbed.files import write_json
from testbed.plan import cells, sweepfile
from testbed.run import course, sweep
from tests.unit.testbed.made_runs import MACHINE, manifest, record


class Docker:
    """An engine whose run has containers until they are removed."""

    cpus, memory_bytes, is_here = 2, 2**33, False

    def __init__(self) -> None:
        self.left = True
        self.dead = False
        self.comes_back = False
        self.removed = 0

    def keep_open(self, descriptor: int) -> None: ...

    def runs(self) -> dict[str, int]:
        return {}

    def wait_until_back(self, patience_s: float) -> None:
        self.dead = self.dead and not self.comes_back

    def logs(self, run_id: str) -> dict[str, str]:
        self._answer()
        return {"locust-1": "ready\n"}

    def remove(self, run_id: str) -> None:
        self._answer()
        self.left = False
        self.removed += 1

    def _answer(self) -> None:
        if self.dead:
            raise EngineGone("Docker's engine does not answer any more: Connection refused")


Bench = Callable[..., "tuple[int | Exception, str]"]


@pytest.fixture
def engine() -> Docker:
    return Docker()


@pytest.fixture
def run(engine: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run a sweep of three trials, in which `trials` does the measuring; its exit code, or what it raised, and what it
    has printed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sweep, "Engine", lambda: engine)
    monkeypatch.setattr(sweep, "only_sweep", lambda *_: nullcontext(0))
    monkeypatch.setattr(sweep.images, "build_missing", lambda *_: None)
    monkeypatch.setattr(sweep, "manifest", lambda *_: manifest())
    monkeypatch.setattr(sweep.LoadStack, "start", lambda self: None)
    monkeypatch.setattr(sweep.after, "after_sweep", lambda *_: None)

    def carry_out(
        trial: Callable[..., dict[str, Any]], console: Console | None = None
    ) -> "tuple[int | Exception, str]":
        monkeypatch.setattr(sweep, "run_trial", trial)
        shown = console or Console(file=(tmp_path / "shown").open("w"), width=200)
        parsed = sweepfile.parse(yaml.safe_dump({"name": "t", "models": "spst", "repeat": 3}), tmp_path, MACHINE)
        try:
            code: int | Exception = sweep.run(parsed, "", tmp_path / "results", shown)
        except (Breakdown, UserError) as error:
            code = error
        if not console:
            shown.file.close()
        return code, (tmp_path / "shown").read_text()

    return carry_out


def finish(trial: cells.Trial, setting: Any, _say: Any) -> dict[str, Any]:
    """A trial that goes well and leaves its record."""
    made = {"overhead_s": 1.0, **record(trial)}
    directory = setting.directory.trial(trial.trial_id)
    directory.mkdir()
    write_json(directory / "trial.json", made)
    return {**made, "reasons": ""}


def second(fails: Callable[[], None]) -> Callable[..., dict[str, Any]]:
    """The second trial fails in a way that is not its own doing."""

    def trial(one: cells.Trial, setting: Any, say: Any) -> dict[str, Any]:
        if one.block == 2:
            setting.directory.trial(one.trial_id).mkdir()
            fails()
        return finish(one, setting, say)

    return trial


def full(name: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def results(tmp_path: Path) -> Path:
    (directory,) = (tmp_path / "results").iterdir()
    return directory


def trials(tmp_path: Path) -> list[str]:
    return sorted(path.parent.name[:6] for path in results(tmp_path).glob("trials/*/trial.json"))


def test_containers_go_although_their_logs_cannot_be_saved(
    run: Bench, engine: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: Any) -> None:
        raise full("logs/locust-1.log")

    def fails() -> None:
        raise full("trials/002/server.log")

    monkeypatch.setattr(sweep.LoadStack, "keep_logs", no_room)
    failure, _ = run(second(fails))
    assert not engine.left
    assert isinstance(failure, Breakdown)
    first, besides = str(failure).splitlines()
    assert first.startswith("the testbed failed: trials/002/server.log: No space left on device; to go on: ")
    assert first.endswith(f"orchestrate.py sweep --resume {results(tmp_path)}")
    assert besides == "besides: logs/locust-1.log: No space left on device"
    # The trial that was cut off is not there; the one before it is.
    assert [path.name[:6] for path in results(tmp_path).glob("trials/*")] == ["001-b1"]


def test_a_bug_is_a_line_and_the_containers_go(run: Bench, engine: Docker, tmp_path: Path) -> None:
    failure, shown = run(second(lambda: {}["nobody thought of"]))
    assert not engine.left
    assert isinstance(failure, Breakdown)
    assert str(failure).startswith("the testbed failed: unexpected KeyError: 'nobody thought of'; its traceback: ")
    assert trials(tmp_path) == ["001-b1"]
    assert "1 of 3 trials finished" in shown


def test_an_engine_that_died_and_is_back_has_nothing_left(run: Bench, engine: Docker) -> None:
    def dies() -> None:
        engine.dead = engine.comes_back = True
        engine.logs("")

    failure, _ = run(second(dies))
    assert not engine.left
    (line,) = str(failure).splitlines()
    assert line.startswith("the testbed failed: Docker's engine does not answer any more: Connection refused; to go on")


def test_an_engine_that_stays_dead_is_one_line_that_says_what_is_left(run: Bench, engine: Docker) -> None:
    def dies() -> None:
        engine.dead = True
        engine.logs("")

    failure, _ = run(second(dies))
    (line,) = str(failure).splitlines()
    assert "containers are left, which the next sweep removes, or `orchestrate.py down --runs`; to go on: " in line


def test_a_terminal_that_is_gone_does_not_keep_the_containers(run: Bench, engine: Docker, tmp_path: Path) -> None:
    class Closed:
        encoding = "utf-8"
        open = True

        def write(self, text: str) -> int:
            if not self.open:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return len(text)

        def flush(self) -> None: ...

    terminal = Closed()

    def hangs_up() -> None:
        terminal.open = False
        raise KeyboardInterrupt

    (tmp_path / "shown").touch()
    run(second(hangs_up), Console(file=terminal))  # type: ignore[arg-type]
    assert not engine.left
    assert trials(tmp_path) == ["001-b1"]


def test_a_finished_trial_stays_when_the_table_of_all_cannot_be_written(
    run: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = course.write_atomically

    def no_room(path: Path, text: str) -> None:
        if path.name == "trials.csv" and "002-b2" in text:
            raise full("trials.csv")
        write(path, text)

    monkeypatch.setattr(course, "write_atomically", no_room)
    failure, _ = run(finish)
    assert str(failure).startswith("the testbed failed: trials.csv: No space left on device; to go on")
    assert trials(tmp_path) == ["001-b1", "002-b2"]


def test_an_interrupt_after_a_trials_record_leaves_record_and_row(run: Bench, tmp_path: Path) -> None:
    def trial(one: cells.Trial, setting: Any, say: Any) -> dict[str, Any]:
        row = finish(one, setting, say)
        if one.block == 2:
            raise KeyboardInterrupt
        return row

    code, shown = run(trial)
    assert code == 130
    assert trials(tmp_path) == ["001-b1", "002-b2"]
    assert "interrupted: 2 of 3 trials finished" in shown
    assert "002-b2" in (results(tmp_path) / "trials.csv").read_text()


def test_a_run_that_cannot_be_gone_on_with_leaves_no_directory(
    run: Bench, engine: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any) -> None:
        raise full("manifest.json")

    monkeypatch.setattr(sweep, "write_json", no_room)
    failure, _ = run(finish)
    assert str(failure) == (
        "the testbed failed: manifest.json: No space left on device; nothing had been measured: start it again"
    )
    assert list((tmp_path / "results").iterdir()) == []
    assert not engine.left


def test_trials_that_all_are_there_without_their_summary_are_no_success(
    run: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sweep.write_json

    def no_room(path: Path, value: object) -> None:
        if path.name == "summary.json":
            raise full("summary.json")
        write(path, value)

    monkeypatch.setattr(sweep, "write_json", no_room)
    failure, shown = run(finish)
    assert isinstance(failure, Breakdown)
    assert "3 of 3 trials finished" in shown
    assert trials(tmp_path) == ["001-b1", "002-b2", "003-b3"]


def test_what_the_user_has_to_put_right_stays_a_user_error(
    run: Bench, engine: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise UserError("image: found none")

    def no_room(_: Any) -> None:
        raise full("logs")

    monkeypatch.setattr(sweep.LoadStack, "start", refuse)
    monkeypatch.setattr(sweep.LoadStack, "keep_logs", no_room)
    failure, _ = run(finish)
    assert isinstance(failure, UserError)
    assert str(failure) == "image: found none\nlogs: No space left on device"
    assert not engine.left


def test_three_good_trials_are_exit_code_0(run: Bench, engine: Docker) -> None:
    code, _ = run(finish)
    assert (code, engine.removed) == (0, 1)
