"""Room in the kernel's tables of tracked connections, where its firewall or Docker's rules track connections.

A full table drops the packets that would open another connection: to a client the server seems not to answer. A closed
connection stays in it for two minutes, so what one measurement leaves there can spoil the next. Every network namespace
has a table, of the same greatest length for all.

Sources: the kernel's networking/nf_conntrack-sysctl.rst; its net/netfilter/nf_conntrack_standalone.c for the columns of
/proc/PID/net/stat/nf_conntrack.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# A closed connection is forgotten after 120 s.
PATIENCE_S = 150.0
POLL_S = 0.5
# Looks are half a second apart; between two of them a full table has lost less than this.
_FULL = 0.9


@dataclass(frozen=True)
class Table:
    """`dropped`: packets since the machine was started, for a full table and for a few rarer reasons."""

    entries: int
    dropped: int


def parse(text: str) -> Table:
    """A line of names, then a line per processor, in hexadecimal. ValueError if it is something else."""
    names, *rows = (line.split() for line in text.splitlines())
    entries, drop = names.index("entries"), names.index("drop")
    return Table(int(rows[0][entries], 16), sum(int(row[drop], 16) for row in rows))


class Tracking:
    """The tables of this machine's own network namespace and of those that these processes are in.

    Where a table cannot be seen (nothing is tracked, or the containers are on another machine), nothing is known of it.
    """

    def __init__(self, pids: Iterable[int] = (), proc: Path = _PROC) -> None:
        self._files = [proc / str(place) / "net/stat/nf_conntrack" for place in ("self", *pids)]
        self._before = {file: table.dropped for file, table in self._tables().items()}
        self._fullest = 0
        try:
            self.limit: int | None = int((proc / "sys/net/netfilter/nf_conntrack_max").read_text())
        except (OSError, ValueError):
            self.limit = None

    def _tables(self) -> dict[Path, Table]:
        found = {}
        for file in self._files:
            try:
                found[file] = parse(file.read_text())
            except (OSError, ValueError, IndexError):
                continue
        return found

    def look(self) -> int:
        """The entries of the fullest table now. Called now and then, so that a table that was full is noticed."""
        now = max((table.entries for table in self._tables().values()), default=0)
        self._fullest = max(self._fullest, now)
        return now

    def dropped(self) -> int | None:
        """Packets dropped since this was made because a table was full; None where there is none to be seen."""
        self.look()
        tables = self._tables()
        if not self.limit or not tables:
            return None
        if self._fullest < _FULL * self.limit:
            return 0
        return sum(table.dropped - self._before.get(file, 0) for file, table in tables.items())

    def wait_for_room(self, connections: float, say: Callable[[str], None]) -> bool:
        """Return True once so many more connections fit in, False if they do not within 150 s.

        More than nine tenths of a table are never waited for: it would have to be empty, on a machine that is not ours.
        """
        if not self.limit:
            return True
        wanted = min(connections, _FULL * self.limit)
        ends = time.monotonic() + PATIENCE_S
        while (entries := self.look()) + wanted > self.limit:
            if time.monotonic() > ends:
                return False
            say(f"waits: {entries} of {self.limit} connections tracked")
            time.sleep(POLL_S)
        return True
