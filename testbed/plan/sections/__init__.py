"""The sections of a sweep file, a file for what each is about, and here how each gets its keys.

The keys without a default in a section are axes: their types, defaults and meanings come from the table of axes, and
they stand in the section for who reads them by name. The others say what they are themselves. Durations are in
microseconds, sizes in bytes.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from testbed.plan.axes import AXES
from testbed.plan.fields import several_of

M = TypeVar("M", bound=BaseModel)


def section(name: str) -> Callable[[type[M]], type[M]]:
    """Gives a section of the sweep file the keys of its axes. Those written out in the class keep their place there,
    and are known to the type checker."""

    def complete(model: type[M]) -> type[M]:
        keys = {axis.name: (axis.annotation, Field(axis.default)) for axis in AXES if axis.section == name}
        return _with_keys(model, keys)

    return complete


def excluding(model: type[M]) -> type[M]:
    """Gives a rule of `exclude` a key for each axis that is crossed."""
    return _with_keys(
        model, {axis.in_exclude: (several_of(axis.kind) | None, None) for axis in AXES if axis.in_exclude}
    )


def _with_keys(model: type[M], keys: dict[str, Any]) -> type[M]:
    """The model with these fields, which take the place of its own of the same name."""
    return create_model(model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **keys)


def setting(default: Any, meaning: str, default_words: str = "") -> Any:
    """A key that is no axis: its default, and what the description of the keys says of it."""
    return Field(default, description=meaning, json_schema_extra={"default": default_words})


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfKinds(Strict):
    """A section of which a name, or a list of them, stands for its `kind` alone."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        return {"kind": given} if isinstance(given, str | list) else given
