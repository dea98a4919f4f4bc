"""Values of axes in words, where several axes have the same."""

from typing import Any

from testbed.plan.axis import Text


def number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def or_none(text: Text) -> Text:
    """Of an axis that is off at 0."""
    return lambda value: text(value) if value else "none"
