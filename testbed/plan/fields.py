"""The kinds of value a sweep file holds: each reads what people write, or says what is allowed."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from servers.models import SERVERS
from testbed.names import EVERY
from testbed.units import format_bytes, parse_bytes, parse_duration_us

# Below this a Python process needs longer to start than anybody waits for it.
MIN_CPUS = 0.05
# A Python interpreter with an echo server resides in about 10 MiB; less cannot start.
MIN_MEMORY_BYTES = 16 * 2**20
MAX_USERS = 10_000
MAX_REPLICAS = 16
MAX_FRONTS = 8
MAX_PAYLOAD_BYTES = 65_536
MAX_KEYS = 1_000_000
# The bounds of the protocol's `!sleep` and `!spin`.
MAX_WORK_US = 10_000_000


@dataclass(frozen=True)
class Machine:
    """What may be asked for: the engine's CPUs and memory, and its kinds of network, the usual one first."""

    cpus: int
    memory_bytes: int
    networks: tuple[str, ...] = ("bridge", "shared")


@dataclass(frozen=True)
class Reader(BeforeValidator):
    """Reads one value of a sweep file, and tells whoever describes the file what it takes."""

    allowed: str = ""
    """What is allowed, in words; of bounds that are the machine's, which."""
    unit: Literal["", "us", "bytes"] = ""
    """What the value read is in; empty for a plain number or word."""
    in_parts: bool = False
    """Whether one value may itself be a list, of mappings."""
    expands: Callable[[object], list[object]] | None = None
    """The values that one of the file stands for, where lists may be inside it."""


def not_allowed(allowed: str) -> PydanticCustomError:
    return PydanticCustomError("not_allowed", "{allowed}", {"allowed": allowed})


def not_allowed_at(at: tuple[int | str, ...], allowed: str) -> PydanticCustomError:
    """What stands at this place of the sweep file does not go with what stands elsewhere in it."""
    return PydanticCustomError("not_allowed", "{allowed}", {"allowed": allowed, "at": at})


def quantity(parse: Any, low: int, high: int, allowed: str, unit: Literal["us", "bytes"]) -> Reader:
    def validate(value: object) -> int:
        try:
            parsed: int = parse(value)
        except ValueError as error:
            raise not_allowed(str(error)) from None
        if not low <= parsed <= high:
            raise not_allowed(allowed)
        return parsed

    return Reader(validate, allowed=allowed, unit=unit)


def number(value: object, low: float, high: float, allowed: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise not_allowed(allowed)
    return value


def numeric(low: float, high: float, allowed: str) -> Reader:
    return Reader(partial(number, low=low, high=high, allowed=allowed), allowed=allowed)


def _text(pattern: str, allowed: str) -> Reader:
    def validate(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise not_allowed(allowed)
        return value

    return Reader(validate, allowed=allowed)


def machine_of(info: ValidationInfo) -> Machine:
    """The machine that a sweep file is read for."""
    context: dict[str, Machine] = info.context or {}
    return context["machine"]


def _cpus(value: object, info: ValidationInfo) -> float:
    machine = machine_of(info)
    allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
    return float(number(value, MIN_CPUS, machine.cpus, allowed))


def _memory(value: object, info: ValidationInfo) -> int:
    machine = machine_of(info)
    high = format_bytes(machine.memory_bytes)
    allowed = f"a size from {format_bytes(MIN_MEMORY_BYTES)} to {high} with its unit, such as 128MiB"
    try:
        parsed = parse_bytes(value)
    except ValueError:
        raise not_allowed(allowed) from None
    if not MIN_MEMORY_BYTES <= parsed <= machine.memory_bytes:
        raise not_allowed(allowed)
    return parsed


def _model(value: object) -> str:
    if value not in SERVERS:
        raise not_allowed(f"one of {', '.join(SERVERS)}")
    return str(value)


def _rate_limit(value: object) -> float:
    """0 stands for none."""
    return 0.0 if value == "none" else float(number(value, 1, 1e6, _RATE_LIMIT))


def _none_is_0(reader: Reader) -> Reader:
    """Reads `none` as 0, besides."""

    def validate(value: object) -> int:
        return 0 if value == "none" else int(reader.func(value))  # type: ignore[call-arg]  # it needs no more

    return Reader(validate, allowed=f"none, or {reader.allowed}", unit=reader.unit)


def _imaged(value: object) -> str:
    if value not in EVERY:
        raise not_allowed(f"one of {', '.join(EVERY)}")
    return str(value)


def _connection(value: object) -> str:
    """`persistent`, `per-request`, or the number of requests on each connection: the form Locust's option has."""
    if value in ("persistent", "per-request"):
        return str(value)
    requests = value.get("requests") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(requests, int) and not isinstance(requests, bool) and 1 <= requests <= 1_000_000:
        return str(requests)
    raise not_allowed(_CONNECTION)


def whole(low: int, high: int) -> Reader:
    allowed = f"a whole number from {low} to {high}"

    def validate(value: object) -> int:
        if not isinstance(value, int):
            raise not_allowed(allowed)
        return int(number(value, low, high, allowed))

    return Reader(validate, allowed=allowed)


T = TypeVar("T", bound=Hashable)


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise not_allowed("at least one value")
    if len(set(values)) != len(values):
        raise not_allowed("each value once")
    return values


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where several of the file may come to mean the same."""
    return _distinct(tuple(dict.fromkeys(values)))


Values = Annotated[tuple[T, ...], BeforeValidator(_as_list), AfterValidator(_distinct)]
"""A field that may be one value or a list of them; lists are crossed."""


def _as_list_of_lists(value: object) -> object:
    """Where one value may be a list of mappings."""
    is_one = not isinstance(value, list) or not value or any(isinstance(part, dict) for part in value)
    return [value] if is_one else value


def _as_list_of_all(expands: Callable[[object], list[object]], value: object) -> object:
    """Where one value may stand for several."""
    return [one for each in (value if isinstance(value, list) else [value]) for one in expands(each)]


def several_of(kind: Any) -> Any:
    """The same of a type that only the table of axes knows."""
    if any(isinstance(one, Reader) and one.in_parts for one in get_args(kind)):
        return Annotated[tuple[kind, ...], BeforeValidator(_as_list_of_lists), AfterValidator(_distinct)]
    for one in get_args(kind):
        if isinstance(one, Reader) and one.expands is not None:
            every = BeforeValidator(partial(_as_list_of_all, one.expands))
            return Annotated[tuple[kind, ...], every, AfterValidator(_each_once)]
    values: Any = Values
    return values[kind]


_CPUS = f"{MIN_CPUS} to the machine's CPUs"
_MEMORY = f"a size from {format_bytes(MIN_MEMORY_BYTES)} to the machine's memory, such as 128MiB"
_MODELS = "what `orchestrate.py models` lists"
_CONNECTION = "persistent, per-request, or {requests: N} with N from 1 to 1000000"
_RATE = "requests per second, 0.1 to 1000000"
_RATE_LIMIT = "none, or requests per second, 1 to 1000000"
_WORK = "a duration from 0 to 10s, such as 500us or 5ms"
_CACHE_CONTROL = "none, or printable ASCII without a space at either end, at most 200, such as max-age=2"
_NAME = "lower-case letters, digits and hyphens, at most 41, such as cpu-limits"

Cpus = Annotated[float, Reader(_cpus, allowed=_CPUS)]
MemoryBytes = Annotated[int, Reader(_memory, allowed=_MEMORY, unit="bytes")]
WorkerCpus = Annotated[float, numeric(0.05, 1.0, "CPUs, 0.05 to 1")]
Model = Annotated[str, Reader(_model, allowed=_MODELS)]
Imaged = Annotated[str, Reader(_imaged, allowed=_MODELS)]
Connection = Annotated[str, Reader(_connection, allowed=_CONNECTION)]
CacheControl = Annotated[str, _text(r"[!-~]([ -~]{0,198}[!-~])?", _CACHE_CONTROL)]
WorkUs = Annotated[int, quantity(parse_duration_us, 0, MAX_WORK_US, _WORK, "us")]
ThinkUs = Annotated[int, quantity(parse_duration_us, 0, 60_000_000, "a duration from 0 to 60s, such as 10ms", "us")]
PayloadBytes = Annotated[
    int, quantity(parse_bytes, 1, MAX_PAYLOAD_BYTES, "a size from 1B to 64KiB, such as 64B", "bytes")
]
WarmupUs = Annotated[
    int, quantity(parse_duration_us, 1_000_000, 600_000_000, "a duration from 1s to 10m, such as 2s", "us")
]
WindowUs = Annotated[
    int, quantity(parse_duration_us, 1_000_000, 3_600_000_000, "a duration from 1s to 60m, such as 10s", "us")
]
Keys = Annotated[int, whole(1, MAX_KEYS)]
Zipf = Annotated[float, numeric(0, 3, "an exponent from 0 (all alike) to 3")]
Share = Annotated[float, numeric(0, 1, "a share, 0 to 1")]
ValueBytes = Annotated[
    int, quantity(parse_bytes, 0, MAX_PAYLOAD_BYTES, "a size from 0B to 64KiB, such as 100B", "bytes")
]
Users = Annotated[int, whole(1, MAX_USERS)]
Holders = Annotated[int, whole(0, MAX_USERS)]
Spinners = Annotated[int, whole(0, MAX_USERS)]
PoolSize = Annotated[int, whole(1, 1024)]
Counter = Literal["own", "shared"]
SwitchUs = Annotated[int, quantity(parse_duration_us, 0, 10_000_000, "a duration from 0 to 10s, such as 5ms", "us")]
Rate = Annotated[float, numeric(0.1, 1e6, _RATE)]
RateLimit = Annotated[float, Reader(_rate_limit, allowed=_RATE_LIMIT)]
Fraction = Annotated[float, numeric(0.01, 2.0, "a share of capacity, 0.01 to 2")]
SweepName = Annotated[str, _text(r"[a-z0-9][a-z0-9-]{0,40}", _NAME)]
ImageName = Annotated[str, _text(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", "the name of an image, such as some/image:1")]
LimitKind = Literal["quota", "cpuset", "both"]
Mode = Literal["closed", "open", "capacity", "relative"]
Arrivals = Literal["constant", "poisson"]
Protocol = Literal["line", "http"]
Method = Literal["post", "get"]
Network = Literal["bridge", "shared", "overlay"]
NETWORKS: tuple[str, ...] = get_args(Network)
LoadLoop = Literal["fast", "plain"]
ReplicaCount = Annotated[int, whole(1, MAX_REPLICAS)]
FrontCount = Annotated[int, whole(1, MAX_FRONTS)]
ReplicaCpus = Literal["split", "each"]
Front = Literal["none", "dns", "haproxy", "nginx", "nginx-cache", "varnish", "haproxy-http", "envoy"]
Balance = Literal["roundrobin", "leastconn", "source"]
Queue = Literal["server", "front"]
Auth = Literal["none", "key"]
Dns = Literal["once", "each", "all"]
TryUs = Annotated[
    int,
    _none_is_0(quantity(parse_duration_us, 1_000, 60_000_000, "a duration from 1ms to 60s, such as 500ms", "us")),
]
Retries = Annotated[int, whole(0, 5)]
Breaker = Annotated[int, _none_is_0(whole(1, MAX_USERS))]
Eject = Annotated[int, _none_is_0(whole(1, 1000))]
EjectUs = Annotated[
    int, quantity(parse_duration_us, 100_000, 3_600_000_000, "a duration from 100ms to 60m, such as 3s", "us")
]
Sidecar = Literal["none", "envoy"]

# The fronts that are containers of their own: they take connections, and make others to the replicas.
PROXIES = ("haproxy", "nginx", "nginx-cache", "varnish", "haproxy-http", "envoy")
# Of those, the ones that speak HTTP to clients and to servers, and choose a server for each request.
CACHES = ("nginx-cache", "varnish")
GATEWAYS = ("haproxy-http", "envoy")
OF_HTTP = (*CACHES, *GATEWAYS)
# Of those, the ones that try again, give up, and leave servers out that fail.
RESILIENT = ("envoy",)
# Of those, the ones that can let requests wait in a queue of their own.
QUEUEING = ("haproxy",)
