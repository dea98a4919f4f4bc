"""What a shell is told when a person presses Tab: argcomplete's protocol, as the shell's function speaks it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.models import SERVERS
from testbed.commands import NAMES
from testbed.names import EVERY

PROJECT = Path(__file__).parents[4]
SEPARATOR = "\v"


def completions(line: str, at: Path, told: Path) -> list[str]:
    """What completes the last word of this line, typed in the directory `at`. `told` is where the answer is written."""
    environment = {
        "PATH": os.environ["PATH"],
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(told),
        "_ARGCOMPLETE_IFS": SEPARATOR,
        "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n\"'><=;|&(:",
        "IFS": SEPARATOR,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run(
        [sys.executable, str(PROJECT / "orchestrate.py")], cwd=at, env=environment, capture_output=True, check=True
    )
    return told.read_text().split(SEPARATOR)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with results of a sweep, a directory that holds none, and a sweep file."""
    (tmp_path / "here" / "kept" / "mine-1").mkdir(parents=True)
    (tmp_path / "here" / "kept" / "mine-1" / "manifest.json").write_text("{}")
    (tmp_path / "here" / "kept" / "other").mkdir()
    (tmp_path / "here" / "own.yaml").touch()
    (tmp_path / "here" / "notes.txt").touch()
    return tmp_path / "here"


def test_a_shell_completes_commands_models_results_and_sweep_files(here: Path, tmp_path: Path) -> None:
    def asked(words: str) -> list[str]:
        return sorted(completions(f"orchestrate.py {words}", here, tmp_path / "told"))

    assert asked("") == sorted(NAMES)
    assert asked("up spmt thread") == [name for name in SERVERS if name.startswith("thread")]
    assert asked("watch ") == sorted(SERVERS)
    assert asked("build ") == sorted(EVERY)
    assert asked("report --results kept ") == ["kept/mine-1", "web"]
    assert asked("compare kept/m") == ["kept/mine-1/"]
    assert asked("sweep ow") == ["own.yaml"]
    assert f"{os.path.relpath(PROJECT, here)}/sweeps/quickstart.yaml" in asked("sweep ../")
    assert asked("sweep --dry") == ["--dry-run"]


def test_the_shells_own_completion_may_run_the_program() -> None:
    """The mark that the completion for all Python programs looks for, within the first kilobyte."""
    assert "PYTHON_ARGCOMPLETE_OK" in (PROJECT / "orchestrate.py").read_text()[:1024]
