"""Every wrong call ends in one clear line and exit code 2, before anything is started."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import orchestrate as command_line
from servers.models import SERVERS
from testbed import commands
from testbed.commands import models
from testbed.errors import Breakdown, EngineGone, UserError
from testbed.names import EVERY
from tests.unit.testbed.made_runs import make_run

PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def orchestrate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The whole command line in this process, from its words and its environment to what it prints and ends with."""

    def run(*words: str, **environment: str) -> Done:
        monkeypatch.setattr("sys.argv", ["orchestrate.py", *words])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        try:
            code = command_line.main()
        except SystemExit as left:  # argparse's way
            code = left.code
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def refusal(orchestrate: Run) -> Callable[..., str]:
    """The one line on standard error of a call that is refused."""

    def refused(*words: str, **environment: str) -> str:
        done = orchestrate(*words, **environment)
        assert done.returncode == 2, done
        assert "Traceback" not in done.stderr
        (line,) = done.stderr.splitlines()
        return line

    return refused


def test_it_runs_as_a_program() -> None:
    """All else here is asked of the same main() in this process."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "orchestrate.py"), "build", "spxt"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"orchestrate.py: IMAGE: found 'spxt', allowed: {', '.join(EVERY)}\n"


def test_help_lists_every_command_with_what_it_does(orchestrate: Run) -> None:
    done = orchestrate("--help")
    assert done.returncode == 0
    (listed,) = re.findall(r"^  COMMAND\n((?:    .*\n)+)", done.stdout, re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines() if not line.startswith("     ")] == list(commands.NAMES)
    for name in commands.NAMES:
        assert commands.command(name).HELP in re.sub(r"\s+", " ", listed)


@pytest.mark.parametrize("package", ["argcomplete", "psutil"])
def test_a_package_that_is_missing_is_named_with_what_helps(
    package: str, orchestrate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = orchestrate("sweep", str(PROJECT / "sweeps/quickstart.yaml"), "--dry-run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"orchestrate.py: the package {package} is missing: run `make setup`, then .venv/bin/python orchestrate.py\n"
    )


def test_every_module_of_the_commands_is_one_of_them() -> None:
    modules = {path.stem for path in (PROJECT / "testbed" / "commands").glob("*.py")}
    assert modules == {*commands.NAMES, "__init__", "given"}


def test_an_unknown_model_or_image_is_named_with_the_known_ones(refusal: Callable[..., str]) -> None:
    assert refusal("up", "spxt") == f"orchestrate.py: MODEL: found 'spxt', allowed: {', '.join(SERVERS)}"
    # A front has an image, and is no model.
    assert refusal("up", "haproxy") == f"orchestrate.py: MODEL: found 'haproxy', allowed: {', '.join(SERVERS)}"
    assert refusal("build", "spxt") == f"orchestrate.py: IMAGE: found 'spxt', allowed: {', '.join(EVERY)}"


def test_a_missing_sweep_file_is_named(refusal: Callable[..., str]) -> None:
    assert refusal("sweep", "gone.yaml", "--dry-run") == (
        "orchestrate.py: gone.yaml: no such file; ready-made ones are in sweeps/"
    )


def test_a_limit_beyond_the_machine_is_refused_before_anything_starts(
    tmp_path: Path, refusal: Callable[..., str]
) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("name: large\nlimits: {cpus: 9999}\n")
    assert "limits.cpus: found 9999, allowed: a number from 0.05 to" in refusal("sweep", str(path), "--dry-run")


def test_a_sweep_without_trials_is_refused(tmp_path: Path, refusal: Callable[..., str]) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("name: none\nmodels: spst\nexclude: [{model: spst}]\n")
    assert "exclude: leaves no trial to run" in refusal("sweep", str(path), "--dry-run")


@pytest.mark.parametrize(
    "command",
    [("sweep", str(PROJECT / "sweeps/quickstart.yaml")), ("build",), ("up", "spst"), ("scale", "spst"), ("down",)],
)
def test_an_engine_that_does_not_run_is_one_line_that_says_what_helps(
    command: tuple[str, ...], refusal: Callable[..., str]
) -> None:
    line = refusal(*command, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert line.startswith("orchestrate.py: Docker is not running; run: ")


def test_dry_run_prints_every_trial_and_the_expected_time_and_writes_nothing(tmp_path: Path, orchestrate: Run) -> None:
    done = orchestrate(
        "sweep", str(PROJECT / "sweeps/quickstart.yaml"), "--dry-run", "--results", str(tmp_path / "results")
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    assert lines[-1].startswith("quickstart: 15 trials, 1 s warm-up + 3 s window per trial, about ")
    assert not (tmp_path / "results").exists()


def test_models_are_listed_with_what_they_are(orchestrate: Run) -> None:
    done = orchestrate("models")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[: len(SERVERS)]] == list(SERVERS)
    assert "asyncio" in done.stdout


def test_no_command_shows_the_commands(orchestrate: Run) -> None:
    done = orchestrate()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_compare_and_results_refuse_in_one_line(tmp_path: Path, refusal: Callable[..., str]) -> None:
    assert "no results here, manifest.json is missing" in refusal("compare", str(tmp_path), str(tmp_path / "b"))
    assert "allowed: two or more" in refusal("compare", str(tmp_path))
    assert "--fail-if: found 'p98'" in refusal("compare", str(tmp_path), str(tmp_path), "--fail-if", "p98")
    assert "nothing has been measured yet" in refusal("results", "--results", str(tmp_path / "none"))


def test_report_refuses_in_one_line_that_says_what_was_found_and_what_is_allowed(
    tmp_path: Path, refusal: Callable[..., str]
) -> None:
    gone, empty = tmp_path / "gone", tmp_path / "empty"
    empty.mkdir()
    (empty / "manifest.json").write_text('{"schema_version": 4}')
    for path in (gone, tmp_path, tmp_path / "empty" / "manifest.json"):
        line = refusal("report", str(path))
        assert line.startswith(f"orchestrate.py: {path}: no results here, manifest.json is missing or cannot be read")
        assert "allowed: a directory such as results/<sweep>-<time>; `orchestrate.py results` lists them" in line
    assert refusal("report", str(empty)) == (
        f"orchestrate.py: {empty}: no finished trial here, so there is nothing to report; run the sweep first"
    )
    assert refusal("report", "--results", str(gone)) == (
        f"orchestrate.py: {gone}: no results yet, so there is nothing to report; `make demo` runs a first sweep"
    )


def test_report_of_the_web_pages_runs_needs_an_engine_and_says_so(tmp_path: Path, refusal: Callable[..., str]) -> None:
    line = refusal("report", "web", "--results", str(tmp_path), DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert line.startswith("orchestrate.py: Docker is not running; run: ")


def test_report_writes_the_page_and_names_it(tmp_path: Path, orchestrate: Run) -> None:
    run = make_run(tmp_path / "made")
    done = orchestrate("report", str(run))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"report: {run / 'report.html'}\n", "")
    assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("limits: found 9"), 2, "orchestrate.py: limits: found 9\n"),
        (Breakdown("it burns\nbesides: it rains"), 3, "orchestrate.py: it burns\norchestrate.py: besides: it rains\n"),
        (EngineGone("Docker's engine does not answer any more"), 3, "orchestrate.py: Docker's engine does not"),
        (KeyboardInterrupt(), 130, "orchestrate.py: interrupted\n"),
        (KeyError("oops"), 3, "orchestrate.py: models failed: unexpected KeyError: 'oops'; its traceback: "),
    ],
)
def test_each_way_to_fail_has_its_exit_code_and_no_traceback(
    raised: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def fails(*_: object) -> int:
        raise raised

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(models, "run", fails)
    monkeypatch.setattr("sys.argv", ["orchestrate.py", "models"])
    assert command_line.main() == code
    told = capsys.readouterr().err
    assert told.startswith(line)
    assert "Traceback" not in told
    assert all(one.startswith("orchestrate.py: ") for one in told.splitlines())
