"""Limits of running containers set anew: the kernel enforces them, and by hand it is one command."""

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from testbed.errors import UserError
from testbed.stack import resizing
from testbed.stack.resizing import InForce
from tests.commanded import commanded
from tests.e2e.compose import docker, own_compose
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

MIB = 2**20
SPIN = "while True: pass"
# Version 2 of control groups, else version 1.
PERIODS = "{ cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.stat; }"
USED_US = (
    "grep usage_usec /sys/fs/cgroup/cpu.stat 2>/dev/null"
    " || echo usage_usec $(($(cat /sys/fs/cgroup/cpuacct/cpuacct.usage) / 1000))"
)
QUOTA = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
MEMORY = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"


@contextmanager
def running(program: str, *limits: str) -> Iterator[str]:
    """A container that runs a Python program; gone at the end."""
    name = f"threadmill-test-{secrets.token_hex(4)}"
    what = ("--no-healthcheck", "--entrypoint", "python3", *limits, "threadmill/spst", "-c", program)
    try:
        docker("run", "--detach", "--name", name, *what)
        yield name
    finally:
        docker("rm", "--force", name)


def inside(name: str, command: str) -> str:
    return docker("exec", name, "sh", "-c", command).strip()


def counters(name: str) -> tuple[int, int]:
    """CPU time in microseconds and periods of the quota, since the start."""
    found = dict(line.split() for line in inside(name, f"{PERIODS}; {USED_US}").splitlines())
    return int(found["usage_usec"]), int(found["nr_periods"])


def used_us_in_a_period(name: str, periods: int = 20) -> float:
    used, count = counters(name)
    # Looked at from within: to be asked from outside again and again would cost more than what is looked at.
    more_than = f"[ $({PERIODS} | grep nr_periods | cut -d' ' -f2) -ge {count + periods} ]"
    inside(name, f"until {more_than}; do sleep 0.1; done")
    later, more = counters(name)
    return (later - used) / (more - count)


def test_a_new_quota_is_enforced_on_what_runs() -> None:
    with running(SPIN, "--cpus", "0.2") as name:
        assert resizing.in_force(name).cpus == 0.2
        assert 10_000 < used_us_in_a_period(name) < 30_000
        resizing.set_limits(name, cpus=0.8)
        assert resizing.in_force(name) == InForce(0.8, None)
        assert inside(name, QUOTA).split()[0] == "80000"
        assert used_us_in_a_period(name) > 30_000
        resizing.set_limits(name, cpus=0.1)
        assert inside(name, QUOTA).split()[0] == "10000"
        assert used_us_in_a_period(name) < 20_000


def test_memory_grows_without_swap_and_is_not_taken_from_what_uses_it() -> None:
    program = f"kept = b'x' * (100 * {MIB})\nprint('there', flush=True)\n{SPIN}"
    with running(program, "--cpus", "0.5", "--memory", "160m", "--memory-swap", "160m") as name:
        wait_until(lambda: "there" in docker("logs", name), "memory in use")
        resizing.set_limits(name, memory_bytes=256 * MIB)
        assert docker("inspect", "--format", "{{.HostConfig.MemorySwap}}", name).strip() == str(256 * MIB)
        assert inside(name, MEMORY) == str(256 * MIB)
        resizing.set_limits(name, memory_bytes=200 * MIB)
        assert inside(name, MEMORY) == str(200 * MIB)
        with pytest.raises(UserError, match=r"^memory: found 64MiB, allowed: more than is in use, 1\d\dMiB \(.*\)$"):
            resizing.set_limits(name, memory_bytes=64 * MIB)
        assert resizing.in_force(name) == InForce(0.5, 200 * MIB)
        assert docker("inspect", "--format", "{{.State.Running}}", name).strip() == "true"


def test_what_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError) as error:
        resizing.set_limits("threadmill-no-such-container", cpus=0.5)
    assert str(error.value).startswith("docker update failed: ")
    assert "No such container" in str(error.value)
    assert "\n" not in str(error.value)


def test_by_hand_it_is_one_command_that_says_what_was_and_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200, no_color=True)
    with own_compose() as compose:
        monkeypatch.setenv("COMPOSE_PROJECT_NAME", compose.name)
        with pytest.raises(UserError, match=r"^prefork: found none that runs, allowed: "):
            commanded(console, "scale", "prefork", "--cpus", "0.5")
        limits = {"SERVER_CPUS": "0.5", "SERVER_MEMORY": "128m"}
        compose("up", "--detach", "--wait", "prefork", "spmt", "--scale", "spmt=2", **limits)
        assert commanded(console, "scale", "prefork", "--cpus", "0.75", "--memory", "256MiB") == 0
        found = compose.container("prefork")["HostConfig"]
        assert (found["NanoCpus"], found["Memory"], found["MemorySwap"]) == (750_000_000, 256 * MIB, 256 * MIB)
        assert commanded(console, "scale", "spmt", "--cpus", "0.25") == 0
    assert text.getvalue().splitlines() == [
        "prefork: was 0.5 CPUs, 128MiB; is 0.75 CPUs, 256MiB",
        "prefork keeps the processes of its pool: their number was decided at its start",
        "spmt-1: was 0.5 CPUs, 128MiB; is 0.25 CPUs, 128MiB",
        "spmt-2: was 0.5 CPUs, 128MiB; is 0.25 CPUs, 128MiB",
    ]
