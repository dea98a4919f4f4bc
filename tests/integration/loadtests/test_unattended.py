"""A run that nobody starts or stops: master and workers end by themselves, and the exit code says how it went."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.loadtests.locust_stack import LocustStack, counts_add_up, free_port
from tests.integration.servers.running import server
from tests.waiting import wait_until

SHORT = ("--warmup-s", "0.2", "--window-s", "0.8")


@pytest.fixture
def started(tmp_path):
    """Starts a master and workers as containers of a cluster would be started: by their command lines alone."""
    stacks = []

    def start(targets: dict[str, int], *arguments: str, workers: int = 1) -> LocustStack:
        stacks.append(LocustStack(targets, tmp_path, workers, arguments))
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.shut_down()


def ended(stack: LocustStack) -> int:
    try:
        return stack.master.wait(60)
    except subprocess.TimeoutExpired:
        pytest.fail(stack.log())


def results(directory: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((directory / "load").glob("*.json"))]


@pytest.mark.parametrize("way", [("--headless",), ("--autostart", "--autoquit", "0")])
def test_it_runs_what_the_options_say_and_ends_with_its_workers(started, tmp_path, way):
    with server("spmt") as spmt:
        options = ("--users", "6", "--spawn-rate", "6", "--connection", "5", "--spin-us", "200", "--sleep-us", "1000")
        stack = started({"spmt": spmt.port}, *way, "--expect-workers", "2", *SHORT, *options, workers=2)
        assert ended(stack) == 0, stack.log()
        assert [worker.wait(20) for worker in stack.workers] == [0, 0], stack.log()
    (result,) = results(tmp_path)
    counts_add_up(result)
    assert result["ok"] > 0 and result["failed"] == 0
    assert result["workers_present"] == {"expected": 2, "throughout": True}
    said = result["options"]
    # Work is asked for in time, and the server was asked for units: it was calibrated.
    assert (said["connection"], said["sleep_us"], said["spin_us"]) == ("5", 1000, 200)
    assert said["spin_units"] > 0


def test_holders_and_a_rate_that_changes_come_too(started, tmp_path):
    with server("spmt") as spmt:
        load = ("--mode", "open", "--load-profile", "40x400ms,80x400ms", "--idle-holders", "20", "--users", "8")
        stack = started({"spmt": spmt.port}, "--headless", *SHORT, *load)
        assert ended(stack) == 0, stack.log()
    (result,) = results(tmp_path)
    assert result["options"]["load_profile"] == "40x400ms,80x400ms"
    assert result["idle_holders"]["held_throughout"] == 20


def test_a_target_that_comes_later_is_waited_for(started, tmp_path):
    port = free_port()
    stack = started({"spmt": port}, "--autostart", "--autoquit", "0", *SHORT)
    stack.wait_ready(1)
    assert stack.status()["trial_id"] == ""
    with server("spmt", PORT=str(port)):
        assert ended(stack) == 0, stack.log()
    assert len(results(tmp_path)) == 1


def test_it_stays_until_it_is_stopped_where_nobody_said_when_to_quit(started, tmp_path):
    with server("spmt") as spmt:
        stack = started({"spmt": spmt.port}, "--autostart", *SHORT, "--trial-id", "named")
        wait_until(lambda: (tmp_path / "load" / "named.json").exists(), "the result", 30)
        assert stack.wait_status("the end of the run", final=True)["trial_id"] == "named"
        assert stack.master.poll() is None


def test_a_run_that_loses_a_worker_ends_with_exit_code_1(started, tmp_path):
    with server("spmt") as spmt:
        stack = started({"spmt": spmt.port}, "--autostart", "--autoquit", "0", "--window-s", "30")
        stack.wait_ready(1)
        stack.wait_status("the run", state="running")
        stack.workers[0].kill()
        assert ended(stack) == 1, stack.log()
    assert "not recorded: 1 of 1 workers lost" in stack.log()
    assert results(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--headless"], "--window-s: above 0 where nobody stops the run, not 0"),
        (["--headless", "--run-time", "5s"], "--run-time: none here; --warmup-s and --window-s say how long a run is"),
        (["--headless", "--window-s", "1", "--mode", "open"], "rate: mode open needs requests per second above 0"),
        (
            [
                "--autostart",
                "--window-s",
                "1",
                "--mode",
                "open",
                "--rate",
                "9",
                "--users",
                "1",
                "--expect-workers",
                "2",
            ],
            "1 users for 2 workers: mode open shares the rate equally, so each worker needs one",
        ),
        (
            ["--headless", "--window-s", "1", "--spin-us", "1", "--spin-units", "1"],
            "spin_us: 0 where spin_units is given, not 1",
        ),
    ],
)
def test_what_cannot_run_without_a_person_is_refused_in_one_line(started, arguments, line):
    stack = started({"down": free_port()}, *arguments, workers=0)
    assert ended(stack) == 1, stack.log()
    assert line in stack.log()
