"""Whether ports, open files or queues of a front end a run: a connection per request through it, at full speed.

    python -m benchmarks.front_endurance [--seconds S] [--users N] [--servers N] [--fronts NAME ...]

A C client on one core, on the other the front, without a quota, and servers of `event-loop` behind it, with what a
sweep gives them: settings of the kernel, number of connections. A port that waits (TIME_WAIT) is counted in the front's
own network namespace, where it waits: there it is the client of the servers.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from benchmarks.bridge_cost import network
from benchmarks.common import Cell, Table, as_json, from_json, print_table
from benchmarks.generating import BYTES, two_cores, wait_for_room
from benchmarks.native import compiled
from benchmarks.probe_cost import HARDENED, connect, container, docker
from benchmarks.subjects import LOOP
from testbed.names import image_name
from testbed.parts.asking import Address
from testbed.parts.front import FRONTS as ALL_FRONTS
from testbed.plan.fields import OF_HTTP
from testbed.stack.load_services import LOAD_KERNEL
from testbed.stack.naming import SERVER_PORT

MODEL = LOOP
# The client sends lines, which those that read requests take for none.
FRONTS = {name: one for name, one in ALL_FRONTS.items() if name not in OF_HTTP}
# Ports of one address towards another, and as many connections can be tracked between the two.
_PORTS = 64_512
_TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_LOOK_S = 0.5


def _settings(kernel: dict[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in kernel.items() for word in ("--sysctl", f"{name}={value}"))


def waiting_ports(sockstat: str) -> int | None:
    """How many connections of a network namespace are in TIME_WAIT, by its /proc/net/sockstat. Pure."""
    found = re.search(r"^TCP: .*\btw (\d+)", sockstat, re.MULTILINE)
    return int(found[1]) if found else None


class Watch:
    """The most connections in TIME_WAIT in a namespace and tracked by the kernel, looked at while a block runs. None:
    not told."""

    def __init__(self, pid: int) -> None:
        self._sockstat = Path(f"/proc/{pid}/net/sockstat")
        self.waiting: int | None = None
        self.tracked: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            if (waiting := waiting_ports(self._sockstat.read_text())) is not None:
                self.waiting = max(self.waiting or 0, waiting)
            if _TRACKED.exists():
                self.tracked = max(self.tracked or 0, int(_TRACKED.read_text()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def _front(kind: str, core: int, name: str, users: int, count: int) -> Iterator[str]:
    """A front with its servers; its container."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                container("--cpuset-cpus", str(core), "--network", name, "--no-healthcheck", image_name(MODEL))
            )
            for _ in range(count)
        ]
        told = ("--env", f"SERVERS={' '.join(servers)}", "--env", f"MAXCONN={2 * users}")
        where = ("--cpuset-cpus", str(core), "--network", name, "--tmpfs", "/tmp", "--memory", "256m")
        published = ("--publish", f"127.0.0.1::{FRONTS[kind].counters}", "--publish", f"127.0.0.1::{SERVER_PORT}")
        front = stack.enter_context(container(*where, *_settings(LOAD_KERNEL), *told, *published, image_name(kind)))
        connect(("127.0.0.1", _published(front, SERVER_PORT))).close()
        yield front


def _published(name: str, port: int) -> int:
    return int(docker("port", name, f"{port}/tcp").splitlines()[0].rpartition(":")[2])


def _drive(core: int, name: str, host: str, users: int, seconds: float, client: Path) -> tuple[int, int, float]:
    """Replies, failures and seconds of the C client."""
    program = ("--volume", f"{client}:/program:ro", "--entrypoint", "/program", image_name("probe"))
    words = (host, str(SERVER_PORT), str(users), f"{seconds:g}", "per-request", str(BYTES))
    where = ("--cpuset-cpus", str(core), "--network", name, *HARDENED, *_settings(LOAD_KERNEL))
    done = subprocess.run(
        ["docker", "run", "--rm", *where, *program, *words],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
    )
    replies, failures, took = done.stdout.split()
    return int(replies), int(failures), float(took)


def _row(kind: str, seconds: float, users: int, count: int, client: Path) -> tuple[Cell, ...]:
    server_core, core = two_cores()
    wait_for_room((1 + count) * _PORTS)
    with network() as name, _front(kind, server_core, name, users, count) as front:
        pid, host = docker(
            "inspect",
            "--format",
            '{{.State.Pid}} {{(index .NetworkSettings.Networks "' + name + '").IPAddress}}',
            front,
        ).split()
        counters = FRONTS[kind].client(Address(kind, _published(front, FRONTS[kind].counters)))
        with Watch(int(pid)) as seen:
            replies, failures, took = _drive(core, name, host, users, seconds, client)
        counted = counters.read().connections
    return kind, round(replies / took), replies, failures, counted, seen.waiting, seen.tracked


def measure(
    seconds: float = 60.0, users: int = 64, servers: int = 1, kinds: tuple[str, ...] = tuple(FRONTS)
) -> dict[str, Any]:
    """One row a front."""
    with compiled("echo_client") as client:
        rows = tuple(_row(kind, seconds, users, servers, client) for kind in kinds)
    columns = (
        "front",
        "connections/s",
        "replies",
        "failures",
        "taken by its count",
        "most in TIME_WAIT",
        "most tracked",
    )
    command = f"python -m benchmarks.front_endurance --seconds {seconds:g} --users {users} --servers {servers}"
    note = f"{users} clients, each with a new connection for each request; those open at the end got no reply"
    return as_json(Table("front_endurance", command, "through a front, one run each", columns, rows, (note,)))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front_endurance", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--fronts", nargs="+", choices=tuple(FRONTS), default=tuple(FRONTS))
    arguments = parser.parse_args()
    print_table(from_json(measure(arguments.seconds, arguments.users, arguments.servers, tuple(arguments.fronts))))


if __name__ == "__main__":
    main()
