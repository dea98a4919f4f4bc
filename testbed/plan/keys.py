"""Every key of a sweep file, as the page about them has it: made of what reads the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from testbed.plan.axes import AXES
from testbed.plan.axis import Axis
from testbed.plan.fields import Imaged, Reader
from testbed.plan.schema import Sweep
from testbed.units import format_bytes, format_us

_AXES = {axis.key: axis for axis in AXES}
_NO_DEFAULT = "none: it has to be given"


@dataclass(frozen=True)
class Row:
    """One key. All are words; `key` is its path, such as `limits.cpus`."""

    key: str
    allowed: str
    default: str
    meaning: str


def rows() -> list[Row]:
    """Every key in the order of the sections."""
    return [*_rows("", Sweep)]


def _rows(section: str, model: type[BaseModel]) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        key = f"{section}.{name}" if section else name
        below = _section(field.annotation)
        axis = _AXES.get(key)
        if below is not None:
            # A section that may be left out whole is not required, though keys of it are.
            optional = {"default": _default(field)} if field.default is None else {}
            yield from (replace(row, **optional) for row in _rows(key, below))
        elif axis is not None:
            one = _allowed(axis.kind)
            yield Row(key, f"{one}; or a list" if axis.several else one, _default_of(axis), axis.asks or axis.meaning)
        else:
            yield Row(key, _allowed_in(key, field), _default(field), field.description or "")


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a key is; None for one that holds values."""
    kinds = (annotation, *_or_none(annotation))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _or_none(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows besides None."""
    parts = get_args(annotation)
    return tuple(one for one in parts if one is not type(None)) if type(None) in parts else ()


def _reader(kind: Any, metadata: Any = ()) -> Reader | None:
    return next((one for one in (*metadata, *get_args(kind)) if isinstance(one, Reader)), None)


def _allowed(kind: Any, metadata: Any = ()) -> str:
    """What one value may be, in words."""
    if reader := _reader(kind, metadata):
        return reader.allowed
    if get_origin(kind) is Literal:
        return _either([str(value) for value in get_args(kind)])
    return "true or false" if kind is bool else ""


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _allowed_in(key: str, field: FieldInfo) -> str:
    if key == "exclude":
        names = ", ".join(axis.in_exclude for axis in AXES if axis.in_exclude)
        return f"a list of rules, each with one or more of the keys {names}"
    if key == "images":
        image = get_args(field.annotation)[1]
        return f"for each of {_allowed(Imaged).removeprefix('one of ')}: {_allowed(image)}"
    kinds = _or_none(field.annotation) or (field.annotation,)
    return _allowed(kinds[0], field.metadata)


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    words = extra.get("default") if isinstance(extra, dict) else None
    if words or field.is_required():
        return str(words or _NO_DEFAULT)
    reader = _reader(field.annotation, field.metadata)
    return _words(field.default, reader.unit if reader else "")


def _default_of(axis: Axis) -> str:
    if axis.default_words:
        return axis.default_words
    return _words(axis.usual, axis.unit)


def _words(value: Any, unit: str) -> str:
    """A value as people write it in a sweep file."""
    if isinstance(value, bool):
        return str(value).lower()
    if not value or isinstance(value, str):
        return str(value)
    return {"us": format_us, "bytes": format_bytes}.get(unit, "{:g}".format)(value)
