"""The sweep file: YAML in, a validated `Sweep` out, or a line for each mistake with file, line, found and allowed."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from testbed.errors import UserError
from testbed.plan import fitting
from testbed.plan.axes import AXES
from testbed.plan.axis import with_unit
from testbed.plan.fields import Machine
from testbed.plan.schema import Exclude, Order, Sweep
from testbed.plan.sections.front import Front
from testbed.plan.sections.load import Load, Slo
from testbed.plan.sections.replicas import Replicas, Sidecar
from testbed.plan.sections.server import Limits, Pools
from testbed.plan.sections.workload import Workload

__all__ = ["Machine", "Sweep", "dump", "load", "parse"]

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
    sections: dict[str, type[BaseModel]] = {
        "limits": Limits,
        "pools": Pools,
        "workload": Workload,
        "load": Load,
        "order": Order,
        "exclude": Exclude,
        "replicas": Replicas,
        "front": Front,
        "sidecar": Sidecar,
    }
    model: Any = sections.get(str(location[0]) if len(location) > 1 else "", Sweep)
    if location[:2] in (("load", "slo"), ("load", "objective")) and len(location) > 2:
        model = Slo
    return ", ".join(model.model_fields)


def _without_first(part: int, location: Location) -> Location:
    place = location.index(part)
    return (*location[:place], *location[place + 1 :])


def _describe(error: ErrorDetails, lines: dict[Location, int], path: Path) -> str:
    location: Location = tuple(part for part in error["loc"] if part != "function-before")
    value = error["input"]
    for part in error.get("ctx", {}).get("at", ()):
        # A single value stands for a list of it.
        holds = isinstance(value, list) or (isinstance(value, dict) and part in value)
        value = value[part] if holds else value
        location = (*location, part)
    known = location
    if 0 in location and (alone := _without_first(0, location)) in lines:
        known = alone
    while known not in lines:
        known = known[:-1]
    where = ".".join(str(part) for part in known if not isinstance(part, int)) or "the file"
    found = repr(value) if not isinstance(value, dict | list | tuple) else str(value)
    match error["type"]:
        case "extra_forbidden":
            text = f"unknown key, allowed: {_allowed_keys(location)}"
        case "missing":
            missing = ".".join(str(part) for part in location)
            where, text = missing, "missing, and it has no default"
        case "not_allowed":
            text = f"found {'an empty list' if found == '[]' else found}, allowed: {error['msg']}"
        case "literal_error":
            text = f"found {found}, allowed: {error['ctx']['expected']}"
        case "model_type" | "model_attributes_type":
            text = f"found {found}, allowed: a mapping of keys to values"
        case _:
            text = f"found {found}, allowed: {error['msg'].removeprefix('Input should be ')}"
    return f"{path}:{lines[known]}: {where}: {text}"


class _KeysAsWritten:
    """A key is the word that stands there: YAML 1.1 takes a bare `on` for true."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                if key.tag == "tag:yaml.org,2002:bool":
                    key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)  # type: ignore[misc]  # a loader stands behind it


class _FastLoader(_KeysAsWritten, yaml.CSafeLoader):
    """Ten times as fast; what it refuses, the other one explains, and says where."""


class _Loader(_KeysAsWritten, yaml.SafeLoader):
    """The one in Python."""


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes and the values of a text. YAMLError where it is none."""
    try:
        return yaml.compose(text, Loader=_FastLoader), yaml.load(text, Loader=_FastLoader)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)


def values(text: str) -> Any:
    """What stands in a sweep file, unread: keys such as `on` are words here, not truths. YAMLError where it is none."""
    return _read(text)[1]


def parse(text: str, path: Path, machine: Machine) -> Sweep:
    """The sweep written in `text`. UserError with one line for each mistake; `path` is only named in messages."""
    try:
        node, data = _read(text)
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
    data.setdefault("network", machine.networks[0])
    try:
        sweep = Sweep.model_validate(data, context={"machine": machine, "directory": path.parent})
    except ValidationError as error:
        raise UserError("\n".join(_describe(details, lines, path) for details in error.errors())) from None
    key, said = fitting.misfit(sweep, machine)
    if said:
        place: Location = tuple(key.split("."))
        while place not in lines:
            place = place[:-1]
        raise UserError(f"{path}:{lines[place]}: {key}: {said}")
    return sweep


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

    def section(model: BaseModel, name: str) -> dict[str, Any]:
        return {key: _written(name, key, value) for key, value in model if value is not None}

    document = {
        name: [section(rule, "exclude") for rule in value]
        if name == "exclude"
        else section(value, name)
        if isinstance(value, BaseModel)
        else _written("", name, value)
        for name, value in sweep
    }
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False)


_BY_KEY = {axis.key: axis for axis in AXES} | {f"exclude.{axis.in_exclude}": axis for axis in AXES if axis.in_exclude}


def _written(section: str, name: str, value: Any) -> Any:
    """The value of a key in the form of a sweep file."""
    axis = _BY_KEY.get(f"{section}.{name}" if section else name)
    if axis is not None:
        return [axis.as_written(one) for one in value] if isinstance(value, tuple) else axis.as_written(value)
    if isinstance(value, Slo):
        return {"p99": with_unit(value.p99, "us")}
    return with_unit(value, "us") if name in ("warmup", "duration") else value
