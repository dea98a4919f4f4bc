"""`orchestrate.py watch` beside real containers: by hand, under load from the page, and beside a sweep."""

import json
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from testbed.watch.beside import ROLE_LABEL, WATCH_LABEL
from tests.e2e.compose import Compose, own_compose
from tests.e2e.stack import CLIENT, PROJECT, orchestrate, terminal
from tests.e2e.test_sweep import write_sweep
from tests.integration.loadtests.locust_stack import LocustApi
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]


@pytest.fixture
def compose() -> Iterator[Compose]:
    with own_compose() as compose:
        yield compose
        assert probes_beside(f"{compose.name}-spmt-1") == []


def probes_beside(container: str) -> list[str]:
    found = CLIENT.containers.list(all=True, filters={"label": f"{WATCH_LABEL}={container}"}, ignore_removed=True)
    return [one.name for one in found]


def connect(stack: ExitStack, compose: Compose, count: int) -> None:
    """So many connections that have been served once."""
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(compose.address("spmt", 8081), 10))
        connection.sendall(b"hello\n")
        assert connection.recv(100) == b"hello\n"


def one_look(*arguments: str) -> dict[str, Any]:
    done = orchestrate("watch", *arguments, "--once", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def test_threads_connections_and_limits_are_those_of_the_server(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt", SERVER_CPUS="0.5", SERVER_MEMORY="64m")
    name = f"{compose.name}-spmt-1"
    with ExitStack() as stack:
        connect(stack, compose, 5)
        found = one_look(name)
        (process,) = found["tree"]["processes"]
        assert (process["pid"], process["threads_count"], len(process["threads"])) == (1, 6, 6)
        assert (found["established"], found["accept_queue"]) == (5, 0)
        assert found["accept_queue_limit"] > 0
        assert 0 < process["pss_bytes"] < 64 * 2**20
        assert found["limits"]["cpus"] == 0.5
        assert found["load"] is None
        assert found["seconds"] is not None
        text = orchestrate("watch", name, "--once")
    lines = text.stdout.splitlines()
    assert sum("serves one connection" in line for line in lines) == 5
    assert "\x1b" not in text.stdout
    assert max(map(len, lines)) <= 100


def test_on_a_terminal_it_goes_on_until_ctrl_c_and_ends_well(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt")
    name = f"{compose.name}-spmt-1"
    with ExitStack() as stack, terminal("watch", name, "--interval", "0.2") as screen:
        screen.wait_for("accepts, starts threads")
        connect(stack, compose, 3)
        screen.wait_for("3 established")
        screen.wait_for("serves one connection")
        screen.interrupt()
        assert screen.end() == 0
    assert "Traceback" not in screen.output


def test_it_ends_with_the_server(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt")
    with terminal("watch", f"{compose.name}-spmt-1", "--interval", "0.2") as screen:
        screen.wait_for("accepts, starts threads")
        compose("stop", "spmt")
        assert screen.end() == 0
        assert "the server that was watched has ended" in screen.output


def test_a_watcher_that_is_killed_leaves_no_probe(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt")
    name = f"{compose.name}-spmt-1"
    command = [sys.executable, str(PROJECT / "orchestrate.py"), "watch", name, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["model"] == "spmt"
        assert len(probes_beside(name)) == 1
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not probes_beside(name), "the probe is gone")


def test_packets_are_followed_where_they_are_logged_and_refused_where_not(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt")
    name = f"{compose.name}-spmt-1"
    refused = orchestrate("watch", name, "--packets")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"orchestrate.py: spmt ({name}) logs no packets; to start one that does: "
        ".venv/bin/python orchestrate.py up spmt --packet-log\n"
    )
    compose("up", "--detach", "--wait", "spmt", PACKET_LOG="1")
    with ExitStack() as stack, terminal("watch", name, "--packets") as screen:
        connect(stack, compose, 1)
        screen.wait_for("[PACKET] RECV: 68 65 6c 6c 6f 0a")
        screen.wait_for("[PACKET] SEND (ASCII): hello")
        screen.interrupt()
        assert screen.end() == 0


def test_beside_the_web_page_it_tells_the_generators_rate(compose: Compose, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir(mode=0o777)
    results.chmod(0o777)
    compose("up", "--detach", "--wait", "spmt", "locust", RESULTS=str(results))
    host, port = compose.address("locust", 8089)
    page = LocustApi(f"http://{host}:{port}", results)
    wait_until(lambda: page.is_ready(1), "a worker", 60)
    page.start(target="spmt", user_count=4)
    found = one_look(f"{compose.name}-spmt-1")
    assert found["load"]["users"] == 4
    assert found["load"]["requests_per_s"] > 0
    assert found["tree"]["voluntary_per_s"] > 0
    page.stop()


def test_beside_a_sweep_it_follows_from_trial_to_trial(tmp_path: Path) -> None:
    # Without a name it watches whatever runs.
    assert [one.name for one in CLIENT.containers.list(filters={"label": f"{ROLE_LABEL}=server"})] == []
    name = f"test-{secrets.token_hex(4)}"
    path = write_sweep(tmp_path, name, models=["spmt", "mpst"], duration="2s")
    with terminal("sweep", path, "--results", tmp_path / "results") as sweep:
        sweep.wait_for("trials")
        command = [sys.executable, str(PROJECT / "orchestrate.py"), "watch", "--json", "--interval", "0.2"]
        found: list[dict[str, Any]] = []
        while sweep.process.poll() is None:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=PROJECT)
            found += [json.loads(line) for line in done.stdout.splitlines()]
        assert sweep.end() == 0, sweep.output
    mine = [look for look in found if (look["run_id"] or "").startswith(name)]
    assert {look["model"] for look in mine} == {"spmt", "mpst"}
    assert len({look["trial_id"] for look in mine}) == 2
