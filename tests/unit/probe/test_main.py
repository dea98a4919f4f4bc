"""The command line: defaults, one line for each bad value, and a stop that leaves what there is."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from probe.__main__ import Arguments, BadArgument, parse
from tests.waiting import wait_until

PROJECT = Path(__file__).parents[3]


def probe(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "probe", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


def test_what_is_asked_for_is_what_it_does(tmp_path: Path) -> None:
    assert parse([]) == Arguments(interval_s=1.0)
    assert parse(["--output", str(tmp_path), "--name", "t-1"]) == Arguments(tmp_path, "t-1")
    assert parse([f"--output={tmp_path}", "--name=t", "--interval=0.5", "--detail-interval", "2", "--port", "9"]) == (
        Arguments(tmp_path, "t", 0.5, 2.0, 9)
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--nonsense"], "unknown argument '--nonsense'"),
        (["--interval"], "--interval: no value given"),
        (["--interval", "fast"], "--interval: found 'fast', allowed: a number of seconds from 0.05 to 60"),
        (["--interval", "nan"], "--interval: found 'nan'"),
        (["--detail-interval", "0"], "--detail-interval: found '0'"),
        (["--port", "0"], "--port: found '0', allowed: a whole number from 1 to 65535"),
        (["--name", "t"], "--output and --name: one without the other"),
        (["--output", "/tmp"], "--output and --name: one without the other"),
        (["--output", "/nonexistent", "--name", "t"], "--output: found '/nonexistent', allowed: an existing directory"),
        (["--output", "/tmp", "--name", "../t"], "--name: found '../t', allowed: letters"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(words: list[str], says: str) -> None:
    with pytest.raises(BadArgument) as error:
        parse(words)
    assert says in str(error.value)


def test_a_bad_value_ends_it_with_one_line_and_exit_code_2() -> None:
    process = probe("--interval", "0")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    assert errors.startswith("probe: --interval: found '0'") and len(errors.splitlines()) == 1


def test_a_bad_window_file_ends_it_with_one_line_and_leaves_no_result(tmp_path: Path) -> None:
    (tmp_path / "t.window.json").write_text("{}")
    process = probe("--output", str(tmp_path), "--name", "t")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.startswith(f"probe: {tmp_path}/t.window.json: found '{{}}'") and len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.window.json"]


def test_a_stop_writes_what_there_is_and_says_that_it_is_not_complete(tmp_path: Path) -> None:
    process = probe("--output", str(tmp_path), "--name", "t")
    try:
        wait_until(lambda: list(tmp_path.iterdir()), "the start of the series")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.probe.json", "t.probe.ndjson"]
    assert json.loads((tmp_path / "t.probe.json").read_text())["complete"] is False


def test_starting_imports_neither_psutil_nor_an_argument_parser() -> None:
    script = "import sys, probe.__main__; print([m for m in ('psutil', 'argparse', 'subprocess') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.strip() == "[]"
