"""The compose file as a person uses it: one server, other limits, under load; and nothing is left afterwards."""

import json
import os
import re
import secrets
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.models import MODELS
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

PROJECT = Path(__file__).parents[2]
MIB = 1024**2


class Compose:
    """`docker compose` with this project's file, under a name and on ports that are nobody else's."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self._command = ["docker", "compose", "--project-name", name, "--project-directory", str(PROJECT)]
        self._command += ["--file", str(file), "--progress", "quiet"]

    def __call__(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def services(self) -> list[str]:
        return sorted(self("ps", "--all", "--format", "{{.Service}}").split())

    def address(self, service: str, port: int) -> tuple[str, int]:
        host, _, published = self("port", service, str(port)).strip().partition(":")
        return host, int(published)

    def container(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(docker("inspect", self("ps", "--all", "--quiet", service).strip()))
        return dict(found)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def left_of(project: str) -> list[str]:
    mine = ("--quiet", "--filter", f"label=com.docker.compose.project={project}")
    kinds = (("container", "ls", "--all"), ("network", "ls"), ("volume", "ls"))
    return [line for kind in kinds for line in docker(*kind, *mine).split()]


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    """The project's compose file, but on free ports of the kernel's choice; removed with all it made."""
    text = (PROJECT / "docker-compose.yml").read_text()
    text, replaced = re.subn(r'"127\.0\.0\.1:\d+:(\d+)"', r'"127.0.0.1::\1"', text)
    assert replaced == len(MODELS) + 1
    file = tmp_path / "docker-compose.yml"
    file.write_text(text)
    compose = Compose(f"threadmill-test-{secrets.token_hex(4)}", file)
    yield compose
    compose("--profile", "tools", "down", "--volumes", "--timeout", "10")
    assert left_of(compose.name) == []


def test_up_of_one_server_starts_it_alone_on_loopback_and_it_echoes(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spst")
    assert compose.services() == ["spst"]
    host, port = compose.address("spst", 8081)
    assert host == "127.0.0.1"
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(b"hello its first\n")
        assert connection.makefile("rb").readline() == b"hello its first\n"


def test_limits_come_from_the_shell_and_swap_is_off(compose: Compose) -> None:
    compose("up", "--detach", "mpmt", SERVER_CPUS="0.5", SERVER_MEMORY="64m")
    limits = compose.container("mpmt")["HostConfig"]
    assert (limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]) == (500_000_000, 64 * MIB, 64 * MIB)
    # What the kernel enforces, as seen from inside: cgroup v2, else v1.
    quota = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
    assert compose("exec", "-T", "mpmt", "sh", "-c", quota).split()[0] == "50000"
    memory = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert compose("exec", "-T", "mpmt", "sh", "-c", memory).strip() == str(64 * MIB)


def test_every_container_is_hardened_and_stays_down_when_it_ends(compose: Compose) -> None:
    compose("create", "spst", "locust", "worker", "client")
    for service in ("spst", "locust", "worker", "client"):
        container = compose.container(service)
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["RestartPolicy"]["Name"] == "no", service
        assert container["Config"]["User"] == "10001:10001", service


def test_a_line_can_be_sent_with_nothing_installed_and_seen_byte_by_byte_in_the_log(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "spmt", PACKET_LOG="1")
    sent = compose("run", "--rm", "-T", "client", "spmt", "hello its first")
    assert "RECV (ASCII): hello its first" in sent
    log = compose("logs", "--no-log-prefix", "spmt")
    assert "[PACKET] RECV: 68 65 6c 6c 6f 20 69 74 73 20 66 69 72 73 74" in log
    assert "[PACKET] SEND (ASCII): hello its first" in log


def test_up_of_a_server_and_locust_brings_as_many_workers_as_asked(compose: Compose, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    user = f"{os.getuid()}:{os.getgid()}"
    compose("up", "--detach", "spmt", "locust", "--scale", "worker=2", RESULTS=str(results), LOAD_USER=user)
    assert compose.services() == ["locust", "spmt", "worker", "worker"]
    host, port = compose.address("locust", 8089)
    assert host == "127.0.0.1"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def workers() -> bool:
        try:
            with opener.open(f"http://{host}:{port}/threadmill/status", timeout=5) as answer:
                return bool(json.load(answer)["workers"] == 2)
        except OSError:
            return False

    wait_until(workers, "two workers at the master", 60)
    compose("exec", "-T", "locust", "sh", "-c", "echo mine >/results/note")
    assert (results / "note").stat().st_uid == os.getuid()
    ports = compose("exec", "-T", "worker", "cat", "/proc/sys/net/ipv4/ip_local_port_range").split()
    assert ports == ["1024", "65535"]
