"""Every feature meets every other: the factors, rows that hold every pair of their values, and a dozen that hold every
value, for real Docker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from allpairspy import AllPairs

from servers.models import SERVERS, TABLE
from servers.models.traits import Size

# What each mode of the load needs besides its name.
MODES: dict[str, dict[str, Any]] = {
    "closed": {"mode": "closed", "users": 4},
    "open-constant": {"mode": "open", "rate": 40, "users": 2, "arrivals": "constant"},
    "open-poisson": {"mode": "open", "rate": 40, "users": 2, "arrivals": "poisson"},
    # No server answers within a microsecond, so that the search is short, and the same on every machine.
    "capacity": {"mode": "capacity", "slo": {"p99": "1us"}, "users": 2},
    # One request in flight, and each sleeps: the capacity is below 51/s on every machine, on most about 49/s: as far
    # as can be from the rates that the search asks for last, 47.9/s and 50/s, lest it ask again and again.
    "relative": {"mode": "relative", "slo": {"p99": "5s"}, "at": [0.5], "users": 1},
}
SLEEP_MS = {"relative": 19.6}


@dataclass(frozen=True)
class Row:
    """One value of every factor."""

    server: str
    mode: str
    engine: str
    network: str
    limit: str
    connection: Any
    """As a sweep file has it, a number standing for so many requests on each."""
    interruption: str
    """Of the sweep: none, ctrl-c, kill."""

    def __str__(self) -> str:
        return "-".join(str(getattr(self, field.name)) for field in fields(self))


FACTORS: dict[str, tuple[Any, ...]] = {
    "server": SERVERS,
    "mode": tuple(MODES),
    "engine": ("fast", "plain"),
    "network": ("bridge", "shared"),
    "limit": ("quota", "cpuset", "both"),
    "connection": ("persistent", "per-request", 5),
    "interruption": ("none", "ctrl-c", "kill"),
}


def pairs() -> list[Row]:
    """As few rows as hold every pair of values of any two factors. The same at every call."""
    return [Row(*values) for values in AllPairs(list(FACTORS.values()))]


def make(server: str) -> tuple[Any, ...]:
    """What a server is made of, as far as it matters to what drives and measures it: a new one may be of a make that is
    there."""
    traits, few, many = TABLE[server], Size(3, 3, 1), Size(3, 3, 9)
    grows = traits.processes(many) - traits.processes(few), traits.threads(many) - traits.threads(few)
    return traits.pool, grows, traits.slots_of(few) is None, traits.package, traits.surely_served(few) == 1


# In groups that are one sweep each: what differs within one is an axis of the sweep file.
DOZEN: dict[str, tuple[Row, ...]] = {
    "closed": (
        Row("spst", "closed", "fast", "bridge", "quota", "persistent", "none"),
        Row("prefork-event-loop-uvloop", "closed", "plain", "shared", "cpuset", "per-request", "none"),
        Row("mpmt", "closed", "fast", "shared", "both", 5, "none"),
    ),
    "open, interrupted": (
        Row("spmt", "open-constant", "plain", "bridge", "cpuset", "per-request", "ctrl-c"),
        Row("thread-pool", "open-poisson", "fast", "shared", "quota", 5, "ctrl-c"),
        Row("event-loop-uvloop", "open-poisson", "plain", "bridge", "both", "persistent", "ctrl-c"),
        Row("prefork", "open-constant", "fast", "shared", "quota", 5, "ctrl-c"),
    ),
    "closed, killed": (
        Row("mpst", "closed", "plain", "bridge", "quota", 5, "kill"),
        Row("prefork-event-loop", "closed", "fast", "shared", "cpuset", "persistent", "kill"),
        Row("event-loop", "closed", "fast", "bridge", "both", "per-request", "kill"),
    ),
    "capacity, killed": (Row("prefork-reuseport", "capacity", "fast", "bridge", "both", "per-request", "kill"),),
    "relative, interrupted": (Row("event-loop", "relative", "plain", "shared", "cpuset", "persistent", "ctrl-c"),),
}


def document(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The sweep file of these rows and of no other: they are of one mode, but for arrivals, and differ in server."""
    first = rows[0]
    load = MODES[first.mode] | {"engine": _every(row.engine for row in rows)}
    if load["mode"] == "open":
        load["arrivals"] = _every(MODES[row.mode]["arrivals"] for row in rows)
    return {
        "name": name,
        "models": [row.server for row in rows],
        # Whole, since a processor cannot be divided.
        "limits": {"cpus": 1, "memory": "64MiB", "limit": _every(row.limit for row in rows)},
        "pools": {"workers": 3, "threads": 3},
        "workload": {
            "sleep": f"{SLEEP_MS.get(first.mode, 1)}ms",
            "connection": [_connection(one) for one in _every(row.connection for row in rows)],
        },
        "load": load,
        "network": _every(row.network for row in rows),
        "warmup": "1s",
        "duration": "1s",
        "order": {"shuffle": False},
        "exclude": [rule for row in rows for rule in _others(row, rows)],
    }


def _every(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _connection(value: Any) -> Any:
    return {"requests": value} if isinstance(value, int) else value


def _others(row: Row, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What to leave out so that this row's server is measured under this row's values alone."""
    found = []
    for name in ("engine", "network", "limit", "connection", "arrivals"):
        if name == "arrivals":
            own, every = MODES[row.mode].get(name), _every(MODES[one.mode].get(name) for one in rows)
        else:
            own, every = getattr(row, name), _every(getattr(one, name) for one in rows)
        if others := [_connection(value) for value in every if value != own]:
            found.append({"model": row.server, name: others})
    return found
