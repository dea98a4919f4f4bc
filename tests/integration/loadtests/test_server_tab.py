"""A probe's lines reach the page and the record of a run, and the list of targets says which are up."""

import json
import time

import pytest

from tests.integration.loadtests.locust_stack import free_port, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with (
        server("spmt") as spmt,
        locust_stack({"spmt": spmt.port, "mpst": free_port()}, tmp_path_factory.mktemp("results")) as running,
    ):
        yield running


def post(stack, sample):
    return stack._session.post(stack.base_url + "/threadmill/samples", json=sample, timeout=20)


def sample(**values):
    return {"schema_version": 2, "model": "spmt", "unix": time.time(), **values}


def test_targets_tell_which_are_up(stack):
    assert stack.get("/threadmill/targets") == {"spmt": True, "mpst": False}


def test_a_sample_that_is_none_is_refused_with_one_line(stack):
    answer = post(stack, {"schema_version": 2, "model": "spst"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "model: one of spmt, mpst, not 'spst'"
    too_long = post(stack, sample(padding="x" * 70_000))
    assert too_long.status_code == 413


def test_the_tab_shows_the_target_of_the_run_and_the_lines_are_kept_with_its_result(stack):
    stack.start(target="spmt", users=2, window_s=0, idle_holders=3)

    def figures():
        assert post(stack, sample(threads=3, memory_now_bytes=10 * 2**20)).status_code == 200
        (table,) = stack.get("/stats/requests").get("extended_stats", [{"data": []}])
        assert table.get("key", "server") == "server"
        return {row["what"]: row["now"] for row in table["data"]} if len(table["data"]) > 2 else None

    found = wait_until(lambda: (now := figures()) and "-" not in now["idle holders"] and now, "figures of the server")
    assert found["idle holders"] == "3 of 3"
    assert (found["threads"], found["memory"], found["processes"]) == ("3", "10.0 MiB", "-")
    ended = stack.stop()
    assert ended["complete"], ended
    series = (stack.results / ended["file"]).with_suffix(".probe.ndjson")
    lines = [json.loads(line) for line in series.read_text().splitlines()]
    assert lines
    assert {line["model"] for line in lines} == {"spmt"}
    # What arrived before the run is none of its.
    assert all(line["unix"] > stack.result(ended["file"][5:-5])["started_unix"] - 1 for line in lines)


def test_a_trial_of_a_sweep_keeps_no_second_series(stack):
    post(stack, sample())
    stack.start(target="spmt", users=1, window_s=0.3, trial_id="t1")
    stack.wait_status("the window's end", users=1)
    post(stack, sample())
    assert stack.stop()["complete"]
    assert not (stack.results / "load" / "t1.probe.ndjson").exists()
