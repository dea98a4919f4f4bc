"""Several services behind one gateway: what is asked of each, and how often, as a run's option has it.

`reads:6:read:spin=200,waits:3:sleep=20000`: of nine requests six go to /reads, which read a key of the store and spin
200 units, and three to /waits, which sleep 20,000 microseconds. A share alone is a plain echo.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

NOTATION = "NAME:SHARE, and if wanted :read, :sleep=MICROSECONDS, :spin=UNITS, :hash=ROUNDS, parts with commas between"
MOST = 8
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_WORDS = ("sleep", "spin", "hash")
_MOST_SHARE = 1_000_000
_MOST_WORK = 100_000_000


@dataclass(frozen=True)
class Part:
    """What goes to one service: its share of the requests, in any unit, and what each asks of it."""

    name: str
    share: float
    words: tuple[bytes, ...] = ()
    """Directives, such as `sleep=500`."""
    reads: bool = False
    """Whether each reads a key of the store behind the service."""


@cache
def parse(text: str) -> tuple[Part, ...]:
    """The parts; none of an empty text. ValueError, one line, for what is none."""
    if not text:
        return ()
    parts = tuple(_part(one) for one in text.split(","))
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"each service once, not {', '.join(names)}")
    if len(parts) > MOST:
        raise ValueError(f"at most {MOST} services, not {len(parts)}")
    return parts


def _part(text: str) -> Part:
    name, *rest = text.strip().split(":")
    if not _NAME.fullmatch(name) or not rest:
        raise ValueError(f"{NOTATION}, not {text[:40]!r}")
    try:
        share = float(rest[0])
    except ValueError:
        share = -1.0
    if not 0 < share <= _MOST_SHARE:
        raise ValueError(f"{name}: a share above 0, at most {_MOST_SHARE}, not {rest[0][:20]!r}")
    words: dict[str, bytes] = {}
    for word in rest[1:]:
        kind, _, amount = word.partition("=")
        known = word == "read" or (kind in _WORDS and amount.isascii() and amount.isdigit() and len(amount) <= 9)
        if not known or kind in words or (amount and int(amount) > _MOST_WORK):
            raise ValueError(f"{name}: {NOTATION}, not {word[:40]!r}")
        words[kind] = word.encode()
    reads = words.pop("read", None) is not None
    return Part(name, share, tuple(words.values()), reads)
