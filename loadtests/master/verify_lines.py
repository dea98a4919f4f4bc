"""Does a server speak the protocol of lines? Checked before load."""

from __future__ import annotations

import random
from collections.abc import Callable

import gevent

from loadtests.master.tally import Tally, Unexpected, shown

LONGEST_PAYLOAD = 4000
RANDOM_PAYLOADS = 40
BYTE_S = 0.001
"""Between bytes that are sent one by one, so that each is a segment of its own."""


def _split(tally: Tally) -> None:
    with tally.lines() as connection:
        for line in (b"byte by byte\n", b"\n"):
            for byte in line:
                connection.send(bytes([byte]))
                gevent.sleep(BYTE_S)
            connection.expect(line)


def _coalesced(tally: Tally) -> None:
    with tally.lines() as connection:
        lines = [b"line %d of one segment\n" % number for number in range(10)]
        connection.send(b"".join(lines) + b"and the beginning of")
        for line in lines:
            connection.expect(line)
        connection.send(b" another\n")
        connection.expect(b"and the beginning of another\n")


def _random_payloads(tally: Tally) -> None:
    rng = random.Random(20_07)
    edge_cases = [b"\n", b"\r\n", b"\0\n", b"\xff\xfe\xc3\n", b" \n", b"x" * LONGEST_PAYLOAD + b"\n"]
    drawn = [_random_line(rng) for _ in range(RANDOM_PAYLOADS)]
    with tally.lines() as connection:
        for line in edge_cases + drawn:
            connection.send(line)
            connection.expect(line)


def _random_line(rng: random.Random) -> bytes:
    payload = rng.randbytes(rng.choice((0, 1, 7, 64, 1000, LONGEST_PAYLOAD))).replace(b"\n", b"\xff")
    # A line that starts with ! would be a directive.
    return payload.lstrip(b"!") + b"\n"


def _bad_directive(tally: Tally) -> None:
    with tally.lines() as connection:
        for line in (b"!nonsense=1 x\n", b"!sleep=never x\n"):
            connection.send(line)
            found = connection.line()
            if not found.startswith(b"!error "):
                raise Unexpected(f"sent {shown(line)}, received {shown(found)} instead of !error")
        connection.send(b"and it stays\n")
        connection.expect(b"and it stays\n")


CHECKS: dict[str, Callable[[Tally], None]] = {
    "split": _split,
    "coalesced": _coalesced,
    "random_payloads": _random_payloads,
    "bad_directive": _bad_directive,
}
"""In their order."""
