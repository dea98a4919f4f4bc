"""Room in the kernel's table of tracked connections: when it is full, packets are dropped and clients seem to hang.

A closed connection stays in it for two minutes, so what one measurement leaves can spoil the next.
"""

from __future__ import annotations

import time
from pathlib import Path

_PLACE = Path("/proc/sys/net/netfilter")
# A closed connection is forgotten after 120 s.
_PATIENCE_S = 150.0


def wait_for_room(connections: int, place: Path = _PLACE) -> None:
    """Return once so many more connections fit in the table. RuntimeError if they do not within 150 s.

    At once where connections are not tracked, or where the table is no larger than that at all.
    """
    ends = time.monotonic() + _PATIENCE_S
    while True:
        try:
            count, most = (int((place / f"nf_conntrack_{name}").read_text()) for name in ("count", "max"))
        except (OSError, ValueError):
            return
        if count + connections <= most or connections >= most:
            return
        if time.monotonic() > ends:
            raise RuntimeError(f"connection tracking is full: {count} of {most}; sysctl net.netfilter.nf_conntrack_max")
        time.sleep(0.5)
