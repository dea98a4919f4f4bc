"""A cell's manifests, container by container, on Docker: the load starts by itself, runs once, and leaves its results.

No cluster is asked. Each container gets what its manifest says it is given: image, arguments, variables, limits,
confinement, volumes; and the names of the Services are its aliases.
"""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.report.build import html
from testbed.report.source import read
from testbed.results import web_runs
from testbed.results.reading import trials
from tests.unit.testbed.stack.kubernetes.written import container_of, objects, of_text

pytestmark = pytest.mark.e2e

SWEEP = """\
models: spmt
limits: {cpus: 0.5, memory: 64MiB}
workload: {spin: 300us, connection: {requests: 10}}
load: {users: 4, workers: 2, idle_holders: 6}
warmup: 1s
duration: 3s
"""
# Of a pod's amounts, in Docker's words.
_CPUS = {"500m": "0.5", "100m": "0.1"}


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr.strip()}"
    return done.stdout.strip()


class Node:
    """Runs containers of pods in a network of its own; the claim is a directory."""

    def __init__(self, claim: Path) -> None:
        self.name = f"test-{secrets.token_hex(4)}"
        self.claim = claim
        self._made: list[str] = []
        docker("network", "create", self.name)

    def start(self, pod: dict[str, Any], container: dict[str, Any], *how: str) -> str:
        """The id of the container, which runs in the background."""
        self._made.append(docker("run", "--detach", *how, *self._flags(pod, container)))
        return self._made[-1]

    def _flags(self, pod: dict[str, Any], container: dict[str, Any]) -> list[str]:
        context, own = pod["securityContext"], container["securityContext"]
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        flags = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        flags += ["--user", f"{context['runAsUser']}:{context['runAsGroup']}"]
        flags += [word for one in container.get("env", []) for word in ("--env", f"{one['name']}={one['value']}")]
        if limits := container.get("resources", {}).get("limits"):
            flags += ["--cpus", _CPUS[limits["cpu"]]]
            flags += ["--memory", limits["memory"].removesuffix("i")] if "memory" in limits else []
        volumes = {one["name"]: one for one in pod.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            in_memory = "emptyDir" in volumes[mount["name"]]
            at = mount["mountPath"]
            flags += ["--tmpfs", at] if in_memory else ["--volume", f"{self.claim}:{at}"]
        command = container.get("command", [])
        flags += ["--entrypoint", command[0]] if command else []
        return [*flags, container["image"], *command[1:], *container.get("args", [])]

    def ended(self, container: str) -> int:
        return int(docker("wait", container))

    def remove(self) -> None:
        for container in reversed(self._made):
            docker("rm", "--force", container)
        docker("network", "rm", self.name)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    claim = tmp_path / "claim"
    claim.mkdir()
    # As fsGroup makes it, for whoever is not root here.
    claim.chmod(0o777)
    node = Node(claim)
    yield node
    node.remove()


@pytest.mark.usefixtures("images")
def test_a_cell_runs_by_itself_and_its_results_can_be_reported(node: Node, tmp_path: Path) -> None:
    made = of_text(SWEEP)
    found = {name: one["spec"] for (_, name), one in objects(made).items() if "template" in one.get("spec", {})}
    pods = {name: spec["template"]["spec"] for name, spec in found.items()}

    def alias(name: str) -> tuple[str, ...]:
        return ("--network", node.name, "--network-alias", name)

    server = node.start(pods["spmt"], container_of(pods["spmt"], "spmt"), *alias("spmt"))
    beside = (f"--pid=container:{server}", f"--network=container:{server}")
    probe = node.start(pods["spmt"], container_of(pods["spmt"], "probe-spmt"), *beside)
    (wait,) = pods["locust"]["initContainers"]
    waiting = node.start(pods["locust"], wait, *alias("wait"))
    assert node.ended(waiting) == 0, docker("logs", waiting)
    # Before their master, as it may be in a cluster.
    workers = [
        node.start(pods["worker"], container_of(pods["worker"], "worker"), *alias("worker"))
        for _ in range(found["worker"]["parallelism"])
    ]
    master = node.start(pods["locust"], container_of(pods["locust"], "locust"), *alias("locust"))
    said = subprocess.run(
        ["docker", "logs", "--follow", master], capture_output=True, text=True, timeout=100, check=True
    )
    assert node.ended(master) == 0, said.stderr
    assert [node.ended(worker) for worker in workers] == [0, 0]

    (result,) = (json.loads(path.read_text()) for path in node.claim.glob("web-*.json"))
    assert (result["users"], result["failed"], result["idle_holders"]["held_throughout"]) == (4, 0, 6)
    assert result["workers_present"] == {"expected": 2, "throughout": True}
    assert (result["options"]["spin_us"], result["window"]["duration_s"]) == (300, pytest.approx(3, abs=0.2))
    (series,) = node.claim.glob("web-*.probe.ndjson")
    lines = [json.loads(line) for line in series.read_text().splitlines()]
    assert lines, docker("logs", probe)
    assert {(line["limits"]["cpus"], line["limits"]["memory_bytes"]) for line in lines} == {(0.5, 64 * 2**20)}

    directory = web_runs.collect(tmp_path / "results", print, node.claim)
    (row,) = trials(directory, {}).kept
    assert (row["model"], row["cpus"], row["memory_bytes"], row["users"]) == ("spmt", 0.5, 64 * 2**20, 4)
    assert row["verdict"] != "invalid", row["reasons"]
    assert row["cpu_used_s"] > 0.1
    assert "spmt" in html(read(directory))
