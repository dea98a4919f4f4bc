"""Whatever fails in a sweep, its containers go, finished trials stay, and one line says why and how to go on."""

import errno
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from testbed.errors import Breakdown, UserError
from testbed.run import course, outcome, preparation, trial
from tests.unit.testbed.run.fake_engine import FakeEngine
from tests.unit.testbed.run.sweeping import Sweeping, sweeping  # noqa: F401 - a fixture

SECOND = "up 002-b2"


@pytest.fixture
def bench(sweeping: Sweeping) -> Sweeping:  # noqa: F811
    """A sweep of three trials."""
    return sweeping


def raises(error: BaseException) -> Callable[[], None]:
    def happens() -> None:
        raise error

    return happens


def full(name: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def is_clean(engine: FakeEngine) -> bool:
    return not engine.is_up and engine.calls.count("remove") == 1


def test_containers_go_although_their_logs_cannot_be_saved(bench: Sweeping) -> None:
    bench.engine.on = {SECOND: raises(full("trials/002/server.log")), "logs": raises(full("logs/locust-1.log"))}
    failure, _ = bench.run()
    assert is_clean(bench.engine)
    assert isinstance(failure, Breakdown)
    first, besides = str(failure).splitlines()
    assert first.startswith("the testbed failed: trials/002/server.log: No space left on device; to go on: ")
    assert first.endswith(f"orchestrate.py sweep --resume {bench.results}")
    assert besides == "besides: logs/locust-1.log: No space left on device"
    # The trial that was cut off is not there; the one before it is.
    assert [path.name[:6] for path in bench.results.glob("trials/*")] == ["001-b1"]


def test_what_was_set_up_is_undone_the_last_first(bench: Sweeping) -> None:
    seen: list[tuple[str, bool, bool]] = []

    def look(name: str) -> Callable[[], None]:
        directory = bench.results_root
        return lambda: seen.append((name, any(directory.glob("*/load")), any(directory.glob("*/trials/002-*"))))

    bench.engine.on = {SECOND: raises(KeyboardInterrupt()), "logs": look("logs"), "remove": look("remove")}
    code, _ = bench.run()
    assert code == 130
    # The trial that was cut off is dropped first; the directory is closed when nobody can write to it any more.
    assert seen == [("logs", True, False), ("remove", True, False)]
    assert not (bench.results / "load").exists()
    assert (bench.results / "logs" / "locust-1.log").read_text() == "ready\n"


@pytest.mark.parametrize("step", ["logs", "remove"])
def test_no_interrupt_cuts_the_undoing_short(bench: Sweeping, step: str) -> None:
    bench.engine.on = {step: lambda: os.kill(os.getpid(), signal.SIGINT)}
    assert bench.run()[0] == 0
    assert is_clean(bench.engine)
    assert not (bench.results / "load").exists()


def test_a_bug_is_a_line_and_the_containers_go(bench: Sweeping) -> None:
    bench.engine.on = {SECOND: lambda: {}["nobody thought of"]}
    failure, shown = bench.run()
    assert is_clean(bench.engine)
    assert isinstance(failure, Breakdown)
    assert str(failure).startswith("the testbed failed: unexpected KeyError: 'nobody thought of'; its traceback: ")
    assert bench.finished() == ["001-b1"]
    assert "1 of 3 trials finished" in shown


def dies(engine: FakeEngine, comes_back: bool) -> Callable[[], None]:
    def happens() -> None:
        engine.dead, engine.comes_back = True, comes_back

    return happens


def test_an_engine_that_died_and_is_back_has_nothing_left(bench: Sweeping) -> None:
    bench.engine.on = {SECOND: dies(bench.engine, comes_back=True)}
    failure, _ = bench.run()
    assert is_clean(bench.engine)
    (line,) = str(failure).splitlines()
    assert line.startswith("the testbed failed: Docker's engine does not answer any more: Connection refused; to go on")


def test_an_engine_that_stays_dead_is_one_line_that_says_what_is_left(bench: Sweeping) -> None:
    bench.engine.on = {SECOND: dies(bench.engine, comes_back=False)}
    failure, _ = bench.run()
    (line,) = str(failure).splitlines()
    assert "containers are left, which the next sweep removes, or `orchestrate.py down --runs`; to go on: " in line


def test_a_terminal_that_is_gone_does_not_keep_the_containers(bench: Sweeping) -> None:
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

    bench.engine.on = {SECOND: hangs_up}
    bench.run(Console(file=terminal))  # type: ignore[arg-type]
    assert is_clean(bench.engine)
    assert bench.finished() == ["001-b1"]


def failing_at(monkeypatch: pytest.MonkeyPatch, module: Any, fails: Callable[[Path, Any], bool]) -> None:
    """From now on there is no room for what this module writes where `fails(path, content)`."""
    for name in ("write_atomically", "write_json"):
        if not hasattr(module, name):
            continue

        monkeypatch.setattr(module, name, partial(_written, getattr(module, name), fails))


def _written(write: Callable[[Path, Any], None], fails: Callable[[Path, Any], bool], path: Path, content: Any) -> None:
    if fails(path, content):
        raise full(path.name)
    write(path, content)


def test_a_finished_trial_stays_when_the_table_of_all_cannot_be_written(
    bench: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, course, lambda path, text: path.name == "trials.csv" and "002-b2" in text)
    failure, _ = bench.run()
    assert str(failure).startswith("the testbed failed: trials.csv: No space left on device; to go on")
    assert bench.finished() == ["001-b1", "002-b2"]


def test_an_interrupt_after_a_trials_record_leaves_record_and_row(
    bench: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = trial.write_json

    def interrupted(path: Path, value: object) -> None:
        write(path, value)
        if path.name == "trial.json" and "002-b2" in str(path):
            raise KeyboardInterrupt

    monkeypatch.setattr(trial, "write_json", interrupted)
    code, shown = bench.run()
    assert code == 130
    assert bench.finished() == ["001-b1", "002-b2"]
    assert "interrupted: 2 of 3 trials finished" in shown
    assert "002-b2" in (bench.results / "trials.csv").read_text()


def test_a_run_that_cannot_be_gone_on_with_leaves_no_directory(
    bench: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, preparation, lambda path, _: path.name == "manifest.json")
    failure, _ = bench.run()
    assert str(failure) == (
        "the testbed failed: manifest.json: No space left on device; nothing had been measured: start it again"
    )
    assert list(bench.results_root.iterdir()) == []
    assert is_clean(bench.engine)


def test_a_directory_of_another_that_is_in_the_way_is_left_alone(bench: Sweeping, tmp_path: Path) -> None:
    bench.results_root.write_text("a file")
    failure, _ = bench.run()
    assert isinstance(failure, UserError)
    assert "cannot be created: Not a directory; choose another place with --results DIR" in str(failure)
    assert bench.results_root.read_text() == "a file"
    assert bench.engine.calls == []


def test_a_calibration_that_is_refused_leaves_nothing(bench: Sweeping) -> None:
    bench.fields |= {"workload": {"spin": "1ms"}}
    bench.engine.on = {"run_once": raises(UserError("spst: calibration failed: no such module"))}
    failure, _ = bench.run()
    assert str(failure) == "spst: calibration failed: no such module"
    assert bench.engine.calls == ["run_once", "remove"]
    assert list(bench.results_root.iterdir()) == []


def test_trials_that_all_are_there_without_their_summary_are_no_success(
    bench: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, outcome, lambda path, _: path.name == "summary.json")
    failure, shown = bench.run()
    assert isinstance(failure, Breakdown)
    assert "3 of 3 trials finished" in shown
    assert bench.finished() == ["001-b1", "002-b2", "003-b3"]


def test_what_the_user_has_to_put_right_stays_a_user_error(bench: Sweeping) -> None:
    bench.engine.on = {"up load": raises(UserError("image: found none")), "logs": raises(full("logs"))}
    failure, _ = bench.run()
    assert isinstance(failure, UserError)
    assert str(failure) == "image: found none\nlogs: No space left on device"
    assert is_clean(bench.engine)


def test_three_good_trials_are_exit_code_0(bench: Sweeping) -> None:
    code, _ = bench.run()
    assert code == 0
    assert is_clean(bench.engine)


def test_what_a_killed_sweep_has_left_goes_before_anything_begins(bench: Sweeping) -> None:
    bench.engine.left_behind = ["killed-1"]
    code, shown = bench.run()
    assert (code, bench.engine.left_behind) == (0, [])
    assert bench.engine.calls[0] == "remove"
    assert "removing what the sweep killed-1 left behind ..." in shown
