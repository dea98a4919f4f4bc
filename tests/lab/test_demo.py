"""`make demo-swarm`, as a person starts it, and leaves it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.stack import PROJECT, TIMEOUT_S
from tests.lab.sweeps import FIRST, SECOND, THIRD, finished, ids, rows_of, write_sweep
from tests.lab.traces import traces

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("images")]


@contextmanager
def shown(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo of a sweep of three trials."""
    command = [sys.executable, "-m", "tests.lab.demo", str(write_sweep(directory)), "--results", directory / "results"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def token_of(output: str) -> str:
    """Of the lab that was started; all that is there of it bears it."""
    found = re.search(r"DOCKER_HOST=unix:///\S+/threadmill-lab-([0-9a-f]+)-", output)
    assert found is not None, output
    return found[1]


def test_the_demo_shows_a_sweep_on_three_engines_and_takes_them_down(tmp_path: Path) -> None:
    with shown(tmp_path) as process:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, output
    for name in ("n1", "n2", "n3"):
        assert f"[lab] {name} at " in output
    assert ids(rows_of(tmp_path / "results")) == [FIRST, SECOND, THIRD]
    assert traces(token_of(output)) == []


def test_a_demo_that_is_ended_in_mid_sweep_keeps_what_is_finished_and_leaves_nothing_running(tmp_path: Path) -> None:
    output = ""
    with shown(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if FIRST in line:
                process.send_signal(signal.SIGTERM)
                break
        rest, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, output + rest
    assert FIRST in finished(tmp_path / "results")
    assert THIRD not in finished(tmp_path / "results")
    assert "Traceback" not in output + rest
    assert traces(token_of(output)) == []
