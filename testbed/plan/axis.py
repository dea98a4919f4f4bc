"""What one axis of a sweep is: the record that stands in the table of axes, and what is made of each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from pydantic import BaseModel

from testbed.plan.fields import Reader, several_of
from testbed.units import format_bytes, format_us

Text = Callable[[Any], str]


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Form:
    """The field of Locust's form that takes an axis."""

    name: str
    sent: Callable[[Any], Any] = _same
    """From the cell's value to the field's."""
    told: Callable[[Any], Any] | None = _same
    """From the option that a run was made with to the cell's value. None: the option does not tell it."""


@dataclass(frozen=True)
class Axis:
    """One thing that a sweep can vary, or set once for all its trials."""

    key: str
    """Where it stands in the sweep file, such as `limits.cpus`."""
    field: str
    """The field of a cell and the column, with the unit in its name."""
    kind: Any
    """The type of one value, as pydantic takes it: it reads the sweep file's form."""
    default: Any
    """A tuple where there may be several. None: it can be absent, which is `absent` in a cell."""
    meaning: str
    """Of the column, in half a sentence."""
    asks: str = ""
    """Of the key in the sweep file, where that is not the same."""
    default_words: str = ""
    """The default, where the value alone does not tell it."""
    absent: Any = None
    several: bool = True
    """Whether it takes a list of values, which are crossed. Otherwise one value holds for the whole sweep."""
    by_search: bool = False
    """Whether a search determines it: then it is no part of what the search is of."""
    crossed: bool = True
    """Whether the plan already has a value for it; otherwise cells have their own default until a search is over."""
    of_model: bool = False
    """Whether it belongs to the model, so that models are compared across it."""
    earlier: Any = None
    """What it stood at before there was a column: with it, older results compare with newer ones."""
    excluded_as: str = ""
    """What `exclude` calls it, where that is not the key."""
    written: Callable[[Any], Any] | None = None
    """The value as the sweep file has it, where it is not a plain value or one with its unit."""
    heading: str = ""
    """In the terminal's tables, where it is not the column's name."""
    text: Text | None = None
    """A value in the terminal's tables, where its unit does not say how."""
    left: bool = False
    """Whether a column of it is aligned to the left."""
    title: str = ""
    """In the report, where it is not the column's name."""
    words: Text | None = None
    """A value in the report, where its unit does not say how."""
    told_in: Literal["work", "load", ""] = ""
    """Which sentence of the report tells it where it is the same in all trials."""
    form: Form | None = None

    @cached_property
    def section(self) -> str:
        """The section of the sweep file; empty for a key outside of all."""
        return self.key.rpartition(".")[0]

    @cached_property
    def name(self) -> str:
        """Its key within the section."""
        return self.key.rpartition(".")[2]

    @cached_property
    def in_exclude(self) -> str:
        """Its key in a rule of `exclude`; empty where it has none."""
        return (self.excluded_as or self.name) if self.several and self.crossed else ""

    @cached_property
    def unit(self) -> str:
        """`us`, `bytes`, or empty for a plain number or word."""
        return next((one.unit for one in get_args(self.kind) if isinstance(one, Reader)), "")

    @property
    def annotation(self) -> Any:
        """The type of the key, as pydantic takes it."""
        kind = several_of(self.kind) if self.several else self.kind
        return kind | None if self.default is None else kind

    @property
    def usual(self) -> Any:
        """The value of a cell where the sweep file says nothing."""
        if self.default is None:
            return self.absent
        return self.default[0] if self.several else self.default

    def asked(self, sweep: BaseModel) -> tuple[Any, ...]:
        """The values that a sweep gives it, in the order of the file."""
        section = getattr(sweep, self.section) if self.section else sweep
        value = getattr(section, self.name)
        if value is None:
            return (self.absent,)
        return tuple(value) if self.several else (value,)

    def as_written(self, value: Any) -> Any:
        """One value in the sweep file's form: `parse` makes the same of it again."""
        if self.written:
            return self.written(value)
        return with_unit(value, self.unit)

    def shown(self, value: Any) -> str:
        """One value in a table of the terminal."""
        if value is None:
            return "-"
        shape = self.text or {"us": format_us, "bytes": format_bytes}.get(self.unit, str)
        return shape(value)


def with_unit(value: Any, unit: str) -> Any:
    """A value as a sweep file has it, to the last digit."""
    return f"{value}us" if unit == "us" else f"{value}B" if unit == "bytes" else value
