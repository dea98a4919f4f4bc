"""The first process of the watched container, where it is not the first of the PID namespace.

Containers of one pod that share a PID namespace have the pod's own process as PID 1, and each container's first process
has another number, which nobody knows before. What runs in it is known: its command line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probe.proc import parse_stat

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process whose parent is outside the namespace, as that of each container's first process is."""

    pid: int
    started: int  # clock ticks since boot
    command: str  # its words with single spaces between


def candidates(proc: Path = PROC) -> Iterator[Candidate]:
    """Those that are there now. What ends meanwhile, or may not be seen, is left out."""
    for directory in proc.iterdir():
        if not directory.name.isdecimal():
            continue
        try:
            stat = parse_stat((directory / "stat").read_bytes())
            words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").split()
        except (OSError, ValueError):
            continue
        if stat.parent == 0 and stat.state not in "ZX":
            yield Candidate(int(directory.name), stat.started, b" ".join(words).decode(errors="replace"))


def choose(found: Iterator[Candidate], words: str, own: int) -> int | None:
    """The PID of the one that has these words in its command line; None where none has. Pure.

    Of several the oldest, by its start and then by its number: what is run in the container later, such as a shell's
    `exec`, has its parent outside as well. `own` is the process that asks, which has the words on its command line too.
    """
    wanted = " ".join(words.split())
    fitting = [one for one in found if one.pid != own and wanted in one.command]
    return min(fitting, key=lambda one: (one.started, one.pid)).pid if fitting else None
