"""What one core of each server gives: echo on open connections, and a connection per request; beside bare references.

    python -m benchmarks.servers_echo [--rounds N] [--seconds S]

Server on one core, a client in C on another, loopback, 64-byte lines, one request in flight per connection. Every round
measures each server once in a fresh process, in an order that turns round: ratios are of values of one round. The
references are what one writes in ten minutes, in benchmarks/reference/: no framing, counting, limits or drain. The
server in C (benchmarks/echo_server.c) is about what this machine's network stack leaves for anybody.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.common import Cell, Spread, Table, as_json, ratios, run
from benchmarks.generating import BYTES, PROJECT, on_core, output_of, two_cores, wait_for_room
from benchmarks.native import compiled
from benchmarks.subjects import (
    LOOP,
    LOOP_VARIANT,
    PROCESS_EACH,
    PROCESS_POOL,
    SEQUENTIAL,
    THREAD_EACH,
    THREAD_POOL,
    WORKERS_WITH_THREADS,
)
from servers.models import SERVERS
from testbed.judge.shape import surely_served

REFERENCES = ("bare_threaded", "naive_fork", "forking_tcp_server")
IN_C = "C server"
MODES = ("persistent", "per-request")
CONNECTIONS = 16
WORKERS, THREADS = 2, 16
RATIOS = (
    (LOOP_VARIANT, LOOP),
    (LOOP_VARIANT, IN_C),
    (THREAD_EACH, "bare_threaded"),
    (WORKERS_WITH_THREADS, "bare_threaded"),
    (THREAD_POOL, "bare_threaded"),
    (PROCESS_EACH, "naive_fork"),
    (PROCESS_EACH, "forking_tcp_server"),
)
# Of one measurement.
_MOST_CONNECTIONS = 40_000
_START_S = 20.0
_PORT = re.compile(r"(?:^|started on port )(\d+)$")


def command_of(name: str) -> list[str]:
    """What starts a model, a variant or a reference on a free port that it prints."""
    what = [f"benchmarks.reference.{name}"] if name in REFERENCES else ["servers", name]
    return [sys.executable, "-m", *what]


def connections_of(name: str, mode: str) -> int:
    """As many as are served at once: one that waits for another to leave would wait until the end."""
    slots = None if name in (*REFERENCES, IN_C) or mode == "per-request" else surely_served(name, WORKERS, THREADS)
    return CONNECTIONS if slots is None else min(CONNECTIONS, slots)


@contextmanager
def running(
    command: Sequence[str | Path], core: int, tree: Path = PROJECT, more: Mapping[str, str] | None = None
) -> Iterator[int]:
    """This server on this core, of the checkout `tree`; yields its port. RuntimeError if it does not start."""
    with started(command, core, tree, more) as (port, _):
        yield port


@contextmanager
def started(
    command: Sequence[str | Path], core: int, tree: Path = PROJECT, more: Mapping[str, str] | None = None
) -> Iterator[tuple[int, int]]:
    """The same, told `more` in its environment; yields its port and its process."""
    words = [str(word) for word in command]
    environment = {"HOST": "127.0.0.1", "PORT": "0", "WORKERS": str(WORKERS), "THREADS": str(THREADS)}
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tree,
        env={**os.environ, **environment, **(more or {})},
        start_new_session=True,
        preexec_fn=on_core(core),
    ) as process:
        try:
            assert process.stdout is not None
            found = next((port for line in process.stdout if (port := _PORT.search(line.strip()))), None)
            if found is None:
                raise RuntimeError(f"a server did not start: try {' '.join(words)}")
            # It logs what clients do wrong, and would wait for somebody to read it.
            Thread(target=process.stdout.read, daemon=True).start()
            yield int(found[1]), process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_START_S)
            with suppress(ProcessLookupError):  # what a reference leaves behind, which does not drain
                os.killpg(process.pid, signal.SIGKILL)


def _rate(
    name: str, mode: str, seconds: float, cores: tuple[int, int], client: Path, command: Sequence[str | Path]
) -> float:
    wait_for_room(_MOST_CONNECTIONS)
    if mode == "per-request":
        seconds /= 2  # tens of thousands of connections, which the kernel remembers for minutes
    with running(command, cores[0]) as port:
        words = ["127.0.0.1", str(port), str(connections_of(name, mode)), f"{seconds:g}", mode, str(BYTES)]
        replies, failures, took = output_of([client, *words], cores[1]).split()
    if int(failures) or not int(replies):
        raise RuntimeError(f"{name}, {mode}: {replies} replies, {failures} failures")
    return int(replies) / float(took)


def measure(rounds: int = 4, seconds: float = 0.8) -> dict[str, Any]:
    """One row a server and reference: requests per second in both modes; then one row a ratio."""
    names = (*SERVERS, *REFERENCES, IN_C)
    cores = two_cores()
    rates: dict[tuple[str, str], list[float]] = {(name, mode): [] for name in names for mode in MODES}
    with compiled("echo_client") as client, compiled("echo_server") as echo_server:
        for number in range(rounds):
            for name in names if number % 2 == 0 else names[::-1]:
                for mode in MODES:
                    command = [echo_server] if name == IN_C else command_of(name)
                    rates[name, mode].append(_rate(name, mode, seconds, cores, client, command))
    return as_json(table(rates, f"python -m benchmarks.servers_echo --rounds {rounds} --seconds {seconds:g}"))


def table(rates: dict[tuple[str, str], list[float]], command: str) -> Table:
    """The rates by server and mode, one of each a round, and the ratios of what was measured in one round. Pure."""
    names = dict.fromkeys(name for name, _ in rates)
    rows: list[tuple[Cell, ...]] = [(name, *(Spread.of(rates[name, mode]) for mode in MODES)) for name in names]
    rows += [
        (f"{one} / {other}", *(ratios(rates[one, mode], rates[other, mode]) for mode in MODES)) for one, other in RATIOS
    ]
    at_once = f"{SEQUENTIAL} 1, {PROCESS_POOL} {WORKERS}"
    goals = f"{LOOP_VARIANT} / {LOOP} 2.5, {THREAD_EACH} / bare_threaded 1, {PROCESS_EACH} / naive_fork per request 2.5"
    notes = (
        f"{CONNECTIONS} connections, on open ones no more than the model serves at once ({at_once})",
        f"targets: {goals}",
    )
    columns = ("server", "open connections", "connection per request")
    unit = "requests/s of one core, loopback, median and range; rows of two names: ratios"
    return Table("servers_echo", command, unit, columns, tuple(rows), notes)


if __name__ == "__main__":
    run(measure)
