"""A sweep that is ended just as a replica is started: what is finished stays, the rest is completed."""

from pathlib import Path

import pytest
from docker.models.containers import Container

from testbed.stack.services import TRIAL_LABEL
from tests.e2e.compose import left_of
from tests.e2e.stack import Terminal, containers_of, orchestrate, terminal
from tests.e2e.test_matrix import finished
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.test_scaling import CHANGES, LOAD, REPLICATED, THREE, found_in
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

FIRST, SECOND = "001-b1-thread-pool-0.4cpu", "002-b2-thread-pool-0.4cpu"


def joined(name: str) -> Container | None:
    """The container of the replica that joins the second trial, started or not yet."""
    for one in containers_of(name):
        if one.labels.get(TRIAL_LABEL) == SECOND and one.labels["com.docker.compose.service"] == THREE:
            return one
    return None


def end_at_a_change(shown: Terminal, name: str, how: str) -> str:
    """End the sweep once that container is there. Its project in Compose."""
    there = wait_until(lambda: joined(name) or (shown.process.poll() is not None), "a replica that joins", 90)
    assert isinstance(there, Container), shown.output
    if how == "kill":
        shown.process.kill()
        shown.process.wait()
    else:
        shown.interrupt()
        assert shown.end() == 130, shown.output
        assert "Traceback" not in shown.output
    return str(there.labels["com.docker.compose.project"])


# What ends it knows nothing of who asked for the replica: each of both once.
@pytest.mark.parametrize(("key", "how"), [("replicas", "interrupt"), ("law", "kill")])
def test_ended_while_a_replica_is_started_it_is_completed_and_leaves_nothing(
    tmp_path: Path, name: str, key: str, how: str
) -> None:
    front = {"kind": "haproxy", "cpus": 0.4, "queue": "front"}
    changes = {"front": front, "scaling": CHANGES[key], "repeat": 2, "duration": "7s"}
    path, root = write_sweep(tmp_path, name, **REPLICATED, load=LOAD, **changes), tmp_path / "results"
    with terminal("sweep", path, "--results", root) as shown:
        project = end_at_a_change(shown, name, how)
    if how == "interrupt":
        assert left_of(project) == []
    results, rows = results_of(root)
    before = finished(results)
    assert [row["trial_id"] for row in rows] == [FIRST]
    assert {Path(file).parts[1] for file in before} == {FIRST}

    done = orchestrate("sweep", "--resume", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_of(project) == []
    after = finished(results)
    assert {file: after.get(file) for file in before} == before
    _, rows = results_of(root)
    assert [(row["trial_id"], row["status"]) for row in rows] == [(FIRST, "ok"), (SECOND, "ok")]
    record = found_in(results, rows[1]).record
    assert [one["done"] for one in record["actions"]] == [True] * len(record["actions"]) != []
    assert max(one["serving"] for one in record["provision"]) == 3
    assert not list(results.glob("trials/*/.*"))
