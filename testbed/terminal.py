"""Printing for people."""

from collections.abc import Callable
from functools import partial

from rich.console import Console


def plain(console: Console) -> Callable[[str], None]:
    """Prints a line as it is: no markup, no colours, no wrapping in the middle of a path."""
    return partial(console.print, markup=False, highlight=False, soft_wrap=True)
