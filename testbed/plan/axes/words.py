"""Values of axes in words, where several axes have the same."""

from collections.abc import Mapping
from typing import Any

from testbed.plan.axis import Text


def number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def cpus(value: float) -> str:
    return f"{value:g} CPU"


def percent(share: float) -> str:
    return f"{100 * share:g} %"


def or_none(text: Text) -> Text:
    """Of an axis that is off at 0."""
    return lambda value: text(value) if value else "none"


def called(names: Mapping[str, str]) -> Text:
    """Of an axis whose values are called otherwise in the report; a value without a name here is its own."""
    return lambda value: names.get(value, str(value))
