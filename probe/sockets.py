"""The server's sockets from the tables of its network namespace, as `/proc/PID/net` of its first process shows them.

Sources: the kernel's networking/proc_net_tcp.rst and networking/snmp_counter.rst.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from probe.files import KeptFile, why

_LISTEN = b"0A"
# A line of the TCP tables is padded to this length.
_ROW_BYTES = 150


@dataclass(frozen=True, slots=True)
class Counters:
    """None: not available, never zero."""

    established: int | None  # TCP connections of the namespace: served, or waiting to be accepted
    listen_overflows: int | None
    listen_drops: int | None


@dataclass(frozen=True, slots=True)
class Listener:
    """One row of a listening socket. `waiting`: connections established and not yet accepted."""

    port: int
    waiting: int


def parse_pairs(text: str, protocol: str) -> dict[str, int]:
    """The numbers of one protocol in `netstat` and `snmp`, where a line of names comes before a line of values."""
    lines = [line for line in text.splitlines() if line.startswith(f"{protocol}:")]
    if len(lines) < 2:
        return {}
    names, values = (line.split()[1:] for line in lines[:2])
    return {name: int(value) for name, value in zip(names, values, strict=False)}


def parse_listeners(table: bytes) -> tuple[list[Listener], bool]:
    """The listening sockets at the head of a TCP table, and whether the table goes on with other sockets after them."""
    listeners: list[Listener] = []
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 5:
            continue  # the rest of a line that was cut off
        if words[3] != _LISTEN:
            return listeners, True
        listeners.append(Listener(int(words[1].rpartition(b":")[2], 16), int(words[4].partition(b":")[2], 16)))
    return listeners, False


def read_head(path: str | Path) -> bytes:
    """The table up to a little after its listening sockets, which come first. OSError when it cannot be read.

    The kernel fills what is asked for by walking all buckets of the machine's connection table, 262,144 of them on an
    ordinary machine: 6 ms for a table of one row. Little is asked for at a time so that it stops early.
    """
    table = b""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while piece := os.read(descriptor, 4 * _ROW_BYTES):
            table += piece
            if parse_listeners(table)[1]:
                break
    finally:
        os.close(descriptor)
    return table


class Sockets:
    """The sockets of the first process's network namespace."""

    def __init__(self, proc: Path, port: int, first: int = 1) -> None:
        self._port = port
        self._net = proc / f"{first}/net"
        self._where = f"/proc/{first}/net"
        self._snmp = KeptFile(self._net / "snmp")
        self._netstat = KeptFile(self._net / "netstat")
        # Each costs a walk of its own: once the server is found in one of them, the other is left alone.
        self._tables: tuple[str, ...] = ("tcp", "tcp6")
        self.unavailable: dict[str, str] = {}

    def read(self) -> Counters:
        """The counters now; none of them costs more with more connections.

        Connections are counted by the kernel (CurrEstab: ESTABLISHED or CLOSE-WAIT), since counting the rows of 10,000
        idle ones in the table would cost the probe its whole budget.
        """
        tcp = self._pairs(self._snmp, "Tcp", {"established": "CurrEstab"})
        ext = self._pairs(
            self._netstat, "TcpExt", {"listen_overflows": "ListenOverflows", "listen_drops": "ListenDrops"}
        )
        return Counters(tcp.get("established"), ext.get("listen_overflows"), ext.get("listen_drops"))

    def _pairs(self, file: KeptFile, protocol: str, wanted: dict[str, str]) -> dict[str, int]:
        try:
            pairs = parse_pairs(file.read().decode(), protocol)
        except OSError as error:
            self.unavailable |= dict.fromkeys(wanted, f"{self._where}: {why(error)}")
            return {}
        self.unavailable |= {
            ours: f"{self._where}: the kernel has no {theirs}" for ours, theirs in wanted.items() if theirs not in pairs
        }
        return {ours: pairs[theirs] for ours, theirs in wanted.items() if theirs in pairs}

    def accept_queue(self) -> int | None:
        """Connections that wait to be accepted, over all listening sockets of the port; None while nobody listens."""
        reason = f"nobody listens on port {self._port}"
        for name in self._tables:
            try:
                listeners, _ = parse_listeners(read_head(self._net / name))
            except OSError as error:
                if name == "tcp":  # without IPv6 there is no tcp6
                    reason = f"{self._where}/tcp: {why(error)}"
                continue
            waiting = [listener.waiting for listener in listeners if listener.port == self._port]
            if waiting:
                self._tables = (name,)
                self.unavailable.pop("accept_queue", None)
                return sum(waiting)
        self.unavailable["accept_queue"] = reason
        return None
