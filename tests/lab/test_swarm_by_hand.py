"""`doctor`, `up`, `watch` and `down` with `--on swarm`: where `up` says that something answers, it does."""

import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.names import image_name
from tests.e2e.stack import orchestrate, terminal
from tests.lab.cluster import Cluster
from tests.lab.sweeps import SECOND, ids, rows_of, write_sweep
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

MODEL = "event-loop"
# A node's engine hears a few seconds later that a network is gone from the Swarm.
SETTLING_S = 20.0


def asked(nodes: Cluster, directory: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command on this swarm, its nodes named by a file."""
    return orchestrate(*words, "--on", "swarm", "--nodes", nodes.nodes_file(directory), environment=nodes.environment)


def done(nodes: Cluster, directory: Path, *words: str | Path) -> str:
    """What it prints; it has to end well."""
    ended = asked(nodes, directory, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(nodes: Cluster, directory: Path, *words: str | Path) -> str:
    """The one line with which it ends."""
    return the_one_line(asked(nodes, directory, *words))


def the_one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 2, ended.stdout + ended.stderr
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    assert lines[-1].startswith("orchestrate.py: "), lines
    assert "Traceback" not in ended.stderr
    return lines[-1]


@contextmanager
def started(nodes: Cluster, directory: Path, *words: str) -> Iterator[str]:
    """What `up` prints of this model; `down` takes it away, and nothing is left on any node."""
    said = done(nodes, directory, "up", MODEL, *words)
    try:
        yield said
    finally:
        done(nodes, directory, "down")
        wait_until(lambda: not nodes.left(), "down leaves nothing on any node", SETTLING_S)


def where(said: str, what: str) -> tuple[str, int, str]:
    """Address, port and node of what `up` has said it of."""
    found = re.search(rf"^{what}: (?:http://)?([\d.]+):(\d+),.* on node (\S+)$", said, re.MULTILINE)
    assert found is not None, said
    return found[1], int(found[2]), found[3]


@contextmanager
def connected(said: str) -> Iterator[socket.socket]:
    """A connection to the server, served once."""
    address, port, _ = where(said, MODEL)
    with socket.create_connection((address, port), 10) as connection:
        exchange(connection)
        yield connection


def exchange(connection: socket.socket) -> None:
    connection.sendall(b"hello\n")
    assert connection.recv(100) == b"hello\n"


def test_doctor_says_of_each_node_what_it_is_there_for(nodes: Cluster, tmp_path: Path) -> None:
    said = done(nodes, tmp_path, "doctor")
    assert re.search(r"^ok +Swarm: server: n2; load: n1, n3; rest: none$", said, re.MULTILINE), said
    for node in nodes.nodes:
        (line,) = [line for line in said.splitlines() if f" node {node.name}: " in line]
        assert f": {nodes.roles[node.name]}, {node.host}, Docker " in line
        # All are on one machine, and so have one clock.
        offset, uncertain = map(float, re.search(r"clock ([+-][\d.]+) ms within ([\d.]+)", line).groups())  # type: ignore[union-attr]
        assert abs(offset) <= uncertain + 0.1


def test_doctor_names_what_is_missing_and_ends_with_1(nodes: Cluster, tmp_path: Path) -> None:
    _, second, _ = nodes.nodes
    nodes.label(second, None)
    ended = asked(nodes, tmp_path, "doctor")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert re.search(
        r"^missing +Swarm: no node of this Swarm has the label threadmill.role=server", ended.stdout, re.MULTILINE
    )


def test_what_up_starts_answers_where_it_says_and_down_leaves_nothing(nodes: Cluster, tmp_path: Path) -> None:
    manager, second, third = nodes.nodes
    with started(nodes, tmp_path, "--workers", "2", "--cpus", "0.5", "--memory", "64MiB") as said:
        address, _, node = where(said, MODEL)
        assert (address, node) == (second.address, second.name)
        with connected(said):
            found = json.loads(done(nodes, tmp_path, "watch", "--once", "--json"))
            assert (found["model"], found["established"]) == (MODEL, 1)
            # It is no sweep's, and the page that would load it is on another node.
            assert (found["run_id"], found["trial_id"]) == (None, None)
            # Who looks once waits for the server's figures alone; a page that has just come up may be later.
            load = wait_until(
                lambda: json.loads(done(nodes, tmp_path, "watch", "--once", "--json"))["load"], "load", 60
            )
            assert (load["state"], load["users"]) == ("ready", 0)
            assert (found["limits"]["cpus"], found["limits"]["memory_bytes"]) == (0.5, 64 * 2**20)
        address, port, node = where(said, "Locust")
        assert {node: address} in [{one.name: one.address} for one in (manager, third)]
        page = f"http://{address}:{port}"
        with urllib.request.urlopen(page, timeout=10) as answer:
            assert MODEL in answer.read().decode()
        workers = wait_until(lambda: _workers(page, 2), "both workers are there")
        assert all(name.rpartition("-")[0] in ("n1", "n3") for name in workers)
        left = nodes.left()
        # The server with its probe, and nothing of the load or of `watch`.
        assert len([thing for thing in left[second.name] if thing.startswith("container ")]) == 2
    assert nodes.left() == {}


def _workers(page: str, count: int) -> list[str]:
    with urllib.request.urlopen(f"{page}/stats/requests", timeout=10) as answer:
        found = [worker["id"] for worker in json.load(answer).get("workers", []) if worker["state"] != "missing"]
    return found if len(found) == count else []


def test_a_sweep_leaves_alone_what_up_has_started(nodes: Cluster, tmp_path: Path) -> None:
    with started(nodes, tmp_path, "--cpus", "0.5") as said, connected(said) as connection:
        # A limit beside which the other's has room on the one node of servers.
        sweep = write_sweep(tmp_path, repeat=1)
        done(nodes, tmp_path, "sweep", sweep, "--results", tmp_path / "results")
        assert ids(rows_of(tmp_path / "results")) == ["001-b1-event-loop-0.5cpu"]
        exchange(connection)


def test_up_takes_the_place_of_an_earlier_one(nodes: Cluster, tmp_path: Path) -> None:
    with started(nodes, tmp_path) as first:
        with connected(first) as connection:
            second = done(nodes, tmp_path, "up", MODEL, "--cpus", "0.5")
            assert connection.recv(100) == b""
        with connected(second):
            assert len(nodes.manager.docker("service", "ls", "--quiet").split()) == 3


def test_what_cannot_be_placed_is_named_and_nothing_of_it_is_left(nodes: Cluster, tmp_path: Path) -> None:
    manager, second, _ = nodes.nodes
    second.load([image_name(MODEL)])
    cpus = nodes.described(second)["Description"]["Resources"]["NanoCPUs"] // 10**9
    words = ("--detach", "--no-resolve-image", "--name", "others", "--reserve-cpu", "1", "--restart-condition", "none")
    where_to = f"node.hostname=={second.name}"
    # By its id: for a name the engine would ask a registry first, and it has no way out.
    its_id = second.docker("image", "inspect", "--format", "{{.Id}}", image_name(MODEL)).strip()
    manager.docker("service", "create", *words, "--constraint", where_to, its_id)
    try:
        wait_until(lambda: second.containers(), "the other's service runs")
        line = refused(nodes, tmp_path, "up", MODEL, "--cpus", str(cpus))
        assert f"{MODEL} cannot be placed: no suitable node (" in line
        assert "insufficient resources on 1 node" in line
        assert manager.docker("service", "ls", "--format", "{{.Name}}").split() == ["others"]
        wait_until(lambda: not second.networks(), "its network is gone", SETTLING_S)
    finally:
        nodes.empty()


def test_down_runs_removes_what_a_killed_sweep_has_left(nodes: Cluster, tmp_path: Path) -> None:
    words = ("--on", "swarm", "--nodes", nodes.nodes_file(tmp_path), write_sweep(tmp_path))
    with terminal("sweep", *words, "--results", tmp_path / "results", environment=nodes.environment) as shown:
        shown.wait_for(f"{SECOND} window")
        shown.process.kill()
        shown.process.wait()
    (results,) = (tmp_path / "results").iterdir()
    run_id = json.loads((results / "manifest.json").read_text())["run_id"]
    assert f"the sweep {run_id} has " in done(nodes, tmp_path, "down")
    assert nodes.left()
    assert f"removed what the sweep {run_id} had left" in done(nodes, tmp_path, "down", "--runs")
    wait_until(lambda: not nodes.left(), "nothing is left on any node", SETTLING_S)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--replicas", "2"), "--replicas: found 2, allowed with --on swarm: none"),
        (("--front", "haproxy"), "--front: found haproxy, allowed with --on swarm: none"),
        (("--packet-log",), "--packet-log: found, allowed on one engine alone"),
        (("--workers", "0"), "--workers: found 0, allowed: a whole number from 1 to "),
        (("--cpus", "64"), "--cpus: found 64"),
    ],
)
def test_what_up_does_not_have_on_a_swarm_is_refused(
    nodes: Cluster, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    assert line in refused(nodes, tmp_path, "up", MODEL, *words)
    assert nodes.left() == {}


def test_watch_where_no_server_runs_names_the_nodes(nodes: Cluster, tmp_path: Path) -> None:
    line = refused(nodes, tmp_path, "watch", "--once")
    assert "found a server on none of the nodes n2, n1, n3" in line


@pytest.mark.parametrize("command", [("up", MODEL), ("down",), ("watch", "--once")])
def test_nodes_are_of_a_swarm_alone(nodes: Cluster, tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = orchestrate(*command, "--nodes", nodes.nodes_file(tmp_path), environment=nodes.environment)
    assert "--nodes: found without --on swarm, allowed: beside it" in the_one_line(ended)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "no such file"),
        ("n1: unix:///x", "allowed: `nodes:` and under it NAME: ENDPOINT"),
        ("nodes: {n2: somewhere}", "nodes.n2: found 'somewhere', allowed: an engine's endpoint"),
        ("nodes: [", "cannot be read"),
    ],
)
def test_a_file_of_nodes_that_is_none_is_refused(nodes: Cluster, tmp_path: Path, text: str | None, line: str) -> None:
    file = tmp_path / "endpoints.yaml"
    if text is not None:
        file.write_text(text)
    ended = orchestrate("up", MODEL, "--on", "swarm", "--nodes", file, environment=nodes.environment)
    found = the_one_line(ended)
    assert line in found
    assert str(file) in found
