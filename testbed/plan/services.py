"""Several services behind one gateway: who answers which path, how often it is asked, and for what.

One value of the sweep file's `services` is `none` or a mapping of names to what is said of each:

    {reads: {model: MODEL, share: 6, read: true, cpus: 0.2}, waits: {share: 3, sleep: 20ms}}

In a cell it is its canonical text: one text for each meaning. What a service does not say it has from the cell. Pure.
"""

import json
import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import ValidationInfo

from servers.models import SERVERS
from testbed.names import EVERY
from testbed.plan.fields import MAX_WORK_US, MIN_CPUS, Machine, Reader, machine_of, not_allowed, not_allowed_at
from testbed.plan.mapping import Mapping, number, one_of, quantity
from testbed.plan.scaling import duration
from testbed.units import parse_duration_us

NONE = "none"
MOST = 8
_KEYS = ("share", "model", "cpus", "sleep", "spin", "hash", "read")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")
# What else is called something in the stack of a trial.
_TAKEN = (*EVERY, "front", "worker", "holder", "master", "client")
_WORK = "a duration from 0 to 10s, such as 500us or 5ms"
ALLOWED = (
    "`none`, or a mapping such as `{reads: {share: 6, spin: 200us}, waits: {model: MODEL, share: 3, sleep: 20ms}}`"
)


@dataclass(frozen=True)
class Service:
    """One of them. Empty or None: as the cell has it; of `cpus`, an equal part of the limit."""

    name: str
    share: float = 1.0
    model: str = ""
    cpus: float | None = None
    sleep_us: int | None = None
    spin_us: int | None = None
    hash_us: int | None = None
    reads: bool = False
    """Whether each request reads a key of the store behind it."""


def read(given: object, machine: Machine) -> tuple[Service, ...]:
    """The services of one value of the sweep file; none of `none`. PydanticCustomError says where what is allowed."""
    if given == NONE:
        return ()
    if not isinstance(given, dict) or not given:
        raise not_allowed(ALLOWED)
    if not 2 <= len(given) <= MOST:
        raise not_allowed(f"2 to {MOST} services; of one alone there is nothing to choose")
    return tuple(_service(name, one, machine) for name, one in given.items())


def _service(name: object, given: object, machine: Machine) -> Service:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
        raise not_allowed_at(
            (str(name),), "a name of small letters, digits and hyphens, at most 16, that is no model's and no part's"
        )
    mapping = Mapping({} if given is None else given, (name,), _KEYS)
    work = quantity(parse_duration_us, 0, MAX_WORK_US)

    def asked(key: str) -> int | None:
        return None if mapping.given.get(key) is None else mapping.take(key, work, _WORK)

    cpus = None
    if mapping.given.get("cpus") is not None:
        allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
        cpus = mapping.take("cpus", number(MIN_CPUS, machine.cpus), allowed)
    return Service(
        name,
        mapping.take("share", number(0.001, 1e6), "a number above 0, such as 3", default=1.0),
        mapping.take("model", one_of(*SERVERS), f"one of {', '.join(SERVERS)}", default="") or "",
        cpus,
        asked("sleep"),
        asked("spin"),
        asked("hash"),
        mapping.take("read", _yes_or_no, "true or false", default=False),
    )


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def text(services: tuple[Service, ...]) -> str:
    """The canonical text: JSON with every key that says something, in one order."""
    if not services:
        return NONE
    return json.dumps({one.name: _written(one) for one in services}, separators=(",", ":"))


def _written(one: Service) -> AnyMapping[str, Any]:
    work = {"sleep": one.sleep_us, "spin": one.spin_us, "hash": one.hash_us}
    return {
        "share": one.share,
        **({"model": one.model} if one.model else {}),
        **({} if one.cpus is None else {"cpus": one.cpus}),
        **{name: duration(us) for name, us in work.items() if us is not None},
        **({"read": True} if one.reads else {}),
    }


def written(given: str) -> Any:
    """The form of the sweep file, from the canonical text."""
    return NONE if given == NONE else json.loads(given)


_NO_BOUND = Machine(cpus=2**20, memory_bytes=2**60)


@cache
def of_text(canonical: str) -> tuple[Service, ...]:
    """The services of a canonical text; none of `none`."""
    return read(written(canonical), _NO_BOUND)


def label(canonical: str) -> str:
    """It in a few words for tables, such as `reads 6, waits 3`."""
    services = of_text(canonical)
    words = (f"{one.name}{f' by {one.model}' if one.model else ''} {one.share:g}" for one in services)
    return ", ".join(words) if services else NONE


def _text(given: object, info: ValidationInfo) -> str:
    return text(read(given, machine_of(info)))


Serves = Annotated[str, Reader(_text, allowed=ALLOWED)]
"""One value of `services`, as its canonical text."""
