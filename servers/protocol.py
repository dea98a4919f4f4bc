"""The wire protocol: a line is echoed whole; directives at its start say what to do before the echo.

``!sleep=MICROSECONDS`` waits, ``!spin=UNITS`` works holding the interpreter lock, ``!hash=ROUNDS`` works without it
(in this order when several are given), directives are separated by one space, and whatever follows is payload.
``!crash=NAME`` comes last and only where faults are allowed. A bad directive is answered by ``!error <reason>``.

``!read=KEY[:MIN]``, ``!write=KEY[:VERSION]``, ``!send=KEY[:VERSION]`` ask what is behind the server, in this order and
before any other work. A value older than MIN is answered by ``!stale``, one that its key and version do not have by
``!wrong``, and what fails behind by ``!error backend NAME: <detail>``. ``!read=all`` asks for the number of keys.
"""

from typing import NamedTuple

from servers import faults

MAX_SLEEP_US = 10_000_000
# More than any machine does in the 10 s that a sweep may ask for.
MAX_SPIN_UNITS = 100_000_000
MAX_HASH_ROUNDS = 100_000_000

MAX_KEY = 2**31 - 1
MAX_VERSION = 2**63 - 1

STALE = b"!stale\n"
WRONG = b"!wrong\n"

_BOUNDS = {b"sleep": MAX_SLEEP_US, b"spin": MAX_SPIN_UNITS, b"hash": MAX_HASH_ROUNDS}
# In the order in which they are asked.
_VERBS = (b"read", b"write", b"send")
_ALLOWED = ", ".join(name.decode() for name in (*_BOUNDS, *_VERBS))


class DirectiveError(ValueError):
    """A line starts with something that is no directive. The message is the reason to answer with."""


class Ask(NamedTuple):
    """What a request wants of what is behind the server."""

    verb: str  # read, write or send
    key: int | None  # None: the number of all keys
    version: int | None  # of read the least that will do; None: not said


class Work(NamedTuple):
    sleep_us: int = 0
    spin_units: int = 0
    hash_rounds: int = 0
    crash: str = ""
    asks: tuple[Ask, ...] = ()


def parse(line: bytes, allow_faults: bool = False) -> Work:
    """What a line that starts with ``!`` asks for. Raises DirectiveError."""
    asked: dict[bytes, int] = {}
    asks: dict[bytes, Ask] = {}
    crash = ""
    rest = line.rstrip(b"\r\n")
    while rest.startswith(b"!"):
        directive, _, rest = rest[1:].partition(b" ")
        name, _, value = directive.partition(b"=")
        bound = _BOUNDS.get(name)
        if name == b"crash":
            crash = _fault(value, allow_faults)
            continue
        if name in asked or name in asks:
            raise DirectiveError(f"directive {name.decode()} is given twice")
        if name in _VERBS:
            asks[name] = _ask(name.decode(), value)
            continue
        if bound is None:
            raise DirectiveError(f"unknown directive {_shown(name)}: allowed are {_ALLOWED}")
        # bytes.isdigit knows ASCII digits only; nine of them hold every bound.
        if not value.isdigit() or len(value) > 9 or int(value) > bound:
            raise DirectiveError(f"{name.decode()} must be a whole number from 0 to {bound}, found {_shown(value)}")
        asked[name] = int(value)
    wanted = tuple(asks[verb] for verb in _VERBS if verb in asks) if asks else ()
    return Work(asked.get(b"sleep", 0), asked.get(b"spin", 0), asked.get(b"hash", 0), crash, wanted)


def _ask(verb: str, value: bytes) -> Ask:
    if verb == "read" and value == b"all":
        return Ask(verb, None, None)
    key, colon, version = value.partition(b":")
    if not key.isdigit() or len(key) > 10 or int(key) > MAX_KEY:
        every = " or all" if verb == "read" else ""
        raise DirectiveError(f"{verb}: the key must be a whole number from 0 to {MAX_KEY}{every}, found {_shown(key)}")
    if not colon:
        return Ask(verb, int(key), None)
    if not version.isdigit() or len(version) > 19 or int(version) > MAX_VERSION:
        raise DirectiveError(
            f"{verb}: the version must be a whole number from 0 to {MAX_VERSION}, found {_shown(version)}"
        )
    return Ask(verb, int(key), int(version))


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


def backend_error(name: str, detail: str) -> bytes:
    """The line that answers a request which what is behind could not serve. Neither text may have a newline."""
    return error(f"backend {name}: {detail}")


def too_long(max_line: int) -> bytes:
    return error(f"line is longer than {max_line} bytes")


def full(connections: int) -> bytes:
    return error(f"server is full: {connections} connections")


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("ascii", "replace").replace("\ufffd", "?") + ("..." if len(text) > 40 else ""))
