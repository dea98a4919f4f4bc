"""A stack by hand is scaled by its load on real Docker: a second replica comes and serves, and goes again."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.compose import Compose, docker, left_of, own_compose
from tests.e2e.stack import Terminal, orchestrate, terminal
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(240)]

LINE = b"!spin=20000 hello\n"
LAW = ("--on", "cpu", "--target", "0.6", "--max", "2", "--every", "1s", "--down-after", "2s")


@pytest.fixture
def compose() -> Iterator[Compose]:
    with own_compose() as compose:
        yield compose


def up(compose: Compose, *arguments: str) -> None:
    done = orchestrate("up", "spmt", *arguments, environment=compose.environment)
    assert done.returncode == 0, done.stdout + done.stderr


def whole(compose: Compose) -> dict[str, str]:
    return {**os.environ, **compose.environment}


@contextmanager
def spinning(address: tuple[str, int], clients: int = 3) -> Iterator[list[str]]:
    """Clients that ask for work on connection after connection; what went wrong for them."""
    stop, failed = threading.Event(), list[str]()

    def ask() -> None:
        while not stop.is_set():
            try:
                with socket.create_connection(address, 20) as connection, connection.makefile("rb") as lines:
                    connection.sendall(LINE)
                    if lines.readline() != LINE:
                        failed.append("another reply or none")
            except OSError as error:
                failed.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def accepted(compose: Compose, number: int) -> int:
    """How many connections HAProxy has opened to the replica of this number, by the kernel's count in it."""
    table = docker("exec", f"{compose.name}-spmt-{number}", "cat", "/proc/net/snmp")
    names, values = (line.split() for line in table.splitlines() if line.startswith("Tcp:"))
    return int(dict(zip(names, values, strict=True))["PassiveOpens"])


def said(screen: Terminal, text: str, times: int) -> None:
    """Wait until it has been said so often."""
    wait_until(lambda: screen.output.count(text) == times, f"{text!r} {times} times", 60)


def until_it_serves(compose: Compose, number: int) -> None:
    before = accepted(compose, number)
    wait_until(lambda: accepted(compose, number) > before + 5, f"connections of replica {number}", 60)


def test_a_second_replica_comes_with_the_load_serves_and_goes_with_it_twice(compose: Compose) -> None:
    up(compose, "--replicas", "1", "--front", "haproxy", "--cpus", "0.3", "--front-cpus", "0.3")
    first = compose("ps", "-q", "spmt").split()
    with terminal("autoscale", "spmt", *LAW, environment=whole(compose)) as screen:
        for times in (1, 2):
            with spinning(compose.address("haproxy", 8081)) as failed:
                said(screen, "1 -> 2 replicas: cpu ", times)
                said(screen, "spmt-2 is healthy", times)
                # Its place at the front takes connections, also the second time, and it has its probe.
                until_it_serves(compose, 2)
                assert "probe-2" in compose("ps", "--services").split()
            assert failed == []
            said(screen, "2 -> 1 replica: cpu ", times)
            said(screen, "spmt-2 is stopped, ", times)
            assert compose("ps", "--all", "-q", "spmt").split() == first
            assert "probe-2" not in compose("ps", "--all", "--services").split()
        screen.interrupt()
        assert screen.end() == 0
    assert "left as it is: spmt-1, 0.3 CPUs each" in screen.output
    assert "Traceback" not in screen.output
    assert compose("ps", "-q", "spmt").split() == first
    compose("--profile", "*", "down")
    assert left_of(compose.name, volumes=False) == []


def test_cpus_of_each_follow_the_load(compose: Compose) -> None:
    up(compose, "--cpus", "0.2")
    law = ("--change", "cpus", "--on", "cpu", "--target", "0.6", "--min", "0.1", "--max", "0.5", "--every", "1s")
    environment = whole(compose)
    with terminal("autoscale", "spmt", *law, "--down-after", "2s", environment=environment) as screen:
        with spinning(compose.address("spmt", 8081)):
            screen.wait_for("-> 0.5 CPUs each: cpu ")
            wait_until(lambda: compose.container("spmt")["HostConfig"]["NanoCpus"] == 500_000_000, "the limit")
        screen.wait_for("-> 0.1 CPUs each: cpu ")
        # A decision is said, and then carried out.
        wait_until(lambda: compose.container("spmt")["HostConfig"]["NanoCpus"] == 100_000_000, "the limit at rest")
        screen.interrupt()
        assert screen.end() == 0


def test_what_waits_is_read_of_the_kernel_and_of_haproxy(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "haproxy", SERVER_CPUS="0.2", SERVER_MAXCONN="1", FRONT_CPUS="0.2")
    front = compose.address("haproxy", 8081)
    law = ("--on", "queue", "--target", "2", "--max", "2", "--every", "1s", "--verbose")
    with terminal("autoscale", "spmt", *law, environment=whole(compose)) as screen:
        screen.wait_for("1 replica: queue 0 of target 2 x 1 replica")
        opened = [socket.create_connection(front, 20) for _ in range(8)]
        try:
            screen.wait_for("1 -> 2 replicas: queue ")
        finally:
            for connection in opened:
                connection.close()
        screen.interrupt()
        assert screen.end() == 0
    (waited,) = re.findall(r"1 -> 2 replicas: queue (\d+) of", screen.output)
    assert 2 < int(waited) <= 8


def test_a_load_that_rises_brings_a_replica_before_the_reading_alone_asks_for_it(compose: Compose) -> None:
    up(compose, "--replicas", "1", "--front", "haproxy", "--cpus", "0.3", "--front-cpus", "0.3")
    # Of all that it has it uses no more than all: only what is expected can be above the target.
    law = ("--on", "cpu", "--target", "1", "--max", "2", "--every", "1s", "--forecast", "linear", "--ahead", "3s")
    with terminal("autoscale", "spmt", *law, "--verbose", environment=whole(compose)) as screen:
        screen.wait_for("no forecast: 1 s of the load are known, 4 s are needed")
        screen.wait_for("; linear: ")
        with spinning(compose.address("haproxy", 8081)) as failed:
            said(screen, "spmt-2 is healthy", 1)
            until_it_serves(compose, 2)
        assert failed == []
        screen.interrupt()
        assert screen.end() == 0
    (line,) = (line for line in screen.output.splitlines() if ": 1 -> 2 replicas: cpu " in line)
    assert re.search(r"; linear: \d+\.\d\d times in 3 s: \d+", line), line


def test_memory_in_use_brings_replicas_and_none_goes_that_is_as_full(compose: Compose) -> None:
    up(compose, "--replicas", "1", "--front", "haproxy", "--cpus", "0.3", "--front-cpus", "0.3", "--memory", "64MiB")
    # A server at rest takes more than a twentieth of that.
    law = ("--on", "memory", "--target", "0.05", "--max", "2", "--every", "1s", "--down-after", "1s")
    with terminal("autoscale", "spmt", *law, "--verbose", environment=whole(compose)) as screen:
        screen.wait_for("spmt-2 is healthy")
        # Of both: it has not become less of each by being two.
        screen.wait_for(" s: 2 replicas: memory ")
        screen.interrupt()
        assert screen.end() == 0
    shares = re.findall(r"memory (\d\.\d\d) of target 0\.05 x (\d) replica", screen.output)
    assert {count for _, count in shares} == {"1", "2"}
    assert all(0.05 < float(share) < 1 for share, _ in shares), shares


ADDRESSES = "import socket; print(*{one[4][0] for one in socket.getaddrinfo('spmt', 8081, type=socket.SOCK_STREAM)})"


def test_without_a_front_a_new_one_is_found_by_its_name_and_one_that_goes_is_not(compose: Compose) -> None:
    up(compose, "--replicas", "1", "--front", "dns", "--cpus", "0.3")

    def found() -> int:
        return len(compose("exec", "-T", "locust", "python3", "-c", ADDRESSES).split())

    assert found() == 1
    with terminal("autoscale", "spmt", *LAW, environment=whole(compose)) as screen:
        screen.wait_for("no front: only who looks up spmt again finds a new replica")
        with spinning(compose.address("spmt", 8081)) as failed:
            said(screen, "spmt-2 is healthy", 1)
            assert found() == 2
        assert failed == []
        said(screen, "2 -> 1 replica: cpu ", 1)
        said(screen, "spmt-2 is stopped, ", 1)
        assert found() == 1
        screen.interrupt()
        assert screen.end() == 0
    assert "Traceback" not in screen.output


def test_what_cannot_be_is_one_line(compose: Compose) -> None:
    for model, arguments, message in (
        ("spst", LAW, "spst: found none that runs, allowed: what `orchestrate.py up spst` has started"),
        ("spmt", ("--on", "cpu", "--target", "2", "--max", "2"), "--target: found 2, allowed: a share of 1"),
        ("spmt", ("--on", "cpu", "--target", "0.6", "--max", "2"), "--change: found replicas behind nginx"),
    ):
        if model == "spmt":
            compose("up", "--detach", "--wait", "nginx", SERVER_CPUS="0.2", FRONT_CPUS="0.2")
        done = orchestrate("autoscale", model, *arguments, environment=compose.environment)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"orchestrate.py: {message}")
