"""The sweep file: YAML in, a validated `Sweep` out, or a line for each mistake with file, line, found and allowed."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from servers.models import MODELS
from testbed.errors import UserError
from testbed.units import format_bytes, parse_bytes, parse_duration_us

# Below this a Python process needs longer to start than anybody waits for it.
MIN_CPUS = 0.05
# A Python interpreter with an echo server resides in about 10 MiB; less cannot start.
MIN_MEMORY_BYTES = 16 * 2**20
MAX_USERS = 10_000
MAX_PAYLOAD_BYTES = 65_536
# The bounds of the protocol's `!sleep` and `!spin`.
MAX_WORK_US = 10_000_000


@dataclass(frozen=True)
class Machine:
    """What limits may be asked for: the engine's CPUs and memory."""

    cpus: int
    memory_bytes: int


def _not_allowed(allowed: str) -> PydanticCustomError:
    return PydanticCustomError("not_allowed", "{allowed}", {"allowed": allowed})


def _quantity(parse: Any, low: int, high: int, allowed: str) -> BeforeValidator:
    def validate(value: object) -> int:
        try:
            parsed: int = parse(value)
        except ValueError as error:
            raise _not_allowed(str(error)) from None
        if not low <= parsed <= high:
            raise _not_allowed(allowed)
        return parsed

    return BeforeValidator(validate)


def _number(value: object, low: float, high: float, allowed: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _not_allowed(allowed)
    return value


def _machine(info: ValidationInfo) -> Machine:
    context: dict[str, Machine] = info.context or {}
    return context["machine"]


def _cpus(value: object, info: ValidationInfo) -> float:
    machine = _machine(info)
    allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
    return float(_number(value, MIN_CPUS, machine.cpus, allowed))


def _memory(value: object, info: ValidationInfo) -> int:
    machine = _machine(info)
    high = format_bytes(machine.memory_bytes)
    allowed = f"a size from {format_bytes(MIN_MEMORY_BYTES)} to {high} with its unit, such as 128MiB"
    try:
        parsed = parse_bytes(value)
    except ValueError:
        raise _not_allowed(allowed) from None
    if not MIN_MEMORY_BYTES <= parsed <= machine.memory_bytes:
        raise _not_allowed(allowed)
    return parsed


def _model(value: object) -> str:
    if value not in MODELS:
        raise _not_allowed(f"one of {', '.join(MODELS)}")
    return str(value)


def _connection(value: object) -> str:
    """`persistent`, `per-request`, or the number of requests on each connection: the form Locust's option has."""
    if value in ("persistent", "per-request"):
        return str(value)
    requests = value.get("requests") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(requests, int) and not isinstance(requests, bool) and 1 <= requests <= 1_000_000:
        return str(requests)
    raise _not_allowed("persistent, per-request, or {requests: N} with N from 1 to 1000000")


def _whole(low: int, high: int) -> BeforeValidator:
    def validate(value: object) -> int:
        allowed = f"a whole number from {low} to {high}"
        if not isinstance(value, int):
            raise _not_allowed(allowed)
        return int(_number(value, low, high, allowed))

    return BeforeValidator(validate)


T = TypeVar("T", bound=Hashable)


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise _not_allowed("at least one value")
    if len(set(values)) != len(values):
        raise _not_allowed("each value once")
    return values


Axis = Annotated[tuple[T, ...], BeforeValidator(_as_list), AfterValidator(_distinct)]
"""A field that may be one value or a list of them; lists are crossed."""

Cpus = Annotated[float, BeforeValidator(_cpus)]
MemoryBytes = Annotated[int, BeforeValidator(_memory)]
Model = Annotated[str, BeforeValidator(_model)]
Connection = Annotated[str, BeforeValidator(_connection)]
WorkUs = Annotated[int, _quantity(parse_duration_us, 0, MAX_WORK_US, "a duration from 0 to 10s, such as 500us or 5ms")]
ThinkUs = Annotated[int, _quantity(parse_duration_us, 0, 60_000_000, "a duration from 0 to 60s, such as 10ms")]
PayloadBytes = Annotated[int, _quantity(parse_bytes, 1, MAX_PAYLOAD_BYTES, "a size from 1B to 64KiB, such as 64B")]
WarmupUs = Annotated[int, _quantity(parse_duration_us, 1_000_000, 600_000_000, "a duration from 1s to 10m, such as 2s")]
WindowUs = Annotated[
    int, _quantity(parse_duration_us, 1_000_000, 3_600_000_000, "a duration from 1s to 60m, such as 10s")
]
Users = Annotated[int, _whole(1, MAX_USERS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    cpus: Axis[Cpus] = (1.0,)
    memory: Axis[MemoryBytes] = (128 * 2**20,)


class Workload(_Strict):
    """What one request asks of the server. Durations in microseconds; `spin` is CPU time, `sleep` a wait."""

    sleep: Axis[WorkUs] = (0,)
    spin: Axis[WorkUs] = (0,)
    payload: Axis[PayloadBytes] = (64,)
    connection: Axis[Connection] = ("persistent",)
    think: Axis[ThinkUs] = (0,)


class Load(_Strict):
    mode: Literal["closed"] = "closed"
    users: Axis[Users] = (8,)
    workers: Annotated[int, _whole(1, 64)] = 1


class Order(_Strict):
    shuffle: bool = True
    seed: Annotated[int, _whole(0, 2**32 - 1)] = 1


class Exclude(_Strict):
    """A combination to leave out: every key that is given must match one of its values."""

    model: Axis[Model] | None = None
    cpus: Axis[Cpus] | None = None
    memory: Axis[MemoryBytes] | None = None
    sleep: Axis[WorkUs] | None = None
    spin: Axis[WorkUs] | None = None
    payload: Axis[PayloadBytes] | None = None
    connection: Axis[Connection] | None = None
    think: Axis[ThinkUs] | None = None
    users: Axis[Users] | None = None


class Sweep(_Strict):
    """A validated sweep file. Every axis is a tuple; durations are in microseconds, sizes in bytes."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    models: Axis[Model] = MODELS
    limits: Limits = Limits()
    workload: Workload = Workload()
    load: Load = Load()
    warmup: WarmupUs = 2_000_000
    duration: WindowUs = 10_000_000
    repeat: Annotated[int, _whole(1, 1000)] = 1
    order: Order = Order()
    exclude: tuple[Exclude, ...] = ()


Location = tuple[int | str, ...]


def _line_numbers(node: yaml.Node, path: Location = ()) -> dict[Location, int]:
    """The 1-based line of every key and list item, by its path. Raises ValueError for a key given twice."""
    lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise ValueError(f"{key.start_mark.line + 1}: {key.value}: found twice, allowed: each key once")
            seen.add(key.value)
            lines |= _line_numbers(value, (*path, key.value))
            lines[(*path, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines |= _line_numbers(value, (*path, index))
    return lines


def _allowed_keys(location: Location) -> str:
    """The keys of the mapping that holds the unknown key at `location`."""
    model: Any = {"limits": Limits, "workload": Workload, "load": Load, "order": Order, "exclude": Exclude}.get(
        str(location[0]) if len(location) > 1 else "", Sweep
    )
    return ", ".join(model.model_fields)


def _describe(error: ErrorDetails, lines: dict[Location, int], path: Path) -> str:
    location: Location = tuple(part for part in error["loc"] if part != "function-before")
    known = location
    while known not in lines:
        known = known[:-1]
    where = ".".join(str(part) for part in known if not isinstance(part, int)) or "the file"
    found = repr(error["input"]) if not isinstance(error["input"], dict | list | tuple) else str(error["input"])
    match error["type"]:
        case "extra_forbidden":
            text = f"unknown key, allowed: {_allowed_keys(location)}"
        case "missing":
            missing = ".".join(str(part) for part in location)
            where, text = missing, "missing, and it has no default"
        case "not_allowed":
            text = f"found {'an empty list' if found == '[]' else found}, allowed: {error['msg']}"
        case "string_pattern_mismatch":
            text = f"found {found}, allowed: lower-case letters, digits and hyphens, at most 41, such as cpu-limits"
        case "literal_error":
            text = f"found {found}, allowed: {error['ctx']['expected']}"
        case "model_type" | "model_attributes_type":
            text = f"found {found}, allowed: a mapping of keys to values"
        case _:
            text = f"found {found}, allowed: {error['msg'].removeprefix('Input should be ')}"
    return f"{path}:{lines[known]}: {where}: {text}"


def parse(text: str, path: Path, machine: Machine) -> Sweep:
    """The sweep written in `text`. UserError with one line for each mistake; `path` is only named in messages."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "not text"
        raise UserError(
            f"{path}:{line}: not YAML: {problem}, allowed: a sweep file such as sweeps/quickstart.yaml"
        ) from None
    if node is None or not isinstance(data, dict):
        found = "an empty file" if node is None else f"a {type(data).__name__}"
        raise UserError(f"{path}:1: found {found}, allowed: a mapping of keys to values such as sweeps/quickstart.yaml")
    try:
        lines = _line_numbers(node)
    except ValueError as error:
        raise UserError(f"{path}:{error}") from None
    try:
        return Sweep.model_validate(data, context={"machine": machine})
    except ValidationError as error:
        raise UserError("\n".join(_describe(details, lines, path) for details in error.errors())) from None


def load(path: Path, machine: Machine) -> Sweep:
    """The sweep in the file at `path`. UserError when it cannot be read or is not a valid sweep."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; ready-made ones are in sweeps/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text: {error}") from None
    return parse(text, path, machine)


def dump(sweep: Sweep) -> str:
    """The sweep as resolved, in the form of a sweep file: `parse` makes the same sweep of it again."""

    def us(values: tuple[int, ...]) -> list[str]:
        return [f"{value}us" for value in values]

    def sizes(values: tuple[int, ...]) -> list[str]:
        return [f"{value}B" for value in values]

    def connections(values: tuple[str, ...]) -> list[str | dict[str, int]]:
        return [{"requests": int(value)} if value.isdigit() else value for value in values]

    written: dict[str, Any] = {
        "memory": sizes,
        "sleep": us,
        "spin": us,
        "payload": sizes,
        "connection": connections,
        "think": us,
    }

    def section(model: BaseModel) -> dict[str, Any]:
        given = ((name, value) for name, value in model if value is not None)
        return {name: written.get(name, _plain)(value) for name, value in given}

    document = {
        "name": sweep.name,
        "models": list(sweep.models),
        "limits": section(sweep.limits),
        "workload": section(sweep.workload),
        "load": section(sweep.load),
        "warmup": f"{sweep.warmup}us",
        "duration": f"{sweep.duration}us",
        "repeat": sweep.repeat,
        "order": section(sweep.order),
        "exclude": [section(rule) for rule in sweep.exclude],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
