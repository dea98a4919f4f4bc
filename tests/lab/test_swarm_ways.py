"""A Swarm whose engines are reached by ssh, and one whose images come through a registry."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.names import image_name
from tests.e2e.stack import orchestrate
from tests.lab.cluster import Cluster
from tests.lab.reached import by_ssh, program, ssh_endpoint, through_registry
from tests.lab.sweeps import FIRST, ids, rows_of, write_sweep
from tests.lab.test_swarm_faults import the_one_line, without_images

pytestmark = pytest.mark.timeout(300)

IMAGE = image_name("event-loop")


def cluster_of(results: Path) -> dict[str, Any]:
    """What the manifest of the one sweep there says of its nodes."""
    (manifest,) = results.glob("*/manifest.json")
    return dict(json.loads(manifest.read_text())["cluster"])


@pytest.mark.skipif(program("sshd") is None, reason="needs sshd (openssh-server)")
def test_a_sweep_reaches_manager_and_nodes_by_ssh_alone(nodes: Cluster, tmp_path: Path) -> None:
    endpoints = {node.name: ssh_endpoint(node) for node in nodes.nodes}
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(tmp_path, **endpoints))
    sweep, results = write_sweep(tmp_path, repeat=1), tmp_path / "results"
    with by_ssh(nodes, tmp_path) as environment:
        done = orchestrate("sweep", *words, sweep, "--results", results, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ids(rows_of(results)) == [FIRST]
    said = cluster_of(results)
    assert (said["manager"], said["nodes"]) == (ssh_endpoint(nodes.manager), endpoints)
    assert nodes.left() == {}


@pytest.mark.skipif(program("docker-registry") is None, reason="needs docker-registry")
def test_images_come_through_a_registry_and_are_known_by_their_id(nodes: Cluster, tmp_path: Path) -> None:
    manager, second, third = nodes.nodes
    for node in (second, third):
        without_images(node)
    names = manager.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(tmp_path))
    sweep, results = write_sweep(tmp_path, repeat=1), tmp_path / "results"
    with through_registry(nodes, tmp_path) as registry:
        words = (*words, "--registry", registry)
        done = orchestrate("sweep", *words, sweep, "--results", results, environment=nodes.environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert ids(rows_of(results)) == [FIRST]
    assert cluster_of(results)["registry"] == registry
    its_id = manager.docker("image", "inspect", "--format", "{{.Id}}", IMAGE).strip()
    tags = second.docker("image", "inspect", "--format", '{{join .RepoTags " "}}', its_id).split()
    assert f"{registry}/{IMAGE}:{its_id.removeprefix('sha256:')[:16]}" in tags
    # By the name by which `watch` asks for it.
    assert f"{IMAGE}:latest" in tags
    assert manager.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}") == names
    assert nodes.left() == {}


def test_a_registry_that_does_not_answer_is_named(nodes: Cluster, tmp_path: Path) -> None:
    without_images(nodes.nodes[1])
    registry = f"{nodes.manager.address}:1"
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(tmp_path), "--registry", registry)
    done = orchestrate(
        "sweep", *words, write_sweep(tmp_path), "--results", tmp_path / "results", environment=nodes.environment
    )
    assert done.returncode == 2, done.stdout + done.stderr
    line = the_one_line(done.stdout + done.stderr)
    assert f"--registry {registry}: threadmill/" in line
    assert "cannot be pushed" in line
