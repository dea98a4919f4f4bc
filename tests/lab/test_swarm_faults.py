"""`sweep --on swarm` where the swarm is not as it should be, or ceases to be: one line, and nothing of ours is left."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from testbed.names import image_name
from tests.e2e.stack import Terminal, orchestrate, terminal
from tests.lab.cluster import Cluster
from tests.lab.engines import STANDARD, LabEngine
from tests.lab.sweeps import FIRST, SECOND, THIRD, finished, ids, rows_of, write_sweep

pytestmark = pytest.mark.timeout(400)

IMAGE = image_name("event-loop")


def swept(nodes: Cluster, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return orchestrate("sweep", "--on", "swarm", *words, environment=nodes.environment)


def refused(nodes: Cluster, directory: Path, *, code: int = 2, **endpoints: str | None) -> str:
    """The one line with which a sweep there ends before its first trial; nothing is left of it, not even results."""
    file = nodes.nodes_file(directory, **endpoints)
    results = directory / "results"
    done = swept(nodes, "--nodes", file, write_sweep(directory), "--results", results)
    assert done.returncode == code, done.stdout + done.stderr
    assert finished(results) == {}
    assert not results.exists() or list(results.iterdir()) == []
    assert nodes.left() == {}
    return the_one_line(done.stdout + done.stderr)


def the_one_line(output: str) -> str:
    """The only one that says why; nothing comes after it."""
    assert "Traceback" not in output
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    (line,) = [line for line in lines if line.startswith("orchestrate.py: ")]
    assert lines[-1] == line, output
    return line


def test_an_engine_in_no_swarm_is_refused(engine: LabEngine, tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text(json.dumps({"nodes": {engine.name: engine.host}}))
    words = ("--on", "swarm", "--nodes", file, write_sweep(tmp_path), "--results", tmp_path / "results")
    done = orchestrate("sweep", *words, environment=engine.environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "swarm" in the_one_line(done.stdout + done.stderr)
    assert not (tmp_path / "results").exists()


def test_a_worker_is_no_manager(nodes: Cluster, tmp_path: Path) -> None:
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(tmp_path), write_sweep(tmp_path))
    done = orchestrate("sweep", *words, environment=nodes.nodes[1].environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "manager" in the_one_line(done.stdout + done.stderr)


@pytest.mark.parametrize("role", ["server", "load"])
def test_a_swarm_without_a_node_of_a_role_is_refused(nodes: Cluster, tmp_path: Path, role: str) -> None:
    for node in nodes.nodes:
        if nodes.roles[node.name] == role:
            nodes.label(node, None)
    assert f"threadmill.role={role}" in refused(nodes, tmp_path)


def test_a_node_that_is_down_is_named(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    second.stop()
    nodes.wait_for_state(second, "down")
    file = nodes.nodes_file(tmp_path)
    done = swept(nodes, "--nodes", file, write_sweep(tmp_path), "--results", tmp_path / "results")
    assert done.returncode == 2, done.stdout + done.stderr
    line = the_one_line(done.stdout + done.stderr)
    assert second.name in line
    assert "down" in line


@pytest.mark.parametrize("word", ["drain", "pause"])
def test_a_node_that_takes_no_tasks_is_named(nodes: Cluster, tmp_path: Path, word: str) -> None:
    _, second, _ = nodes.nodes
    nodes.availability(second, word)
    line = refused(nodes, tmp_path)
    assert second.name in line
    assert word in line


def test_a_node_that_its_manager_does_not_reach_is_named_though_its_engine_answers(
    nodes: Cluster, tmp_path: Path
) -> None:
    _, second, _ = nodes.nodes
    with second.apart_from(nodes.manager):
        nodes.wait_for_state(second, "down")
        line = refused(nodes, tmp_path)
    assert second.name in line
    assert "down" in line


def test_a_node_whose_engine_does_not_answer_is_named(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    endpoint = f"unix://{tmp_path}/nobody.sock"
    line = refused(nodes, tmp_path, **{second.name: endpoint})
    assert second.name in line
    assert endpoint in line


def test_a_node_without_an_endpoint_is_named(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    line = refused(nodes, tmp_path, **{second.name: None})
    assert second.name in line


def test_an_endpoint_of_another_machine_than_its_node_is_named(nodes: Cluster, tmp_path: Path) -> None:
    _, second, third = nodes.nodes
    line = refused(nodes, tmp_path, **{second.name: third.host})
    assert second.name in line
    assert third.name in line


def test_limits_beyond_the_machine_of_the_server_are_refused(nodes: Cluster, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, limits={"cpus": 64, "memory": "64MiB"})
    done = swept(nodes, "--nodes", nodes.nodes_file(tmp_path), sweep, "--results", tmp_path / "results")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "64" in the_one_line(done.stdout + done.stderr)
    assert nodes.left() == {}


def without_images(node: LabEngine) -> None:
    if images := node.docker("image", "ls", "--all", "--quiet").split():
        node.docker("image", "rm", "--force", *dict.fromkeys(images))


@contextmanager
def no_room_for_images(node: LabEngine) -> Iterator[None]:
    """What is loaded is unpacked in a file system of 1 MiB."""
    place = node.directory / "data-root" / "tmp"
    with ExitStack() as stack:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", place], check=True)
        yield


def test_a_node_that_cannot_take_an_image_is_named_with_it(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    without_images(second)
    with no_room_for_images(second):
        line = refused(nodes, tmp_path)
    assert second.name in line
    assert "no space left on device" in line.lower()


def test_images_are_brought_to_the_nodes_and_one_of_the_same_name_is_not_taken_for_ours(
    nodes: Cluster, tmp_path: Path
) -> None:
    manager, second, third = nodes.nodes
    for node in (second, third):
        without_images(node)
    with (tmp_path / "empty.tar").open("wb") as file:
        subprocess.run(["tar", "--create", "--files-from", "/dev/null"], stdout=file, check=True)
    second.docker("import", str(tmp_path / "empty.tar"), IMAGE)
    sweep = write_sweep(tmp_path, repeat=1)
    done = swept(nodes, "--nodes", nodes.nodes_file(tmp_path), sweep, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ids(rows_of(tmp_path / "results")) == ["001-b1-event-loop-0.5cpu"]
    (manifest,) = (tmp_path / "results").glob("*/manifest.json")
    identity = manager.docker("image", "inspect", "--format", "{{.Id}}", IMAGE).strip()
    assert json.loads(manifest.read_text())["images"]["event-loop"] == identity
    assert second.docker("image", "inspect", "--format", "{{.Id}}", identity).strip() == identity
    assert nodes.left() == {}


@contextmanager
def others(nodes: Cluster) -> Iterator[dict[str, list[str]]]:
    """What is not ours: on each node a container, a network and a volume; on the manager a service and its network.

    Yields what is there of it, and fails unless the same is there at the end and nothing else.
    """
    overlay = nodes.manager.docker("network", "create", "--driver", "overlay", "others").strip()
    nodes.manager.docker(
        *("service", "create", "--detach", "--no-resolve-image", "--name", "others", "--network", overlay),
        *("--constraint", f"node.hostname=={nodes.manager.name}", "--restart-condition", "none", IMAGE),
    )
    for node in nodes.nodes:
        if IMAGE not in node.docker("image", "ls", "--format", "{{.Repository}}").split():
            node.load([IMAGE])
        node.docker("network", "create", "somebody")
        node.docker("run", "--detach", "--name", "somebody", "--network", "somebody", "--volume", "somebody:/x", IMAGE)
    there = identities(nodes)
    try:
        yield there
        assert identities(nodes) == there
    finally:
        nodes.empty()


def identities(nodes: Cluster) -> dict[str, list[str]]:
    """Of all that is on each node but the tasks of a service, which a swarm starts anew where they have ended."""
    found: dict[str, list[str]] = {}
    for node in nodes.nodes:
        networks = node.docker("network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}").splitlines()
        containers = node.docker("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}").splitlines()
        found[node.name] = [
            *node.volumes(),
            *(line for line in networks if line.split()[1] not in STANDARD),
            *(line for line in containers if "others." not in line),
        ]
    found["services"] = nodes.manager.docker("service", "ls", "--format", "{{.ID}} {{.Name}}").splitlines()
    return {name: sorted(lines) for name, lines in found.items()}


@contextmanager
def sweeping(nodes: Cluster, directory: Path) -> Iterator[Terminal]:
    """The sweep of three trials on a terminal, as soon as the window of its second one has begun."""
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(directory), write_sweep(directory))
    with terminal("sweep", *words, "--results", directory / "results", environment=nodes.environment) as shown:
        shown.wait_for(f"{SECOND} window")
        yield shown


def gone_on(nodes: Cluster, directory: Path, *, code: int = 0) -> list[dict[str, str]]:
    """Resume it, to the end; its rows."""
    (results,) = (directory / "results").iterdir()
    done = swept(nodes, "--nodes", nodes.nodes_file(directory), "--resume", results)
    assert done.returncode == code, done.stdout + done.stderr
    return rows_of(directory / "results")


def test_a_node_that_vanishes_in_a_window_fails_that_trial_by_its_name_and_no_other(
    nodes: Cluster, tmp_path: Path
) -> None:
    _, second, _ = nodes.nodes
    with sweeping(nodes, tmp_path) as shown:
        second.lose_power()
        assert shown.end() == 3, shown.output
    assert "Traceback" not in shown.output
    # Why it ended, and what could not be removed.
    lines = [line.strip() for line in shown.output.splitlines()]
    told = [line for line in lines if line.startswith("orchestrate.py: ")]
    assert told[0].startswith("orchestrate.py: the testbed failed: ")
    assert second.name in " ".join(told)
    rows = {row["trial_id"]: row for row in rows_of(tmp_path / "results")}
    assert [(name, row["status"]) for name, row in rows.items()] == [(FIRST, "ok"), (SECOND, "failed")]
    assert f"node {second.name} does not answer" in rows[SECOND]["reasons"]
    before = finished(tmp_path / "results")
    nodes.restore()
    # What has failed has been found out, and stays.
    assert ids(gone_on(nodes, tmp_path, code=1)) == [FIRST, THIRD]
    assert before.items() <= finished(tmp_path / "results").items()
    assert nodes.left() == {}


def test_a_node_that_loses_its_network_in_a_window_gives_no_number(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    with sweeping(nodes, tmp_path) as shown, second.unplugged():
        # Its engine answers all the same: the nodes file says a socket.
        assert shown.end() != 0, shown.output
    assert "Traceback" not in shown.output
    rows = rows_of(tmp_path / "results")
    assert ids(rows) == [FIRST]
    assert {row["verdict"] for row in rows if row["trial_id"] != FIRST} == {"invalid"}


def test_resume_completes_what_a_killed_orchestrator_left_and_touches_nothing_of_others(
    nodes: Cluster, tmp_path: Path
) -> None:
    with others(nodes):
        with sweeping(nodes, tmp_path) as shown:
            shown.process.kill()
            shown.process.wait()
        assert list(finished(tmp_path / "results")) == [FIRST]
        before = finished(tmp_path / "results")[FIRST]
        assert ids(gone_on(nodes, tmp_path)) == [FIRST, SECOND, THIRD]
        assert finished(tmp_path / "results")[FIRST] == before


def test_resume_completes_what_a_killed_manager_broke_off_and_touches_nothing_of_others(
    nodes: Cluster, tmp_path: Path
) -> None:
    with others(nodes):
        with sweeping(nodes, tmp_path) as shown:
            nodes.manager.kill()
            assert shown.end() == 3, shown.output
        line = the_one_line(shown.output)
        assert line.startswith("orchestrate.py: the testbed failed: ")
        assert list(finished(tmp_path / "results")) == [FIRST]
        nodes.manager.start()
        nodes.wait_until_ready()
        assert ids(gone_on(nodes, tmp_path)) == [FIRST, SECOND, THIRD]
