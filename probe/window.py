"""The measurement window, told to the probe by a file that appears while it runs."""

import json
import math
from dataclasses import dataclass
from pathlib import Path


class BadWindow(ValueError):
    """The file does not name a window. The message is one line for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Window:
    opens_unix: float
    closes_unix: float


def parse(text: str) -> Window:
    """`{"opens_unix": ..., "closes_unix": ...}`, seconds since 1970. BadWindow for anything else."""
    try:
        found = json.loads(text)
        edges = [found["opens_unix"], found["closes_unix"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadWindow(f'found {_shown(text)}, allowed: {{"opens_unix": SECONDS, "closes_unix": SECONDS}}') from None
    numbers = all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges)
    if not numbers or not all(math.isfinite(edge) for edge in edges) or not edges[0] < edges[1]:
        raise BadWindow(f"found {_shown(text)}, allowed: numbers of seconds, and a window that opens before it closes")
    return Window(float(edges[0]), float(edges[1]))


def read(path: Path) -> Window | None:
    """None while the file is not there, or empty. BadWindow, naming the file, if it does not name a window."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    try:
        return parse(text) if text.strip() else None
    except BadWindow as error:
        raise BadWindow(f"{path}: {error}") from None


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:80] + "...")
