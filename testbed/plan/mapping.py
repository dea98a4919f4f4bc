"""Reading one value of a sweep file that is a mapping, and saying where in it what is allowed. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from testbed.plan.fields import not_allowed_at


class Mapping:
    """A mapping of the sweep file, and where in the value of its axis it stands."""

    def __init__(self, given: object, at: tuple[int | str, ...], keys: Sequence[str]) -> None:
        if not isinstance(given, dict):
            raise not_allowed_at(at, f"a mapping of {', '.join(keys)}")
        self.given, self.at = given, at
        for key in given:
            if key not in keys:
                raise not_allowed_at((*at, key), f"one of the keys {', '.join(keys)} here")

    def needs(self, key: str, allowed: str) -> Any:
        if self.given.get(key) is None:
            raise not_allowed_at(self.at, f"{key} as well: {allowed}")
        return self.given[key]

    def take(self, key: str, reads: Callable[[object], Any], allowed: str, default: Any = None) -> Any:
        """The value of a key. What it may be has to be said in words; without a default it has to be given."""
        if self.given.get(key) is None and default is not None:
            return default
        value = self.needs(key, allowed)
        try:
            return reads(value)
        except (ValueError, TypeError):
            raise not_allowed_at((*self.at, key), allowed) from None


def one_of(*words: str) -> Callable[[object], str]:
    """Reads one of these words. ValueError for anything else, as of the others."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


def number(low: float, high: float, whole: bool = False) -> Callable[[object], float]:
    """Reads a number within these bounds."""

    def read(value: object) -> float:
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise ValueError
        return int(value) if whole else float(value)

    return read


def quantity(parse: Callable[[object], int], low: int, high: int) -> Callable[[object], int]:
    """Reads a quantity with its unit within these bounds."""

    def read(value: object) -> int:
        if not low <= (found := parse(value)) <= high:
            raise ValueError
        return found

    return read
