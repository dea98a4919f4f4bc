"""Two sweeps never run at once, and a killed one leaves no lock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.stack.lock import PATH, only_sweep

HOLDER = """
import sys, subprocess
from pathlib import Path
from testbed.stack.lock import only_sweep
with only_sweep("first", Path(sys.argv[1])) as lock:
    if len(sys.argv) > 2:
        subprocess.Popen(["sleep", sys.argv[2]], stdout=subprocess.DEVNULL, pass_fds=[lock])
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path, *child_sleeps: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLDER, str(path), *child_sleeps]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_second_sweep_is_refused_and_told_which_one_runs(tmp_path: Path) -> None:
    first = holder(tmp_path / "lock")
    try:
        with (
            pytest.raises(UserError, match=rf"another sweep runs on this machine \(first, process {first.pid}\)"),
            only_sweep("second", tmp_path / "lock", patience_s=0.0),
        ):
            pass
    finally:
        end(first)


def test_it_is_the_same_lock_for_a_user_with_temporary_files_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from testbed.stack.lock import PATH; print(PATH)"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    told = subprocess.run(command, env=environment, cwd=Path(__file__).parents[4], capture_output=True, check=True)
    assert told.stdout.decode().strip() == str(PATH)


def test_a_killed_sweep_leaves_no_lock(tmp_path: Path) -> None:
    end(holder(tmp_path / "lock"))
    with only_sweep("second", tmp_path / "lock", patience_s=5.0):
        pass


def test_what_a_killed_sweep_still_runs_keeps_the_lock_until_it_ends(tmp_path: Path) -> None:
    end(holder(tmp_path / "lock", "1.0"))
    with pytest.raises(UserError), only_sweep("second", tmp_path / "lock", patience_s=0.0):
        pass
    with only_sweep("second", tmp_path / "lock", patience_s=10.0):
        pass


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for run_id in ("first", "second"):
        with only_sweep(run_id, tmp_path / "lock", patience_s=0.0):
            pass
