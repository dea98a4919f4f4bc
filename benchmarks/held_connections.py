"""How many connections each server holds in 256 MiB, up to 10,000, and what stops it.

    python -m benchmarks.held_connections [--models NAME ...] [--most N]

Each server in a fresh container with 256 MiB, no swap, one CPU and 4,096 tasks. Connections are added in steps of a
tenth; after each step every connection gets a line of its own echoed. The first step in which one does not is the
limit: how many got their echo, and why the others did not, by the server's own words where it has any.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.common import Cell, Table, as_json, from_json, print_table
from benchmarks.generating import wait_for_room
from benchmarks.probe_cost import container, docker
from servers.models import SERVERS, TABLE, traits
from testbed.names import image_name
from testbed.stack.naming import SERVER_PORT
from testbed.stack.needs import LEAST_TASKS

MEMORY_MIB = 256
MOST = 10_000
# What a user sets who wants many connections; the pools' sizes are what decides there.
MAX_CONNECTIONS = 20_000
WORKERS = 256  # of a pool that serves one connection in each
THREADS = 1_024
_DEFAULT_WORKERS = 2
_START_S = 20.0
_CONNECT_S = 5.0
# A round without a single reply for so long is over.
_STALL_S = 3.0
# In use beyond this share, memory is what has run out.
_FULL = 0.97
_ROUND_S = 30.0
_SERVER_SAYS = re.compile(r"^\[INFO\] (.*(?:cannot|out of memory|Too many open files).*)$", re.MULTILINE)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+")


def steps(most: int) -> Iterator[int]:
    """Numbers of connections from 1 to `most`, each about a tenth more than the one before. Pure."""
    number = 1
    while number < most:
        yield number
        number += max(1, number // 10)
    yield most


@dataclass
class Held:
    """Connections to one server, and what happened to those that are gone."""

    address: tuple[str, int]
    open: dict[int, socket.socket] = field(default_factory=dict)
    refusal: str = ""
    lost: int = 0

    def __post_init__(self) -> None:
        self._poller = select.epoll()

    def grow(self, number: int) -> None:
        """Connect until there are so many; stops at the first that cannot connect."""
        while len(self.open) < number:
            try:
                connection = socket.create_connection(self.address, _CONNECT_S)
            except OSError as failure:
                self.refusal = self.refusal or f"connect: {failure.strerror or failure}"
                return
            connection.setblocking(False)
            # Closed by a reset: ports that wait a minute after an orderly end would be missing for the next server.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.open[connection.fileno()] = connection
            self._poller.register(connection, select.EPOLLIN)

    def round(self) -> int:
        """One echo on every connection: how many got theirs. Bounded in time."""
        waiting = {}
        for number, (descriptor, connection) in enumerate(list(self.open.items())):
            waiting[descriptor] = b"connection %d\n" % number
            try:
                connection.send(waiting[descriptor])
            except OSError as failure:
                self._lose(descriptor, failure.strerror)
                del waiting[descriptor]
        asked, ends = len(waiting), time.monotonic() + _ROUND_S
        answered = 0
        while waiting and time.monotonic() < ends:
            events = self._poller.poll(_STALL_S)
            if not events:
                break
            for descriptor, _event in events:
                reply = self._reply(descriptor)
                if descriptor not in waiting or reply is None:
                    waiting.pop(descriptor, None)
                elif reply == waiting.pop(descriptor):
                    answered += 1
                else:
                    self._lose(descriptor, reply.decode("ascii", "replace").strip() or "closed by the server")
        self.lost += asked - answered - len(waiting)
        return answered

    def _reply(self, descriptor: int) -> bytes | None:
        """What has arrived; None for a connection that is gone."""
        try:
            return self.open[descriptor].recv(4096)
        except OSError as failure:
            self._lose(descriptor, failure.strerror)
            return None

    def _lose(self, descriptor: int, why: str | None) -> None:
        self.refusal = self.refusal or str(why)
        with suppress(OSError):
            self._poller.unregister(descriptor)
        self.open.pop(descriptor).close()

    def close(self) -> None:
        for connection in self.open.values():
            connection.close()
        self._poller.close()


def reason(
    slots: int | None, held: int, refusal: str, logs: str, state: dict[str, Any], memory_mib: float | None
) -> str:
    """Why no more were held than were. Pure.

    `refusal` is what the first client that was lost saw; `state` is what Docker tells of the container.
    """
    said = [_ADDRESS.sub("a client", line) for line in _SERVER_SAYS.findall(logs)]
    if not state["Running"]:
        return "memory: the server was killed" if state["OOMKilled"] else f"the server exited with {state['ExitCode']}"
    if any("out of memory" in line for line in said):
        return "memory: a process was killed"
    if said:
        return re.sub(r"cannot serve a client: (.*?); .*", r"cannot serve more: \1", said[0])
    if slots is not None and held >= slots:
        return f"serves {slots} at once, the next waits"
    full = memory_mib is not None and memory_mib > _FULL * MEMORY_MIB
    return ("memory: all of it is in use; " if full else "") + (refusal or f"no reply for {_STALL_S:g} s")


def settings_of(model: str) -> dict[str, str]:
    """The environment of this model's server."""
    found = {"MAX_CONNECTIONS": str(MAX_CONNECTIONS)}
    size = _size(model)
    if size.workers == WORKERS:
        found["WORKERS"] = str(WORKERS)
    if TABLE[model].pool == traits.THREADS:
        found["THREADS"] = str(THREADS)
    return found


def _size(model: str) -> traits.Size:
    """The pool that this model's server is given."""
    one_each = TABLE[model].pool == traits.WORKERS and TABLE[model].slots_of(traits.Size(WORKERS)) is not None
    return traits.Size(WORKERS if one_each else _DEFAULT_WORKERS, THREADS)


def hold(model: str, most: int) -> tuple[Cell, ...]:
    """A row of the table: connections held, seconds for the last echo round, MiB in use then, and the limit's name."""
    settings = settings_of(model)
    limits = ("--memory", f"{MEMORY_MIB}m", "--memory-swap", f"{MEMORY_MIB}m", "--cpus", "1")
    bounds = ("--pids-limit", str(LEAST_TASKS), "--ulimit", f"nofile={MAX_CONNECTIONS}", "--no-healthcheck")
    environment = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    with container(*limits, *bounds, *environment, image_name(model)) as server:
        wait_for_room(2 * most)
        address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", server)
        clients = Held((address, SERVER_PORT))
        _wait_until_started(server)
        held, took_s, memory_mib = 0, None, None
        why = "none: as many as were asked for"
        try:
            for number in steps(most):
                clients.grow(number)
                began = time.monotonic()
                answered = clients.round()
                if answered < number:
                    held = max(held, answered)
                    slots = TABLE[model].slots_of(_size(model))
                    state = json.loads(docker("inspect", "--format", "{{json .State}}", server))
                    memory_mib = _memory_mib(server)
                    why = reason(slots, held, clients.refusal, docker("logs", server), state, memory_mib)
                    break
                held, took_s = number, time.monotonic() - began
            else:
                memory_mib = _memory_mib(server)
        finally:
            clients.close()
    told = " ".join(f"{name}={value}" for name, value in settings.items() if name != "MAX_CONNECTIONS")
    return (model, told or "-", held, took_s, memory_mib, why)


def _memory_mib(server: str) -> float | None:
    return _mib(docker("stats", "--no-stream", "--format", "{{.MemUsage}}", server))


def _mib(usage: str) -> float | None:
    """Of `12.5MiB / 256MiB`; None for nothing, as of a container that is gone. Pure."""
    number, unit = re.match(r"([\d.]+)([KMG]?i?B)", usage).groups()  # type: ignore[union-attr]
    return float(number) * {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}[unit] if float(number) else None


def _wait_until_started(server: str) -> None:
    ends = time.monotonic() + _START_S
    while "Server started" not in docker("logs", server):
        if time.monotonic() > ends:
            raise RuntimeError(f"the server did not start within {_START_S:g} s: {docker('logs', server)}")
        time.sleep(0.05)


def measure(models: Sequence[str] = SERVERS, most: int = MOST) -> dict[str, Any]:
    """One row a server. RuntimeError where this process may not open enough files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = most + 100
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"open files: found a limit of {hard}, needed: {needed}; ulimit -Hn {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        rows = tuple(hold(model, most) for model in models)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    command = "python -m benchmarks.held_connections" + (f" --most {most}" if most != MOST else "")
    columns = ("server", "pool", "held", "last round (s)", "memory (MiB)", "what stops it")
    note = f"every server with MAX_CONNECTIONS={MAX_CONNECTIONS}, 1 CPU, {LEAST_TASKS} tasks; the others as they come"
    unit = f"connections with a full echo round over all, {MEMORY_MIB} MiB, up to {most:,}"
    return as_json(Table("held_connections", command, unit, columns, rows, (note,)))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.held_connections", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--models", nargs="+", choices=SERVERS, default=SERVERS, metavar="NAME")
    parser.add_argument("--most", type=int, default=MOST)
    arguments = parser.parse_args()
    print_table(from_json(measure(arguments.models, arguments.most)))


if __name__ == "__main__":
    main()
