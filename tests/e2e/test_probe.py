"""The probe beside real servers, confined and unprivileged as in a sweep."""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.proofs.switches import compare
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(120)]

PROJECT = Path(__file__).parents[2]
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges=true")
USER = "4321:4322"  # neither the images' own nor this machine's
# The file is there this long before the window opens, the container start of the probe included.
LEAD_S = 2.0


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Bench:
    """A server, connections to it, and probes beside it; `close` removes all of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack = ExitStack()
        self.server = ""

    def container(self, *arguments: str) -> str:
        name = f"threadmill-test-{secrets.token_hex(4)}"
        self.stack.callback(subprocess.run, ["docker", "rm", "--force", name], capture_output=True, check=False)
        docker("run", "--detach", "--name", name, *HARDENED, *arguments)
        return name

    def serve(self, model: str, cpus: str = "1") -> None:
        limits = ("--cpus", cpus, "--memory", "128m", "--no-healthcheck", "--publish", "127.0.0.1::8081")
        self.server = self.container("--user", USER, *limits, f"threadmill/{model}")
        wait_until(lambda: "Server started" in docker("logs", self.server), f"start of {model}")

    def connect(self, echo: bool = True) -> socket.socket:
        host, port = docker("port", self.server, "8081/tcp").splitlines()[0].rsplit(":", 1)
        connection = self.stack.enter_context(socket.create_connection((host, int(port)), 10))
        if echo:
            exchange(connection, "hello")
        return connection

    def probe(self, *arguments: str, user: str = USER) -> str:
        beside = ("--pid", f"container:{self.server}", "--network", "none", "--user", user)
        volume = ("--volume", f"{self.directory}:/results/load")
        return self.container(*beside, *volume, "threadmill/probe", *arguments)

    def window(
        self, seconds: float, during: Callable[[float], None] = lambda _: None, user: str = USER
    ) -> dict[str, Any]:
        """The summary of a window in which `during` runs, which is told when it has to be over."""
        probe = self.probe("--output", "/results/load", "--name", "t", user=user)
        opens = time.time() + LEAD_S
        partial = self.directory / "window"
        partial.write_text(json.dumps({"opens_unix": opens, "closes_unix": opens + seconds}))
        partial.rename(self.directory / "t.window.json")
        wait_until(lambda: time.time() > opens + 0.1, "the opening of the window")
        during(opens + seconds - 0.3)
        assert docker("wait", probe) == "0", docker("logs", probe)
        found: dict[str, Any] = json.loads((self.directory / "t.probe.json").read_text())
        assert found["complete"] is True
        return found

    def series(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "t.probe.ndjson").read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    tmp_path.chmod(0o777)
    bench = Bench(tmp_path)
    with bench.stack:
        yield bench


def exchange(connection: socket.socket, line: str) -> None:
    connection.sendall(f"{line}\n".encode())
    assert connection.recv(1000) == f"{line}\n".encode()


def host_cpu_used_us(container: str) -> int:
    """What the host's own view of the container's control group says."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container)
    paths = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path.lstrip("/"))
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        stat = (root / paths[""] / "cpu.stat").read_text()
        return int(stat.split("usage_usec ")[1].split()[0])
    return int((root / "cpuacct" / paths["cpuacct"] / "cpuacct.usage").read_text()) // 1000


def test_cpu_time_and_throttling_are_those_of_the_servers_control_group(bench: Bench) -> None:
    bench.serve("spmt", cpus="0.2")
    connection = bench.connect()
    before = host_cpu_used_us(bench.server)

    def work(end: float) -> None:
        while time.time() < end:
            exchange(connection, "!spin=2000 work")

    found = bench.window(3.0, work)
    after = host_cpu_used_us(bench.server)
    grown = found["difference"]
    # All of the work was done inside the window, so both have seen the same of it.
    assert grown["cpu_used_us"] == pytest.approx(after - before, rel=0.02, abs=5_000)
    assert grown["cpu_used_us"] > 300_000
    assert grown["throttled_periods"] > 5
    assert grown["throttled_us"] > 100_000
    assert found["limits"]["cpus"] == pytest.approx(0.2)
    assert found["limits"]["memory_bytes"] == 128 * 1024**2
    assert grown["involuntary_switches"] + grown["voluntary_switches"] > 0
    # On a machine that does something else too, an edge is late by milliseconds; it must say so, and not by much.
    assert 0 <= found["edges"]["opened"]["late_s"] < 0.25
    assert found["own_cost"]["cpu_s"] > 0
    edges = [line["edge"] for line in bench.series() if "edge" in line]
    assert edges == ["opens", "closes"]


def test_clients_that_wait_for_a_busy_server_are_seen_in_its_accept_queue(bench: Bench) -> None:
    bench.serve("spst")
    bench.connect()
    for _ in range(5):
        bench.connect(echo=False)
    found = bench.window(1.0)
    assert (found["opened"]["accept_queue"], found["closed"]["accept_queue"]) == (5, 5)
    assert found["max"]["accept_queue"] == 5
    assert found["closed"]["established"] == 6
    assert found["difference"]["listen_overflows"] == 0


@pytest.mark.parametrize(("model", "processes", "threads"), [("spmt", 1, 6), ("mpst", 6, 6)])
def test_processes_and_threads_are_the_models_own_and_nobody_elses(
    bench: Bench, model: str, processes: int, threads: int
) -> None:
    bench.serve(model)
    connections = [bench.connect() for _ in range(5)]
    # A person looks around in the server's container meanwhile.
    docker("exec", "--detach", bench.server, "sleep", "30")

    def work(end: float) -> None:
        while time.time() < end:
            for connection in connections:
                exchange(connection, "hello")

    found = bench.window(2.0, work)
    for edge in ("opened", "closed"):
        assert (found[edge]["processes"], found[edge]["threads"]) == (processes, threads)
        assert found[edge]["established"] == 5
        assert min(found[edge]["rss_bytes"], found[edge]["pss_bytes"]) > 1024**2
    assert found["closed"]["pids"] == threads + 1  # the control group counts the sleeping stranger, too
    # What forked processes share is in RSS once for each of them.
    assert processes == 1 or found["closed"]["rss_bytes"] > found["closed"]["pss_bytes"]
    # Every request blocks its thread once.
    assert found["difference"]["voluntary_switches"] > 100
    assert found["difference"]["run_queue_wait_us"] is not None
    assert found["churn"]["threads_ended"] == 0


def test_processes_that_end_in_the_window_are_counted_and_their_faults_are_kept(bench: Bench) -> None:
    bench.serve("mpst")
    connections = [bench.connect() for _ in range(4)]

    def leave(_: float) -> None:
        for connection in connections:
            connection.close()

    found = bench.window(2.0, leave)
    assert (found["opened"]["processes"], found["closed"]["processes"]) == (5, 1)
    assert found["churn"]["processes_ended"] == 4
    assert found["difference"]["minor_faults"] >= 0
    # They have all waited for their clients to leave; how long they were able to run and did not, is gone with them.
    assert found["difference"]["voluntary_switches"] >= 4
    assert found["difference"]["run_queue_wait_us"] is None
    assert found["unavailable"]["run_queue_wait_us"].startswith("threads or processes have ended")


@pytest.mark.parametrize("model", ["spst", "spmt", "mpst", "mpmt"])
def test_switches_of_tasks_that_came_and_went_are_those_of_the_servers_own_count(model: str, tmp_path: Path) -> None:
    found = compare(model, "1 request", tmp_path / "window")
    assert found.off is not None, found.why
    assert found.tasks_ended > 100
    assert abs(found.off) < 0.02


def test_a_server_that_keeps_no_count_of_ended_tasks_has_no_switches_and_the_reason(bench: Bench) -> None:
    other = ("--entrypoint", "python3", "threadmill/spst", "-c", "import time; print('up', flush=True); time.sleep(60)")
    bench.server = bench.container("--user", USER, *other)
    wait_until(lambda: "up" in docker("logs", bench.server), "start of another program")
    found = bench.window(1.0)
    names = ("voluntary_switches", "involuntary_switches", "run_queue_wait_us")
    assert {found["difference"][name] for name in names} == {found["closed"][name] for name in names} == {None}
    assert "does not count" in found["unavailable"]["voluntary_switches"]


def test_another_user_gets_what_everyone_may_see_and_the_rest_is_null_with_the_remedy(bench: Bench) -> None:
    bench.serve("spmt")
    bench.connect()
    found = bench.window(1.0, user="4321:9999")
    assert found["closed"]["cpu_used_us"] is found["difference"]["cpu_used_us"] is found["closed"]["pss_bytes"] is None
    assert found["unavailable"]["cpu_used_us"] == (
        "control group: Permission denied: run the probe as the server's user and group"
    )
    assert (found["closed"]["processes"], found["closed"]["threads"]) == (1, 2)
    assert (found["closed"]["accept_queue"], found["closed"]["established"]) == (0, 1)


def test_a_stop_leaves_a_summary_that_says_it_is_not_complete(bench: Bench) -> None:
    bench.serve("spst")
    probe = bench.probe("--output", "/results/load", "--name", "t")
    wait_until(lambda: (bench.directory / ".t.probe.ndjson.partial").exists(), "the start of the series")
    docker("stop", "--time", "10", probe)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", probe) == "0"
    assert json.loads((bench.directory / "t.probe.json").read_text())["complete"] is False
    assert sorted(path.name for path in bench.directory.iterdir()) == ["t.probe.json", "t.probe.ndjson"]


def test_by_hand_it_prints_a_line_a_second(bench: Bench) -> None:
    bench.serve("spmt")
    bench.connect()
    probe = bench.probe()
    lines = wait_until(lambda: [*docker("logs", probe).splitlines()][:3][2:] and docker("logs", probe), "three lines")
    first, second, third = (json.loads(line) for line in lines.splitlines()[:3])
    assert (first["processes"], first["threads"], first["established"]) == (1, 2, 1)
    assert second["cpu_used_us_since_last"] >= 0
    assert third["unix"] - second["unix"] == pytest.approx(1.0, abs=0.5)


def test_the_compose_file_puts_it_beside_the_model_that_is_named() -> None:
    config = subprocess.run(
        ["docker", "compose", "--profile", "probe", "config", "--format", "json"],
        env={**os.environ, "PROBE": "mpmt"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    service = json.loads(config.stdout)["services"]["probe"]
    assert (service["pid"], service["network_mode"]) == ("service:mpmt", "none")
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
