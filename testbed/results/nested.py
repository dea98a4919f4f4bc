"""Looking into values read from JSON."""

from typing import Any


def at(value: Any, *path: str) -> Any:
    """What stands under these names, one inside another; None where one of them is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
