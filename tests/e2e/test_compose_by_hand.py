"""The compose file as a person uses it: one server, other limits, under load; and nothing is left afterwards."""

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.stack import images as image_builder
from tests.e2e.compose import Compose, left_of, own_compose
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

MIB = 1024**2


@pytest.fixture
def compose() -> Iterator[Compose]:
    with own_compose() as compose:
        yield compose


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
        assert host["SecurityOpt"] == ["no-new-privileges=true"], service
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


def test_down_without_any_profile_removes_what_the_commands_of_the_readme_have_started(compose: Compose) -> None:
    compose("up", "--detach", "spmt", "probe-spmt", "locust", "--scale", "worker=2")
    assert compose.services() == ["locust", "probe-spmt", "spmt", "worker", "worker"]
    compose("down", "--timeout", "2")
    assert left_of(compose.name, volumes=False) == []


def test_compose_by_hand_builds_on_the_base_that_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BASE", "CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(image_builder, "COMPOSE_VARIABLES", tmp_path / ".env")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-compose.yml").write_text((image_builder.PROJECT / "docker-compose.yml").read_text())
    image_builder.remember(image_builder.Base(image_builder.OWN_BASE, "made here"))

    def base(**environment: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "config", "--format", "json", "spst"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return str(json.loads(done.stdout)["services"]["spst"]["build"]["args"]["BASE"])

    assert base() == image_builder.OWN_BASE
    assert base(BASE="named") == "named"
