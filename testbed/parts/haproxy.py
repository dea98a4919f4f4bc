"""HAProxy as a front: its counters and its servers, by its runtime API.

Source: HAProxy's management guide 3.0, sections 9.1 (CSV format) and 9.3 (commands). Parsing is pure.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.parts.asking import Asked, PartError
from testbed.parts.counts import UNKNOWN, FrontCounts, ServerCounts

# Of the runtime API; as in fronts/haproxy.py.
COUNTERS_PORT = 9999
PAGE_PORT = 8404
CLIENTS = "clients"
SERVERS = "servers"

_HEAD = "# "
# Of the administrative states: the name it is looked up by has no address for it any more.
_NOT_RESOLVED = 0x20


def parse(text: str) -> FrontCounts:
    """The counts out of the answer to `show stat`; of what is not in it, nothing is known."""
    found = {(row["pxname"], row["svname"]): row for row in rows(text)}
    clients = found.get((CLIENTS, "FRONTEND"), {})
    backend = found.get((SERVERS, "BACKEND"))
    if backend is None:
        # It stands last, behind the servers: without it the answer was cut off.
        return UNKNOWN
    servers = {
        name: ServerCounts(
            connections=number(row, "stot"),
            open=number(row, "scur"),
            waiting=number(row, "qcur"),
            waiting_most=number(row, "qmax"),
            failed=number(row, "econ"),
        )
        for (proxy, name), row in found.items()
        if proxy == SERVERS and name != "BACKEND"
    }
    return FrontCounts(
        connections=number(clients, "stot"),
        open=number(clients, "scur"),
        open_most=number(clients, "smax"),
        limit=number(clients, "slim"),
        waiting=_waiting((number(backend, "qcur"), *(server.waiting for server in servers.values()))),
        waiting_most=_waiting_most((number(backend, "qmax"), *(server.waiting_most for server in servers.values()))),
        servers=servers,
    )


def rows(text: str) -> Iterable[dict[str, str]]:
    """Those of the answer to `show stat` that are whole, by column; none of what is no such answer."""
    lines = text.lstrip("\n").splitlines()
    if not lines or not lines[0].startswith(_HEAD):
        return
    names = lines[0].removeprefix(_HEAD).split(",")
    for values in csv.reader(line for line in lines[1:] if line):
        # A line that was cut off says nothing.
        if len(values) == len(names):
            yield dict(zip(names, values, strict=True))


def sum_of(rows: Iterable[Mapping[str, str]], column: str) -> int | None:
    """None where one of them does not say."""
    values = [number(row, column) for row in rows]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def number(row: Mapping[str, str], column: str) -> int | None:
    """None where it is none, or there is no such column."""
    text = row.get(column, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _waiting(queues: tuple[int | None, ...]) -> int | None:
    """In all queues together: one for whichever server is free first, and one for each server that a client is bound
    to."""
    known = [queue for queue in queues if queue is not None]
    return sum(known) if len(known) == len(queues) else None


def _waiting_most(queues: tuple[int | None, ...]) -> int | None:
    """The most at once; not known where several queues were in use, which need not have been longest together."""
    used = [queue for queue in queues if queue != 0]
    return (used[0] if used else 0) if len(used) <= 1 else None


@dataclass(frozen=True)
class Slot:
    """A place for a server. `is_taken`: whether a server is at the address that it had last."""

    name: str
    address: str
    is_taken: bool


def parse_slots(text: str) -> list[Slot]:
    """The places for servers out of the answer to `show servers state`."""
    lines = text.strip().splitlines()
    names = next((line.removeprefix(_HEAD).split() for line in lines if line.startswith(_HEAD)), [])
    rows = [dict(zip(names, line.split(), strict=False)) for line in lines if not line.startswith(_HEAD)]
    found: list[Slot] = []
    for row in rows:
        admin = number(row, "srv_admin_state")
        if row.get("be_name") == SERVERS and admin is not None:
            found.append(Slot(row["srv_name"], row["srv_addr"], not admin & _NOT_RESOLVED))
    return found


class HAProxy:
    """A running HAProxy. PartError, an OSError, where it does not answer or refuses."""

    def __init__(self, address: Asked) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now."""
        return parse(self._address.ask("show stat\n"))

    def slot_at(self, address: str) -> str | None:
        """The name of the server at this address, where its servers are found by a name's addresses; None: of none."""
        slots = parse_slots(self._address.ask(f"show servers state {SERVERS}\n"))
        return next((slot.name for slot in slots if slot.is_taken and slot.address == address), None)

    def set_address(self, server: str, address: str, port: int) -> None:
        """Where a server is that was declared as a spare one."""
        answer = self._address.ask(f"set server {SERVERS}/{server} addr {address} port {port}\n").strip()
        # It says what it has changed, or that there was nothing to change.
        if "changed from" not in answer and "no need to change" not in answer:
            raise self._refused(f"address {address} for {server}", answer)

    def enable(self, server: str) -> None:
        """It is given connections from now on."""
        self._set_state(server, "ready")

    def drain(self, server: str) -> None:
        """It keeps those it has, and is given no more."""
        self._set_state(server, "drain")

    def sessions(self, server: str) -> int:
        """How many connections it has now."""
        found = self.read().servers.get(server)
        if found is None or found.open is None:
            raise PartError(f"{self._address.name} does not say how many connections {server} has")
        return found.open

    def _set_state(self, server: str, state: str) -> None:
        if answer := self._address.ask(f"set server {SERVERS}/{server} state {state}\n").strip():
            raise self._refused(f"state {state} for {server}", answer)

    def _refused(self, what: str, answer: str) -> PartError:
        return PartError(f"{self._address.name} refused {what}: {' '.join(answer.split()) or 'no answer'}")
