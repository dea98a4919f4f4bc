"""The wire protocol: a line is echoed whole; directives at its start say what to do before the echo.

``!sleep=MICROSECONDS`` waits, ``!spin=UNITS`` works holding the interpreter lock, ``!hash=ROUNDS`` works without it
(in this order when several are given), directives are separated by one space, and whatever follows is payload.
``!crash=NAME`` comes last and only where faults are allowed. A bad directive is answered by ``!error <reason>``.
"""

from typing import NamedTuple

from servers import faults

MAX_SLEEP_US = 10_000_000
# More than any machine does in the 10 s that a sweep may ask for.
MAX_SPIN_UNITS = 100_000_000
MAX_HASH_ROUNDS = 100_000_000

_BOUNDS = {b"sleep": MAX_SLEEP_US, b"spin": MAX_SPIN_UNITS, b"hash": MAX_HASH_ROUNDS}
_ALLOWED = ", ".join(name.decode() for name in _BOUNDS)


class DirectiveError(ValueError):
    """A line starts with something that is no directive. The message is the reason to answer with."""


class Work(NamedTuple):
    sleep_us: int = 0
    spin_units: int = 0
    hash_rounds: int = 0
    crash: str = ""


def parse(line: bytes, allow_faults: bool = False) -> Work:
    """What a line that starts with ``!`` asks for. Raises DirectiveError."""
    asked: dict[bytes, int] = {}
    crash = ""
    rest = line.rstrip(b"\r\n")
    while rest.startswith(b"!"):
        directive, _, rest = rest[1:].partition(b" ")
        name, _, value = directive.partition(b"=")
        bound = _BOUNDS.get(name)
        if name == b"crash":
            crash = _fault(value, allow_faults)
            continue
        if bound is None:
            raise DirectiveError(f"unknown directive {_shown(name)}: allowed are {_ALLOWED}")
        if name in asked:
            raise DirectiveError(f"directive {name.decode()} is given twice")
        # bytes.isdigit knows ASCII digits only; nine of them hold every bound.
        if not value.isdigit() or len(value) > 9 or int(value) > bound:
            raise DirectiveError(f"{name.decode()} must be a whole number from 0 to {bound}, found {_shown(value)}")
        asked[name] = int(value)
    return Work(asked.get(b"sleep", 0), asked.get(b"spin", 0), asked.get(b"hash", 0), crash)


def _fault(name: bytes, allowed: bool) -> str:
    if not allowed:
        raise DirectiveError("crash is refused: ALLOW_FAULTS is not 1")
    text = name.decode("ascii", "replace")
    if text not in faults.NAMES:
        raise DirectiveError(f"crash must be one of {', '.join(faults.NAMES)}, found {_shown(name)}")
    return text


def error(reason: str) -> bytes:
    """The line that answers a request which cannot be served."""
    return f"!error {reason}\n".encode()


def too_long(max_line: int) -> bytes:
    return error(f"line is longer than {max_line} bytes")


def full(connections: int) -> bytes:
    return error(f"server is full: {connections} connections")


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("ascii", "replace").replace("\ufffd", "?") + ("..." if len(text) > 40 else ""))
