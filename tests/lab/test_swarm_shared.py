"""A Swarm that others use as well: another caller's stack is left alone, and what finds no room is named."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.names import image_name
from tests.e2e.stack import PROJECT, TIMEOUT_S, orchestrate
from tests.lab.cluster import Cluster
from tests.lab.engines import NAMED
from tests.lab.sweeps import finished, write_sweep
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

MODEL = "event-loop"
OTHER = "another-machine"
SETTLING_S = 20.0


def asked(nodes: Cluster, directory: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return orchestrate(*words, "--on", "swarm", "--nodes", nodes.nodes_file(directory), environment=nodes.environment)


def asked_from(caller: str, nodes: Cluster, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The same, by somebody whose machine has this name."""
    command = [*NAMED, caller, sys.executable, "orchestrate.py", *words, "--on", "swarm"]
    return subprocess.run(
        [*command, "--nodes", str(nodes.nodes_file(directory))],
        env=nodes.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=PROJECT,
    )


@contextmanager
def one_processor_taken(nodes: Cluster) -> Iterator[None]:
    """By somebody else's service on the node of servers."""
    manager, second, _ = nodes.nodes
    second.load([image_name(MODEL)])
    words = ("--detach", "--no-resolve-image", "--name", "others", "--reserve-cpu", "1", "--restart-condition", "none")
    # By its id: for a name the engine would ask a registry first, and it has no way out.
    its_id = second.docker("image", "inspect", "--format", "{{.Id}}", image_name(MODEL)).strip()
    manager.docker("service", "create", *words, "--constraint", f"node.hostname=={second.name}", its_id)
    try:
        wait_until(lambda: second.containers(), "the other's service runs")
        yield
    finally:
        nodes.empty()


def test_what_another_caller_has_started_is_refused_by_name_and_goes_on(nodes: Cluster, tmp_path: Path) -> None:
    started = asked_from(OTHER, nodes, tmp_path, "up", MODEL, "--cpus", "0.5")
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        there = nodes.manager.docker("service", "ls", "--quiet")
        for command in (("down",), ("up", MODEL)):
            done = asked(nodes, tmp_path, *command)
            assert done.returncode == 2, done.stdout + done.stderr
            line = done.stderr.strip().splitlines()[-1]
            assert line.startswith("orchestrate.py: ") and f"of {OTHER} is on this Swarm" in line, line
            assert nodes.manager.docker("service", "ls", "--quiet") == there
    finally:
        ended = asked_from(OTHER, nodes, tmp_path, "down")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    wait_until(lambda: not nodes.left(), "its own caller's down leaves nothing on any node", SETTLING_S)


def test_a_sweep_whose_server_finds_no_room_says_which_and_leaves_nothing(nodes: Cluster, tmp_path: Path) -> None:
    cpus = nodes.described(nodes.nodes[1])["Description"]["Resources"]["NanoCPUs"] // 10**9
    with one_processor_taken(nodes):
        sweep = write_sweep(tmp_path, repeat=1, limits={"cpus": cpus, "memory": "64MiB"})
        done = asked(nodes, tmp_path, "sweep", sweep, "--results", tmp_path / "results")
        said = done.stdout + done.stderr
        assert f"{MODEL} cannot be placed: no suitable node (" in said, said
        assert "Traceback" not in said
        assert nodes.manager.docker("service", "ls", "--format", "{{.Name}}").split() == ["others"]
        assert [text for text in finished(tmp_path / "results").values() if '"status": "ok"' in text] == []
