"""The fronts as they are: real HAProxy and nginx before real servers, started as a sweep starts them."""

import json
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.parts import front as fronts
from testbed.parts.asking import Address
from testbed.parts.counts import FrontCounts
from testbed.parts.front import FRONTS
from testbed.parts.haproxy import HAProxy
from testbed.plan import trials
from testbed.plan.fields import OF_HTTP, Machine
from testbed.plan.sweepfile import parse
from testbed.plan.trials import Trial
from testbed.results.findings import exit_report
from testbed.stack import server_services
from testbed.stack.docker import DockerEngine
from testbed.stack.naming import SERVER_PORT
from testbed.stack.run import Run
from testbed.stack.services import DEFAULT_NETWORK, RUN_LABEL, Network, Service, Stack
from tests.e2e.compose import docker
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
# Caches and gateways take no lines: test_cdn.py, test_gateway.py.
OF_TCP = [name for name in FRONTS if name not in OF_HTTP]
# A connection to a container that is gone is tried for 4 s, then given to another; three of them at most.
PATIENCE_S = 40.0


def echo(address: str, line: bytes = b"hello\n") -> bool:
    """Whether a connection of its own brings the line back."""
    with socket.create_connection((address, SERVER_PORT), PATIENCE_S) as connection:
        connection.sendall(line)
        return connection.recv(100) == line


class Running:
    """A front and its servers, without load and without probes."""

    def __init__(
        self, engine: DockerEngine, directory: Path, trial: Trial, services: tuple[Service, ...], run: Run
    ) -> None:
        self.engine, self.run_id = engine, run.run_id
        stack = Stack(run.project, services, (Network(DEFAULT_NETWORK, {RUN_LABEL: run.run_id}),))
        self._laid = engine.lay_out(stack, directory, directory)
        self.kind = FRONTS[trial.cell.front]
        self.start(*(one.name for one in services if not one.joins_later))
        wait_until(self._answers, "the front and the servers answer")

    def start(self, *names: str) -> None:
        self.engine.up(self._laid, list(names))

    def _answers(self) -> bool:
        try:
            return self.counts() != FrontCounts()
        except OSError:
            return False

    @property
    def client(self) -> Any:
        _, port = self.engine.published(self.run_id, fronts.NAME, self.kind.counters)
        return self.kind.client(Address(fronts.NAME, port))

    def counts(self) -> FrontCounts:
        found: FrontCounts = self.client.read()
        return found

    def address(self, name: str) -> str:
        return self.engine.server(self.run_id, name).address

    def report(self, name: str) -> dict[str, Any]:
        """What a server reports when it is stopped."""
        report = exit_report(self.engine.server(self.run_id, name).stop())
        assert report is not None
        return report


def trial_of(front: str, more: str = "", model: str = "spmt", replicas: int = 2) -> Trial:
    text = f"name: a\nmodels: {model}\nreplicas: {{count: {replicas}, cpus: each}}\nlimits: {{cpus: 0.5}}\n"
    (trial,) = trials.trials(parse(f"{text}front: {{kind: {front}, cpus: 0.5{more}}}\n", Path("a"), Machine(4, 2**33)))
    return trial


class Starting:
    """Starts fronts with their servers, and removes them."""

    def __init__(self, directory: Path) -> None:
        self._engine, self._directory = DockerEngine(), directory
        name = f"test-{secrets.token_hex(4)}"
        self.run = Run(name, f"threadmill-{name}", "10001:10001", workers=1)

    def __call__(self, trial: Trial, servers: tuple[Service, ...] = (), **changed: Any) -> Running:
        servers = servers or server_services.servers(self.run, trial)
        front = replace(fronts.service(self.run, trial, servers), **changed)
        return Running(self._engine, self._directory, trial, (*servers, front), self.run)

    def end(self) -> None:
        self._engine.remove(self.run.run_id)
        assert self.run.run_id not in self._engine.runs()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starting]:
    starting = Starting(tmp_path)
    yield starting
    starting.end()


@pytest.mark.parametrize("kind", OF_TCP)
def test_what_the_front_has_counted_is_what_the_servers_report(start: Starting, kind: str) -> None:
    running = start(trial_of(kind))
    address = running.address(fronts.NAME)
    assert all(echo(address) for _ in range(20))
    with socket.create_connection((address, SERVER_PORT), PATIENCE_S) as held:
        held.sendall(b"mine\n")
        assert held.recv(100) == b"mine\n"
        # Asking is not counted among them, however often.
        counts = wait_until(lambda: running.counts() if running.counts().open == 1 else None, "one is open")
    assert counts.connections == 21
    accepted = {name: running.report(name)["accepted"] for name in ("spmt-1", "spmt-2")}
    assert sorted(accepted.values()) == [10, 11]
    if counts.servers:
        assert {name: one.connections for name, one in counts.servers.items()} == accepted


@pytest.mark.parametrize("kind", OF_TCP)
def test_when_a_server_is_killed_the_front_goes_on_with_the_other(start: Starting, kind: str) -> None:
    running = start(trial_of(kind))
    address = running.address(fronts.NAME)
    assert all(echo(address) for _ in range(4))
    docker("kill", running.engine.server(running.run_id, "spmt-1").container.id)
    with ThreadPoolExecutor(12) as clients:
        assert all(clients.map(lambda _: echo(address), range(12)))
    # Those that waited for the dead one have put it out.
    assert all(echo(address) for _ in range(4))
    assert running.report("spmt-2")["accepted"] == 2 + 12 + 4


def test_with_haproxy_servers_join_and_leave_while_it_runs(start: Starting) -> None:
    trial = trial_of("haproxy")
    servers = server_services.servers(start.run, trial)
    later = replace(servers[0], name="spmt-3", joins_later=True)
    running = start(trial, (*servers, later))
    address, client = running.address(fronts.NAME), running.client
    assert isinstance(client, HAProxy)
    assert all(echo(address) for _ in range(4))
    assert running.counts().servers["spmt-3"].connections == 0
    with socket.create_connection((address, SERVER_PORT), PATIENCE_S) as held:
        held.sendall(b"mine\n")
        assert held.recv(100) == b"mine\n"
        (holder,) = (name for name, one in running.counts().servers.items() if one.open)
        running.start("spmt-3")
        joined = running.address("spmt-3")
        wait_until(lambda: reachable(joined), "the third echoes")
        client.set_address("spmt-3", joined, SERVER_PORT)
        client.enable("spmt-3")
        for name in ("spmt-1", "spmt-2"):
            client.drain(name)
        assert all(echo(address) for _ in range(6))
        # It keeps what it has.
        held.sendall(b"still mine\n")
        assert held.recv(100) == b"still mine\n"
        assert client.sessions(holder) == 1
    wait_until(lambda: client.sessions(holder) == 0, "the last one leaves")
    counts = running.counts()
    assert counts.servers["spmt-3"].connections == 6
    # Its own check that it runs was a connection too.
    assert running.report("spmt-3")["accepted"] >= 7


def reachable(address: str) -> bool:
    try:
        return echo(address)
    except OSError:
        return False


def test_with_the_queue_in_front_nobody_waits_at_a_server(start: Starting) -> None:
    running = start(trial_of("haproxy", ", queue: front", model="spst"))
    address = running.address(fronts.NAME)
    clients = [socket.create_connection((address, SERVER_PORT), PATIENCE_S) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(b"hello\n")
        counts = wait_until(lambda: running.counts() if running.counts().waiting == 3 else None, "three wait")
        assert {one.open for one in counts.servers.values()} == {1}
        served = 0
        while clients:
            # One of those that a server has: it is answered, and makes room for the next.
            first = next(client for client in clients if answered(client))
            clients.remove(first)
            first.close()
            served += 1
        assert served == 5
    finally:
        for client in clients:
            client.close()
    assert running.counts().waiting_most == 3


def answered(client: socket.socket) -> bool:
    """Whether its line is there, or comes while the others wait."""
    client.settimeout(0.2)
    try:
        return client.recv(100) == b"hello\n"
    except TimeoutError:
        return False


def test_haproxy_finds_servers_by_one_name_that_has_the_addresses_of_all(start: Starting) -> None:
    trial = trial_of("haproxy")
    servers = tuple(replace(one, aliases=("every-spmt",)) for one in server_services.servers(start.run, trial))
    running = start(trial, servers, environment={"SERVERS_DNS": "every-spmt", "SLOTS": "4"})
    address = running.address(fronts.NAME)
    wait_until(lambda: both_of(running, address), "connections at both")
    assert len(running.counts().servers) == 4


def both_of(running: Running, address: str) -> bool:
    """Another connection, and whether two servers have had one."""
    return reachable(address) and sum(bool(one.connections) for one in running.counts().servers.values()) == 2


@pytest.mark.parametrize("kind", OF_TCP)
def test_it_is_confined_and_stops_when_told_although_a_client_is_there(start: Starting, kind: str) -> None:
    running = start(trial_of(kind))
    container = running.engine.server(running.run_id, fronts.NAME).container.id
    (found,) = json.loads(docker("inspect", container))
    assert (found["Config"]["User"], found["HostConfig"]["ReadonlyRootfs"]) == ("10001:10001", True)
    assert found["Config"]["Labels"]["threadmill.role"] == "front"
    status = docker("exec", container, "grep", "-E", "^(Uid|CapEff):", "/proc/1/status").split()
    assert status == ["Uid:", *["10001"] * 4, "CapEff:", "0" * 16]
    with socket.create_connection((running.address(fronts.NAME), SERVER_PORT), PATIENCE_S) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"
        docker("stop", "--time", "30", container)
        assert client.recv(100) == b""
    (ended,) = json.loads(docker("inspect", container))
    assert ended["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("haproxy", {}, "haproxy: SERVERS='', SERVERS_DNS='': one of them must be set"),
        ("nginx", {"SERVERS": "a", "SERVER_MAXCONN": "2"}, "nginx: SERVER_MAXCONN=2: must be 0: nginx has no queue"),
        (
            "nginx",
            {"SERVERS": "a", "BALANCE": "fair"},
            "nginx: BALANCE='fair': must be roundrobin, leastconn or source",
        ),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(kind: str, settings: dict[str, str], says: str) -> None:
    variables = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    name = f"threadmill-test-{secrets.token_hex(4)}"
    docker("create", "--name", name, "--network", "none", *HARDENED, *variables, f"threadmill/{kind}")
    try:
        docker("start", name)
        assert docker("wait", name).strip() == "2"
        # Its log goes to standard error, which `docker logs` keeps apart.
        (line,) = logs(name).splitlines()
        assert line.startswith(says)
    finally:
        docker("rm", "--force", name)


def logs(container: str) -> str:
    engine = DockerEngine()
    text: bytes = engine._client.containers.get(container).logs()
    return text.decode()
