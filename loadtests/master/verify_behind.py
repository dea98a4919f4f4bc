"""Does a server do what it is asked of what stands behind it? Checked before load, as an echo is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import gevent

from loadtests.master.tally import CheckedConnection, Tally, Unexpected

Kind = Literal["none", "store", "broker"]
Seen = Literal["at once", "soon", "any"]
"""When a value that was written is read: at once; soon, where reads go to a copy; any, where a cache that was filled by
such a copy may keep an old one for good."""

KINDS: tuple[str, ...] = get_args(Kind)
SEEN: tuple[str, ...] = get_args(Seen)

# The greatest that the protocol has, so far beyond those that a load may have.
_UNKNOWN_KEY = 2**31 - 1
_AGAIN_S = 0.02

Check = Callable[[Tally], None]


@dataclass(frozen=True)
class Behind:
    kind: Kind = "none"
    keys: int = 1
    scans: bool = False
    """Whether all keys may be asked for at once."""
    seen: Seen = "at once"


def checks(behind: Behind) -> list[tuple[str, Check]]:
    """By name, in their order."""
    if behind.kind == "broker":
        return [("send", _send)]
    if behind.kind == "none":
        return []
    read, written = ("read", lambda tally: _read(tally, behind)), ("write", lambda tally: _write(tally, behind))
    return [read, written, ("unknown_key", _unknown_key), *([("scan", _scan)] if behind.scans else [])]


def _read(tally: Tally, behind: Behind) -> None:
    """The first key and the last."""
    with tally.connection() as connection:
        for key in dict.fromkeys((0, behind.keys - 1)):
            connection.echoed(b"a value", b"read=%d" % key)


def _write(tally: Tally, behind: Behind) -> None:
    """It is read back, here and by another connection, one after the other: some servers take one at a time."""
    key, version = random.randrange(behind.keys), time.time_ns() // 1000
    with tally.connection() as connection:
        connection.echoed(b"a new one", b"write=%d:%d" % (key, version))
        _seen(connection, key, version, behind.seen)
    with tally.connection() as other:
        _seen(other, key, version, behind.seen)


def _seen(connection: CheckedConnection, key: int, version: int, seen: Seen) -> None:
    while True:
        found = connection.ask(b"the new one", b"read=%d:%d" % (key, version))
        if found.is_echo or (found.is_stale and seen == "any"):
            return
        if not found.is_stale or seen == "at once":
            raise Unexpected(f"wrote version {version} of key {key}, then {found}")
        # Whoever called it bounds how long.
        gevent.sleep(_AGAIN_S)


def _unknown_key(tally: Tally) -> None:
    with tally.connection() as connection:
        found = connection.ask(b"nobody wrote it", b"read=%d" % _UNKNOWN_KEY)
        if not found.said.startswith(b"!error backend unknown key") or found.status not in (None, 404):
            raise Unexpected(f"{found} instead of !error backend unknown key")
        connection.echoed(b"and the connection stays", b"read=0")


def _scan(tally: Tally) -> None:
    with tally.connection() as connection:
        connection.echoed(b"of them", b"read=all")


def _send(tally: Tally) -> None:
    with tally.connection() as connection:
        connection.echoed(b"a message", b"send=0:%d" % (time.time_ns() // 1000))
