"""What a server itself costs of a `!read`, beside a bare loop with the same driver.

    python -m benchmarks.behind_cost [--rounds N] [--requests N] [--stores NAMES]

Server on a core of its own; the store in its container, and a client with one connection and one request in flight, on
another. CPU time is the kernel's of every thread of the server while the connection is open. Each server and the bare
loop of its kind (benchmarks/reference/) stand on the core together and are asked in turns: ratios are of one round.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.generating import two_cores
from benchmarks.in_turns import Server, in_turns
from benchmarks.servers_echo import command_of
from servers.models import SERVERS, TABLE
from testbed.names import image_name
from testbed.parts import postgres, valkey
from testbed.stack import images
from tests.waiting import wait_until

TARGET = 1.25
KEYS = 1_000
STORES = ("postgres", "valkey")
_WARM_UP = 300


@contextmanager
def standing(store: str, core: int) -> Iterator[tuple[str, int, str]]:
    """The store in a container on that core: its address, port and password."""
    password = secrets.token_hex(8)
    told = {"ROLE": "primary", "PRELOAD": "1", "KEYS": str(KEYS), "CPUS": "1", "MEMORY_BYTES": str(256 * 2**20)}
    command = ["docker", "run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    command += ["--cpuset-cpus", str(core), f"--env=BEHIND_PASSWORD={password}"]
    command += [f"--env={name}={value}" for name, value in told.items()]
    container = _docker(*command[1:], image_name(store))
    try:
        host = _docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
        port = 5432 if store == "postgres" else 6379
        client: Any = postgres.Postgres if store == "postgres" else valkey.Valkey
        wait_until(client(host, port, password).ready, f"{store} is ready", 30)
        yield host, port, password
    finally:
        _docker("rm", "--force", container)


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _ask(own: socket.socket, replies: BinaryIO, requests: int) -> None:
    for number in range(requests):
        line = b"!read=%d\n" % (number * 7 % KEYS)
        own.sendall(line)
        if (reply := replies.readline()) != line:
            raise RuntimeError(f"asked {line!r}, answered {reply!r}")


def bare(model: str, store: str, where: tuple[str, int, str]) -> list[str]:
    """The command of the bare loop that is of the same kind as this model."""
    in_loop = "servers.aio" in TABLE[model].imports
    name = "bare_loop_reads" if in_loop else "bare_reads"
    package = [TABLE[model].package] if TABLE[model].package else []
    return [sys.executable, "-m", f"benchmarks.reference.{name}", store, where[0], str(where[1]), where[2], *package]


def told(store: str, where: tuple[str, int, str]) -> dict[str, str]:
    host, port, password = where
    variable = "BEHIND_WRITE" if store == "postgres" else "BEHIND_CACHE"
    return {"BEHIND": store, variable: f"{host}:{port}", "BEHIND_PASSWORD": password}


def measure(rounds: int = 7, requests: int = 1_000, stores: str = ",".join(STORES)) -> dict[str, Any]:
    """One row a store and model."""
    images.build_missing(stores.split(","), print)
    server_core, own_core = two_cores()
    mine = os.sched_getaffinity(0)
    rows = []
    try:
        os.sched_setaffinity(0, {own_core})
        for store in stores.split(","):
            with standing(store, own_core) as where:
                time.sleep(1)
                for model in SERVERS:
                    server = Server(command_of(model), _ask, told(store, where))
                    beside = Server(bare(model, store, where), _ask)
                    found = in_turns(server, beside, rounds, requests, server_core)
                    rows.append((f"{model}, {store}", *(Spread.of(values) for values in found), ratios(*found)))
    finally:
        os.sched_setaffinity(0, mine)
    return as_json(
        Table(
            "behind_cost",
            f"python -m benchmarks.behind_cost --rounds {rounds} --requests {requests} --stores {stores}",
            "CPU of the server for a `!read`, µs",
            ("server, store", "server", "bare loop", "ratio"),
            tuple(rows),
            (f"target: at most {TARGET} in the median",),
        )
    )


if __name__ == "__main__":
    run(measure)
