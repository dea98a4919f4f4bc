"""Servers' and generator's rates of this checkout over those of another revision, in turns in one run.

    python -m benchmarks.against REVISION [--rounds N] [--seconds S] [NAME ...]

NAME: a server's, `fast` or `plain`; without: all that both revisions have. Each round measures every name once in each
checkout, the first of the two in turn, each in a fresh process on a core of its own. Only the ratios mean anything: the
revisions share the machine's moments. Where others have the processors at times, CPU time is the steadier of the two.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import Cell, Spread, Table, as_json, from_json, print_table, ratios
from benchmarks.generating import BYTES, PROJECT, checked, driver_words, on_core, server, two_cores, wait_for_room
from benchmarks.native import compiled
from benchmarks.servers_echo import MODES, connections_of, running
from servers.models import SERVERS

GENERATORS = ("fast", "plain")
_USERS = 50


class Measured(NamedTuple):
    """Requests per second, and CPU time of the server or generator for each; a server's start is in it."""

    rate_rps: float
    cpu_us: float


_MOST_CONNECTIONS = 40_000
_TIMEOUT_S = 60


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """The tree of this revision, gone at the end of the block. RuntimeError where git does not know it."""
    with tempfile.TemporaryDirectory(prefix="threadmill-against-") as directory:
        tree = Path(directory) / "tree"
        words = ["git", "-C", str(PROJECT), "worktree", "add", "--quiet", "--detach", str(tree), revision]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"found {revision!r}, allowed: a revision that git knows; {done.stderr.strip()}")
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", str(PROJECT), "worktree", "remove", "--force", str(tree)], check=False)


def _output(command: list[str], core: int, tree: Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=tree, preexec_fn=on_core(core)
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)} did not run: {done.stderr.strip()[-500:]}")
    return done.stdout.strip().splitlines()[-1]


def _server(name: str, mode: str, seconds: float, cores: tuple[int, int], client: Path, tree: Path) -> Measured:
    wait_for_room(_MOST_CONNECTIONS)
    seconds = seconds / 2 if mode == "per-request" else seconds
    before = _children_cpu_s()
    with running([sys.executable, "-m", "servers", name], cores[0], tree) as port:
        shape = [str(connections_of(name, mode)), f"{seconds:g}", mode, str(BYTES)]
        started = _children_cpu_s()
        replies, failures, took = _output([str(client), "127.0.0.1", str(port), *shape], cores[1], PROJECT).split()
        clients = _children_cpu_s() - started
    if int(failures) or not int(replies):
        raise RuntimeError(f"{name}, {mode}: {replies} replies, {failures} failures")
    cpu_s = _children_cpu_s() - before - clients
    return Measured(int(replies) / float(took), cpu_s * 1e6 / int(replies))


def _children_cpu_s() -> float:
    """Of the processes that have ended here: a server with all of its own, once it was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _generator(kind: str, seconds: float, cores: tuple[int, int], echo_server: Path, tree: Path) -> Measured:
    with server([echo_server], cores[0]) as port:
        command = [sys.executable, *driver_words(kind, port, _USERS, seconds)]
        found = checked(_output(command, cores[1], tree), kind)
    return Measured(found["throughput_rps"], found["cpu_s"] * 1e6 / found["ok"])


def _names(tree: Path, asked: list[str]) -> list[str]:
    """What both have, of what is asked for. RuntimeError for a name that this checkout does not know."""
    every = (*SERVERS, *GENERATORS)
    for name in asked:
        if name not in every:
            raise RuntimeError(f"NAME: found {name!r}, allowed: {', '.join(every)}")
    words = [sys.executable, "-c", "from servers.models import SERVERS; print(*SERVERS)"]
    theirs = (*_output(words, 0, tree).split(), *GENERATORS)
    return [name for name in asked or every if name in theirs]


def measure(revision: str, rounds: int, seconds: float, names: list[str]) -> dict[str, Any]:
    """One row a name and mode: this checkout's rate and CPU time per request, each with its ratio to the other's."""
    cores = two_cores()
    found: dict[tuple[str, str], tuple[list[Measured], list[Measured]]] = {}
    with compiled("echo_client") as client, compiled("echo_server") as echo_server, checkout(revision) as other:
        for number in range(rounds):
            for name in _names(other, names):
                for mode in ("persistent",) if name in GENERATORS else MODES:
                    for which in (0, 1) if number % 2 == 0 else (1, 0):
                        tree = (PROJECT, other)[which]
                        if name in GENERATORS:
                            one = _generator(name, seconds, cores, echo_server, tree)
                        else:
                            one = _server(name, mode, seconds, cores, client, tree)
                        found.setdefault((name, mode), ([], []))[which].append(one)
    rows: list[tuple[Cell, ...]] = [
        (
            f"{name}, {mode}",
            Spread.of(one.rate_rps for one in ours),
            ratios([one.rate_rps for one in ours], [one.rate_rps for one in theirs]),
            Spread.of(one.cpu_us for one in ours),
            ratios([one.cpu_us for one in ours], [one.cpu_us for one in theirs]),
        )
        for (name, mode), (ours, theirs) in found.items()
    ]
    command = (
        f"python -m benchmarks.against {revision} --rounds {rounds} --seconds {seconds:g} {' '.join(names)}".strip()
    )
    columns = ("name, connections", "requests/s", f"times {revision}", "CPU us/request", f"its CPU times {revision}'s")
    return as_json(Table("against", command, "one core, loopback, median and range", columns, tuple(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__.partition("\n")[0])
    parser.add_argument("revision", metavar="REVISION")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_intermixed_args()
    print_table(from_json(measure(arguments.revision, arguments.rounds, arguments.seconds, arguments.names)))


if __name__ == "__main__":
    main()
