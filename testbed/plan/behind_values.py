"""The values of `behind` in a sweep file, read from what people write or from their canonical text."""

import itertools
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import ValidationInfo

from testbed.plan.behind import NONE, Behind, Commit, Nats, Part, Pooler, Postgres, RabbitMQ, Reads, Share, Valkey
from testbed.plan.behind import text as canonical
from testbed.plan.behind import written as as_written
from testbed.plan.fields import MIN_CPUS, MIN_MEMORY_BYTES, Machine, Reader, machine_of, not_allowed, not_allowed_at
from testbed.plan.mapping import Mapping, number, one_of, quantity
from testbed.plan.scaling import duration, size
from testbed.units import format_bytes, parse_bytes, parse_duration_us

_PARTS = ("postgres", "valkey", "nats", "rabbitmq")
_COMMON = ("pool", "wait")
_OF_CONSUMERS = ("task", "consumer_cpus", "kill")
_KEYS = {
    "postgres": ("cpus", "cpus_of", "memory", "standbys", "reads", "commit", "pooler", "shards", "cost"),
    "valkey": ("cpus", "cpus_of", "memory", "masters", "ttl", "lock", "hits", "over"),
    "nats": ("cpus", "memory", "stream", "subscribers", "slow", *_OF_CONSUMERS),
    "rabbitmq": ("cpus", "memory", "consumers", "prefetch", *_OF_CONSUMERS),
}
# What each needs to start at all.
_LEAST_MEMORY = {"postgres": 96 * 2**20, "valkey": MIN_MEMORY_BYTES, "nats": 32 * 2**20, "rabbitmq": 256 * 2**20}
MAX_STANDBYS = 4
# PL/Proxy takes the low bits of a hash.
SHARDS = (1, 2, 4, 8)
# Fewer than three masters make no cluster.
MASTERS = (1, 3, 4, 5, 6)
MAX_CONSUMERS = 32
MAX_PREFETCH = 65_535
MAX_POOL = 256
ALLOWED = (
    "`none`, `postgres`, `valkey`, `nats`, `rabbitmq`, or a mapping such as "
    "`{postgres: {cpus: 0.4, standbys: 2, reads: standby}}`, "
    "`{valkey: {masters: 3, over: postgres}}`, `{nats: {stream: yes}}`, `{rabbitmq: {consumers: 4}}`"
)


def expanded(given: object) -> list[object]:
    """The values that one value of the sweep file stands for: lists inside it cross, the last changes first."""
    if not isinstance(given, dict):
        return [given]
    values = [_alternatives(value) for value in given.values()]
    return [dict(zip(given, chosen, strict=True)) for chosen in itertools.product(*values)]


def _alternatives(value: object) -> list[object]:
    every = value if isinstance(value, list) else [value]
    return [one for each in every for one in expanded(each)]


def read(given: object, machine: Machine) -> Behind | None:
    """The record of one value of the sweep file; None for `none`. PydanticCustomError says where what is allowed."""
    if given == NONE:
        return None
    if isinstance(given, str) and given in _PARTS:
        given = {given: {}}
    if not isinstance(given, dict):
        raise not_allowed(ALLOWED)
    common = Mapping(given, (), (*_PARTS, *_COMMON))
    names = [name for name in given if name in _PARTS]
    if len(names) != 1:
        raise not_allowed(
            f"one of {', '.join(_PARTS)} in each value; with a list of values each gets trials of its own"
        )
    return Behind(
        _part(names[0], given[names[0]], (names[0],), machine),
        int(common.take("pool", number(1, MAX_POOL, whole=True), f"a whole number from 1 to {MAX_POOL}", default=4)),
        common.take("wait", *_time("1ms", "60s"), default=1_000_000),
    )


def _part(name: str, given: object, at: tuple[int | str, ...], machine: Machine) -> Part:
    one = Mapping({} if given is None else given, at, _KEYS[name])
    match name:
        case "postgres":
            return _postgres(one, machine)
        case "valkey":
            return _valkey(one, machine)
        case "nats":
            return _nats(one, machine)
        case _:
            return _rabbitmq(one, machine)


def _cpus(one: Mapping, key: str, default: float, machine: Machine) -> float:
    allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
    return float(one.take(key, number(MIN_CPUS, machine.cpus), allowed, default=default))


def _memory(one: Mapping, name: str, default: int, machine: Machine) -> int:
    low, high = _LEAST_MEMORY[name], machine.memory_bytes
    allowed = f"a size from {format_bytes(low)} to {format_bytes(high)} with its unit, such as {size(default)}"
    return int(one.take("memory", quantity(parse_bytes, low, high), allowed, default=default))


def _time(low: str, high: str) -> tuple[Any, str]:
    reads = quantity(parse_duration_us, parse_duration_us(low), parse_duration_us(high))
    return reads, f"a duration from {low} to {high}, such as 10ms"


def _word(one: Mapping, key: str, kind: Any, default: str) -> Any:
    words = get_args(kind)
    # YAML takes a bare `on` for true.
    value = "on" if one.given.get(key) is True else one.given.get(key)
    return Mapping({key: value}, one.at, (key,)).take(key, one_of(*words), " or ".join(words), default=default)


def _switch(one: Mapping, key: str) -> bool:
    value = one.given.get(key, False)
    if not isinstance(value, bool):
        raise not_allowed_at((*one.at, key), "yes or no")
    return value


def _whole(one: Mapping, key: str, low: int, high: int, default: int) -> int:
    return int(one.take(key, number(low, high, whole=True), f"a whole number from {low} to {high}", default=default))


def _postgres(one: Mapping, machine: Machine) -> Postgres:
    found = Postgres(
        _cpus(one, "cpus", Postgres.cpus, machine),
        _word(one, "cpus_of", Share, "all"),
        _memory(one, "postgres", Postgres.memory_bytes, machine),
        _whole(one, "standbys", 0, MAX_STANDBYS, 0),
        _word(one, "reads", Reads, "primary"),
        _word(one, "commit", Commit, "on"),
        _word(one, "pooler", Pooler, "none"),
        one.take("shards", _among(SHARDS), f"one of {', '.join(map(str, SHARDS))}", default=1),
        one.take("cost", *_time("0s", "10s"), default=0),
    )
    if found.shards > 1 and (found.standbys or found.pooler != NONE):
        raise not_allowed_at((*one.at, "shards"), "1 with standbys or a pooler: shards have neither here")
    # What only standbys have means nothing without them, so that `standbys: [0, 2]` crosses with it.
    if not found.standbys:
        found = Postgres(**{**vars(found), "reads": "primary", "commit": "on"})
    _least(one, found.cpus_of_each, found.nodes)
    return found


def _least(one: Mapping, cpus_of_each: float, count: int) -> None:
    if cpus_of_each < MIN_CPUS - 1e-9:
        raise not_allowed_at(
            (*one.at, "cpus"), f"at least {MIN_CPUS} for each of {count}; here each has {cpus_of_each:.3g}"
        )


def _valkey(one: Mapping, machine: Machine) -> Valkey:
    given = one.given.get("over")
    over = None
    if given not in (None, NONE):
        below = {"postgres": {}} if given == "postgres" else given
        if not isinstance(below, dict) or list(below) != ["postgres"]:
            raise not_allowed_at((*one.at, "over"), "none, postgres, or {postgres: {...}}")
        over = _postgres(Mapping(below["postgres"] or {}, (*one.at, "over", "postgres"), _KEYS["postgres"]), machine)
    masters = one.take("masters", _among(MASTERS), f"one of {', '.join(map(str, MASTERS))}", default=1)
    for key in ("ttl", "lock", "hits"):
        if over is None and key in one.given:
            raise not_allowed_at((*one.at, key), "nothing without over: it is of a cache")
    found = Valkey(
        _cpus(one, "cpus", Valkey.cpus, machine),
        _word(one, "cpus_of", Share, "all"),
        _memory(one, "valkey", Valkey.memory_bytes, machine),
        masters,
        over,
        one.take("ttl", *_time("0s", "60m"), default=0),
        _switch(one, "lock"),
        float(one.take("hits", number(0, 1), "a share of the keys, 0 to 1", default=1.0)),
    )
    _least(one, found.cpus_of_each, found.masters)
    return found


def _among(values: tuple[int, ...]) -> Any:
    def reads(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in values:
            raise ValueError
        return value

    return reads


def _nats(one: Mapping, machine: Machine) -> Nats:
    stream = _switch(one, "stream")
    consumers = _whole(one, "subscribers", 0, MAX_CONSUMERS, 1)
    slow = _whole(one, "slow", 0, consumers, 0)
    if stream and slow:
        raise not_allowed_at((*one.at, "slow"), "0 with a stream: whoever is slow there is given less")
    return Nats(
        _cpus(one, "cpus", Nats.cpus, machine),
        _memory(one, "nats", Nats.memory_bytes, machine),
        stream,
        consumers,
        slow,
        *_of_consumers(one, consumers, machine),
    )


def _rabbitmq(one: Mapping, machine: Machine) -> RabbitMQ:
    consumers = _whole(one, "consumers", 0, MAX_CONSUMERS, 1)
    return RabbitMQ(
        _cpus(one, "cpus", RabbitMQ.cpus, machine),
        _memory(one, "rabbitmq", RabbitMQ.memory_bytes, machine),
        consumers,
        _whole(one, "prefetch", 0, MAX_PREFETCH, 1),
        *_of_consumers(one, consumers, machine),
    )


def _of_consumers(one: Mapping, consumers: int, machine: Machine) -> tuple[int, float, int]:
    kill_us = one.take("kill", *_time("0s", "60m"), default=0)
    if kill_us and not consumers:
        raise not_allowed_at((*one.at, "kill"), "nothing without a consumer")
    return (
        one.take("task", *_time("0s", "10s"), default=0),
        _cpus(one, "consumer_cpus", 0.1, machine),
        kill_us,
    )


def _text(given: object, info: ValidationInfo) -> str:
    return canonical(read(given, machine_of(info)))


Stands = Annotated[str, Reader(_text, allowed=ALLOWED, expands=expanded)]
"""One value of `behind`, as its canonical text."""


# What was read once was held against the machine; a text stands for what was.
_NO_BOUND = Machine(cpus=2**20, memory_bytes=2**60)


@cache
def of_text(given: str) -> Behind | None:
    """The record of a canonical text; None for `none`."""
    return read(as_written(given), _NO_BOUND)


def kind(given: str) -> str:
    """`store`, `broker`, or empty: what the load asks of it."""
    behind = of_text(given)
    return behind.kind if behind else ""


def label(given: str) -> str:
    """It in a few words for tables, such as `postgres, 2 standbys, reads standby`; what is as usual is left out."""
    behind = of_text(given)
    if behind is None:
        return NONE
    words = _words(behind.part)
    words += [f"pool {behind.pool}"] if behind.pool != Behind.pool else []
    words += [f"wait {duration(behind.wait_us)}"] if behind.wait_us != Behind.wait_us else []
    return ", ".join(words)


def _words(part: Part) -> list[str]:
    limit = [f"{part.cpus:g} CPU"]
    match part:
        case Postgres():
            words = ["postgres", *limit]
            words += [_so_many(part.standbys, "standby")] if part.standbys else []
            words += ["reads standby"] if part.reads != "primary" else []
            words += [f"commit {part.commit}"] if part.commit != "on" else []
            words += [part.pooler] if part.pooler != NONE else []
            words += [f"{part.shards} shards"] if part.shards > 1 else []
            words += [f"cost {duration(part.cost_us)}"] if part.cost_us else []
            words += ["each"] if part.cpus_of == "each" and part.nodes > 1 else []
            return words
        case Valkey():
            words = ["valkey", *limit]
            words += [f"{part.masters} masters"] if part.masters > 1 else []
            words += ["each"] if part.cpus_of == "each" and part.masters > 1 else []
            words += [f"ttl {duration(part.ttl_us)}"] if part.ttl_us else []
            words += ["lock"] if part.lock else []
            words += [f"hits {part.hits:g}"] if part.over and part.hits != 1 else []
            return [*words, *([f"over {' '.join(_words(part.over))}"] if part.over else [])]
        case Nats():
            words = ["nats stream" if part.stream else "nats", *limit, _so_many(part.consumers, "subscriber")]
            words += [f"{part.slow} slow"] if part.slow else []
            return words + _words_of_consumers(part)
        case RabbitMQ():
            words = ["rabbitmq", *limit, _so_many(part.consumers, "consumer")]
            words += [f"prefetch {part.prefetch or 'unbounded'}"] if part.prefetch != 1 else []
            return words + _words_of_consumers(part)


def _so_many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _words_of_consumers(part: Nats | RabbitMQ) -> list[str]:
    words = [f"task {duration(part.task_us)}"] if part.task_us else []
    return words + ([f"one killed at {duration(part.kill_us)}"] if part.kill_us else [])
