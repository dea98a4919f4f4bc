"""Servers' and generator's rates of this checkout over those of another revision, in turns in one run.

    python -m benchmarks.against REVISION [--rounds N] [--seconds S] [NAME ...]

NAME: a server's, `fast` or `plain`; without: all that both revisions have. Each round measures every name once in each
checkout, the first of the two in turn, each in a fresh process on a core of its own. Only the ratio means anything: the
revisions share the machine's moments.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import Cell, Spread, Table, as_json, from_json, print_table, ratios
from benchmarks.generating import BYTES, PROJECT, checked, driver_words, on_core, server, two_cores, wait_for_room
from benchmarks.native import compiled
from benchmarks.servers_echo import MODES, connections_of, running
from servers.models import SERVERS

GENERATORS = ("fast", "plain")
_USERS = 50
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


def _server_rate(name: str, mode: str, seconds: float, cores: tuple[int, int], client: Path, tree: Path) -> float:
    wait_for_room(_MOST_CONNECTIONS)
    seconds = seconds / 2 if mode == "per-request" else seconds
    with running([sys.executable, "-m", "servers", name], cores[0], tree) as port:
        shape = [str(connections_of(name, mode)), f"{seconds:g}", mode, str(BYTES)]
        replies, failures, took = _output([str(client), "127.0.0.1", str(port), *shape], cores[1], PROJECT).split()
    if int(failures) or not int(replies):
        raise RuntimeError(f"{name}, {mode}: {replies} replies, {failures} failures")
    return int(replies) / float(took)


def _generator_rate(kind: str, seconds: float, cores: tuple[int, int], echo_server: Path, tree: Path) -> float:
    with server([echo_server], cores[0]) as port:
        command = [sys.executable, *driver_words(kind, port, _USERS, seconds)]
        return float(checked(_output(command, cores[1], tree), kind)["throughput_rps"])


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
    """One row a name and mode: this checkout's rate, and its ratio to the other's of the same round."""
    cores = two_cores()
    rates: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    with compiled("echo_client") as client, compiled("echo_server") as echo_server, checkout(revision) as other:
        for number in range(rounds):
            for name in _names(other, names):
                for mode in ("persistent",) if name in GENERATORS else MODES:
                    for which in (0, 1) if number % 2 == 0 else (1, 0):
                        tree = (PROJECT, other)[which]
                        if name in GENERATORS:
                            rate = _generator_rate(name, seconds, cores, echo_server, tree)
                        else:
                            rate = _server_rate(name, mode, seconds, cores, client, tree)
                        rates.setdefault((name, mode), ([], []))[which].append(rate)
    rows: list[tuple[Cell, ...]] = [
        (f"{name}, {mode}", Spread.of(ours), ratios(ours, theirs)) for (name, mode), (ours, theirs) in rates.items()
    ]
    command = (
        f"python -m benchmarks.against {revision} --rounds {rounds} --seconds {seconds:g} {' '.join(names)}".strip()
    )
    columns = ("name, connections", "requests/s", f"times {revision}")
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
