"""Every wrong call ends in one clear line and exit code 2, before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest

from servers.models import MODELS

PROJECT = Path(__file__).parents[3]


def orchestrate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "orchestrate.py"), *arguments]
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**path, **environment}, check=False)


def refusal(*arguments: str, **environment: str) -> str:
    done = orchestrate(*arguments, **environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    assert refusal("build", "spxt") == (f"orchestrate.py: MODEL: found 'spxt', allowed: {', '.join(MODELS)}")


def test_a_missing_sweep_file_is_named() -> None:
    assert refusal("sweep", "gone.yaml", "--dry-run") == (
        "orchestrate.py: gone.yaml: no such file; ready-made ones are in sweeps/"
    )


def test_a_limit_beyond_the_machine_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("name: large\nlimits: {cpus: 9999}\n")
    assert "limits.cpus: found 9999, allowed: a number from 0.05 to" in refusal("sweep", str(path), "--dry-run")


def test_a_sweep_without_trials_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("name: none\nmodels: spst\nexclude: [{model: spst}]\n")
    assert "exclude: leaves no trial to run" in refusal("sweep", str(path), "--dry-run")


@pytest.mark.parametrize(
    "command", [("sweep", str(PROJECT / "sweeps/quickstart.yaml")), ("build",), ("up", "spst"), ("down",)]
)
def test_an_engine_that_does_not_run_is_one_line_that_says_what_helps(command: tuple[str, ...]) -> None:
    line = refusal(*command, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert line.startswith("orchestrate.py: Docker is not running; run: ")


def test_dry_run_prints_every_trial_and_the_expected_time_and_writes_nothing(tmp_path: Path) -> None:
    done = orchestrate(
        "sweep", str(PROJECT / "sweeps/quickstart.yaml"), "--dry-run", "--results", str(tmp_path / "results")
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 16
    assert lines[-1].startswith("quickstart: 15 trials, 1 s warm-up + 4 s window per trial, about ")
    assert not (tmp_path / "results").exists()


def test_models_are_listed_with_what_they_are() -> None:
    done = orchestrate("models")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[: len(MODELS)]] == list(MODELS)
    assert "asyncio" in done.stdout


def test_no_command_shows_the_commands() -> None:
    done = orchestrate()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr
