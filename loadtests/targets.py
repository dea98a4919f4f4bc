"""Which servers can be loaded, and where they are.

`TARGETS` names the models (`spst,spmt`), each reachable as `<model>:8081` on the load containers' network.
`TARGET_ADDRESSES` (`spmt=10.0.0.7:9000,spst=127.0.0.1:8081`) says otherwise for single ones, for servers that run
elsewhere; a name that stands only there is a target too. `ONE_AT_A_TIME` names those that serve one client at a time.
`FRONTS` (`haproxy=spmt,nginx=spmt`) names what may stand before the containers of a target, each a target as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

PORT = 8081
# Of each of several fronts, before its number, as testbed/parts/front.py calls them.
FRONT = "front"


def read_targets(environ: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Host and port by name, models in the order given and then fronts. Raises ValueError with one line."""
    targets = {name: (name, PORT) for name in _items(environ.get("TARGETS", ""))}
    for item in _items(environ.get("TARGET_ADDRESSES", "")):
        name, equals, address = item.partition("=")
        host, colon, port = address.rpartition(":")
        if not (name and equals and host and colon and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(f"TARGET_ADDRESSES: each item is model=host:port, not {item!r}")
        targets[name] = (host.strip("[]"), int(port))
    return targets | {front: (front, PORT) for front in read_fronts(environ, targets) if front not in targets}


def read_fronts(environ: Mapping[str, str], targets: Collection[str]) -> dict[str, str]:
    """What stands behind each front, by the front's name. Raises ValueError with one line."""
    behind: dict[str, str] = {}
    for item in _items(environ.get("FRONTS", "")):
        front, equals, model = item.partition("=")
        if not (front and equals and model in targets and model != front):
            raise ValueError(f"FRONTS: each item is front=model with a model of TARGETS, not {item!r}")
        behind[front] = model
    return behind


def address_of(name: str, targets: Mapping[str, tuple[str, int]]) -> tuple[str, int] | None:
    """Where a target is, or one replica of it by its number: `spmt-2` is a host of that name, on the port of servers;
    `spmt-2:8082` another port of it, where the server is if something else has that one. `front-2` is one of several
    fronts, which a sweep asks by itself.

    None for a name that is none of these.
    """
    name, colon, port = name.partition(":")
    if colon:
        found = address_of(name, targets)
        return (found[0], int(port)) if found and port.isdecimal() and 0 < int(port) < 65536 else None
    if name in targets:
        return targets[name]
    base, hyphen, number = name.rpartition("-")
    return (name, PORT) if hyphen and (base in targets or base == FRONT) and number.isdecimal() else None


def read_one_at_a_time(environ: Mapping[str, str]) -> frozenset[str]:
    """The names of those that serve one client at a time, among the targets or not."""
    return frozenset(_items(environ.get("ONE_AT_A_TIME", "")))


def offered(names: Sequence[str], up: Mapping[str, bool], fronts: Collection[str]) -> list[str]:
    """What the page's list shows: every model, since it says which are not up, and of the fronts those that are up."""
    return [name for name in names if name not in fronts or up.get(name)]


def first_choice(
    names: Sequence[str], up: Mapping[str, bool], one_at_a_time: Collection[str], fronts: Collection[str] = ()
) -> str:
    """What a newcomer's page shows: the first of these targets that is up, or just the first.

    A front comes first: who has started one means to load what is behind it. One that serves one client at a time would
    greet a newcomer with starved users: it comes only for want of others.
    """
    there = [name for name in names if up.get(name)]
    there.sort(key=lambda name: (name not in fronts, name in one_at_a_time))
    return next(iter(there), names[0])


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
