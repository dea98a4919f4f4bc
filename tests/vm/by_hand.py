"""What a person does without a sweep, on the machine that is asked about."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.vm.asked import docker, left, orchestrate

Facts = dict[str, Any]
# What the kernel enforces, as the container sees it: version 2 of control groups, else version 1.
FILES = {
    "cpu": ("cpu.max", "cpu/cpu.cfs_quota_us"),
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "swap": ("memory.swap.max", "memory/memory.memsw.limit_in_bytes"),
    "pids": ("pids.max", "pids/pids.max"),
}
ECHO = b"hello\n"


@contextmanager
def up(*words: str) -> Iterator[str]:
    """What `up` says; `down` takes it away again, all of it."""
    said = orchestrate("up", *words)
    try:
        yield said
    finally:
        orchestrate("down")
        assert left() == [], left()


def echoes(said: str, what: str) -> None:
    """A line comes back from where `up` said that this answers."""
    found = re.search(rf"^{what}: ([\d.]+):(\d+),", said, re.MULTILINE)
    assert found is not None, said
    with socket.create_connection((found[1], int(found[2])), 60) as connection:
        connection.sendall(ECHO)
        assert connection.recv(100) == ECHO


def enforced(container: str) -> dict[str, str]:
    """What stands in the container's own files."""
    found = {}
    for name, files in FILES.items():
        command = " || ".join(f"cat /sys/fs/cgroup/{file} 2>/dev/null" for file in files)
        found[name] = docker("exec", container, "sh", "-c", command)
    return found


def container_of(model: str) -> str:
    wanted = ("--filter", f"label=com.docker.compose.service={model}")
    return docker("ps", "--quiet", "--filter", "label=com.docker.compose.project=threadmill", *wanted).split()[0]


def one_server(_: Path) -> Facts:
    """A server by `up`: its limits as the kernel has them, an echo, `watch`, and limits that `scale` changes."""
    with up("spmt", "--cpus", "1", "--memory", "64MiB") as said:
        echoes(said, "spmt")
        before = enforced(container_of("spmt"))
        look = json.loads(orchestrate("watch", "spmt", "--once", "--json").splitlines()[-1])
        assert (look["limits"]["cpus"], look["limits"]["memory_bytes"]) == (1.0, 64 * 2**20), look["limits"]
        orchestrate("scale", "spmt", "--cpus", "0.5", "--memory", "128MiB")
        after = enforced(container_of("spmt"))
        again = json.loads(orchestrate("watch", "spmt", "--once", "--json").splitlines()[-1])
        assert (again["limits"]["cpus"], again["limits"]["memory_bytes"]) == (0.5, 128 * 2**20), again["limits"]
    unknown = sorted(name for name, value in look.items() if value is None)
    return {"enforced": before, "enforced after `scale`": after, "unknown to `watch`": unknown}


def replicas(_: Path) -> Facts:
    """Two servers behind HAProxy by `up`, and a line through it."""
    with up("event-loop", "--replicas", "2", "--front", "haproxy", "--cpus", "0.5") as said:
        echoes(said, "haproxy")
        look = orchestrate("watch", "--once")
    return {"watch": look.splitlines()[:12]}
