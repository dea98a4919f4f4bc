"""What one option of a run is: its name, default, help, and what is allowed of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Value = str | int | float | bool


class OptionError(ValueError):
    """One line: which field, what was found, what is allowed."""


@dataclass(frozen=True)
class Field:
    name: str
    default: Value
    help: str
    """Short: the web form writes it into the field's frame."""
    allowed: str
    read: Callable[[str], Value]
    """Raises ValueError for what is not allowed."""
    on_form: bool = True
    choices: tuple[str, ...] = ()
    """Not empty: a drop-down."""

    def parse(self, found: object) -> Value:
        """Raises OptionError."""
        text = str(found).strip()
        try:
            return self.read(text)
        except OptionError:
            raise
        except ValueError:
            raise OptionError(f"{self.name}: {self.allowed}, not {shown(text)}") from None


def shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def choice(name: str, choices: tuple[str, ...], explanation: str) -> Field:
    """The first is the default."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Field(name, choices[0], explanation, " or ".join(choices), read, choices=choices)


def whole(name: str, default: int, lowest: int, highest: int, explanation: str, on_form: bool = True) -> Field:
    def read(text: str) -> int:
        value = int(text)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    return Field(name, default, explanation, f"a whole number from {lowest} to {highest}", read, on_form)


def number(name: str, default: float, lowest: float, highest: float, explanation: str, on_form: bool = True) -> Field:
    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and lowest <= value <= highest):
            raise ValueError
        return value

    return Field(name, default, explanation, f"a number from {lowest:g} to {highest:g}", read, on_form)


def flag(name: str, explanation: str) -> Field:
    """Off unless asked for."""

    def read(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"

    return Field(name, False, explanation, "true or false", read)
