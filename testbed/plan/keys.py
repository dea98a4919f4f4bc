"""Every key of a sweep file, as the page about them has it: made of what reads the file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from testbed.plan.axes import AXES
from testbed.plan.axis import Axis
from testbed.plan.fields import Reader
from testbed.plan.schema import Sweep
from testbed.units import format_bytes, format_us

_AXES = {axis.key: axis for axis in AXES}


@dataclass(frozen=True)
class Row:
    """One key. All in words, with Markdown's back quotes; `key` is its path, such as `limits.cpus`."""

    key: str
    allowed: str
    """Of one value."""
    default: str
    """What stands where the key is left out; empty for a key that has to be given."""
    meaning: str
    several: bool = False
    """Whether it may be a list of such values, which are crossed."""


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
            optional = _default(field) if field.default is None else None
            yield from (row if optional is None else replace(row, default=optional) for row in _rows(key, below))
        elif axis is not None:
            yield Row(key, _allowed(axis.kind), _default_of(axis), axis.asks or axis.meaning, axis.several)
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
        return ", ".join(f"`{value}`" for value in get_args(kind))
    return "`true`, `false`" if kind is bool else ""


def _allowed_in(key: str, field: FieldInfo) -> str:
    if key == "exclude":
        return f"a list of combinations of {', '.join(f'`{axis.in_exclude}`' for axis in AXES if axis.in_exclude)}"
    if key == "images":
        return "a mapping of names to images"
    kinds = _or_none(field.annotation) or (field.annotation,)
    return _allowed(kinds[0], field.metadata)


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    words = extra.get("default") if isinstance(extra, dict) else None
    if words or field.is_required():
        return str(words or "")
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
