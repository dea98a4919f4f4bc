"""Is it an echo server? Checked line by line before load, from where the load will come from.

Every line a server answers is counted, so that its own count of served requests can be compared afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent

from loadtests.master.tally import CheckedConnection, Tally, Unexpected, shown
from loadtests.master.verify_behind import Behind, checks

CHECK_TIMEOUT_S = 2.0
HOLD_REPLY_TIMEOUT_S = 0.3
RELEASE_TIMEOUT_S = 2.0
MOST_CONNECTIONS = 2000

_LONGEST_PAYLOAD = 4000
_RANDOM_LINES = 40


def _split(tally: Tally) -> None:
    with tally.connection() as connection:
        for line in (b"byte by byte\n", b"\n"):
            for byte in line:
                connection.send(bytes([byte]))
                # So that every byte is a segment of its own.
                gevent.sleep(0.001)
            connection.expect(line)


def _coalesced(tally: Tally) -> None:
    with tally.connection() as connection:
        lines = [b"line %d of one segment\n" % number for number in range(10)]
        connection.send(b"".join(lines) + b"and the beginning of")
        for line in lines:
            connection.expect(line)
        connection.send(b" another\n")
        connection.expect(b"and the beginning of another\n")


def _random_payloads(tally: Tally) -> None:
    rng = random.Random(20_07)
    edge_cases = [b"\n", b"\r\n", b"\0\n", b"\xff\xfe\xc3\n", b" \n", b"x" * _LONGEST_PAYLOAD + b"\n"]
    drawn = [_random_line(rng) for _ in range(_RANDOM_LINES)]
    with tally.connection() as connection:
        for line in edge_cases + drawn:
            connection.send(line)
            connection.expect(line)


def _random_line(rng: random.Random) -> bytes:
    payload = rng.randbytes(rng.choice((0, 1, 7, 64, 1000, _LONGEST_PAYLOAD))).replace(b"\n", b"\xff")
    # A line that starts with ! would be a directive.
    return payload.lstrip(b"!") + b"\n"


def _bad_directive(tally: Tally) -> None:
    with tally.connection() as connection:
        for line in (b"!nonsense=1 x\n", b"!sleep=never x\n"):
            connection.send(line)
            found = connection.line()
            if not found.startswith(b"!error "):
                raise Unexpected(f"sent {shown(line)}, received {shown(found)} instead of !error")
        connection.send(b"and it stays\n")
        connection.expect(b"and it stays\n")


def _parallel(connections: int) -> Callable[[Tally], None]:
    def check(tally: Tally) -> None:
        opened: list[CheckedConnection] = []
        try:
            while len(opened) < connections:
                opened.append(CheckedConnection(tally, tally.host, tally.port))
            # The last one first: none may wait for another to end.
            for number, connection in reversed(list(enumerate(opened))):
                line = b"connection %d of several\n" % number
                connection.send(line)
                try:
                    with gevent.Timeout(CHECK_TIMEOUT_S / 2):
                        connection.expect(line)
                except gevent.Timeout:
                    raise Unexpected(f"connection {number + 1} of {connections} open ones gets no reply") from None
        finally:
            for connection in opened:
                connection.close()

    return check


@dataclass
class Verification:
    """Everything a server was checked for; one check after the other, each on a connection of its own."""

    tally: Tally
    parallel: int
    behind: Behind
    checks: list[dict[str, str]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        self._check("split", _split)
        self._check("coalesced", _coalesced)
        self._check("random_payloads", _random_payloads)
        self._check("bad_directive", _bad_directive)
        if self.parallel:
            self._check("parallel", _parallel(self.parallel))
        for name, check in checks(self.behind):
            self._check(name, check)
        return {
            "checks": self.checks,
            "replies": self.tally.replies,
            "errors": self.tally.errors,
            "connections": self.tally.connections,
        }

    def _check(self, name: str, check: Callable[[Tally], None]) -> None:
        reason = ""
        try:
            with gevent.Timeout(CHECK_TIMEOUT_S):
                check(self.tally)
        except Unexpected as unexpected:
            reason = str(unexpected)
        except gevent.Timeout:
            reason = f"no reply within {CHECK_TIMEOUT_S:g} s"
        except OSError as error:
            reason = error.strerror or str(error)
        self.checks.append({"name": name, "status": "fail" if reason else "pass", "reason": reason})


def verify(host: str, port: int, parallel: int, behind: Behind) -> dict[str, Any]:
    """The outcome of every check, replies the server gave (`errors` of them !error), connections made.

    parallel=0 leaves that check out.
    """
    return Verification(Tally(host, port), parallel, behind).run()


class Hold:
    """Connections that are kept open, one echo completed on each that is served, so that a server can be looked at."""

    def __init__(self, host: str, port: int) -> None:
        self._tally = Tally(host, port)
        self._served: list[CheckedConnection] = []
        self._waiting: list[CheckedConnection] = []

    def open(self, connections: int) -> dict[str, int]:
        """`held`: open now; `served`: those that got their echo in time."""
        opened: list[CheckedConnection] = []
        with gevent.Timeout(CHECK_TIMEOUT_S, False):
            while len(opened) < connections:
                try:
                    opened.append(CheckedConnection(self._tally, self._tally.host, self._tally.port))
                except OSError:
                    break
        readers = {connection: gevent.spawn(self._echo, connection) for connection in opened}
        gevent.joinall(list(readers.values()), timeout=HOLD_REPLY_TIMEOUT_S)
        for connection, reader in readers.items():
            reader.kill()
            # One that was ended has an exception for a value.
            (self._served if reader.value is True else self._waiting).append(connection)
        return {"held": len(opened), "served": len(self._served), "replies": self._tally.replies}

    @staticmethod
    def _echo(connection: CheckedConnection) -> bool:
        try:
            connection.send(b"held\n")
            return connection.line() == b"held\n"
        except (OSError, Unexpected):
            return False

    def release(self) -> dict[str, int]:
        """Close all. Those that still waited are read to the end first, since a server serves them yet.

        `replies`: that came only now, `unanswered`: lines sent for which nobody knows.
        """
        before = self._tally.replies
        for connection in self._served:
            connection.close()
        readers = [gevent.spawn(self._read_out, connection) for connection in self._waiting]
        gevent.joinall(readers, timeout=RELEASE_TIMEOUT_S)
        for reader, connection in zip(readers, self._waiting, strict=True):
            reader.kill()
            connection.close()
        unanswered = sum(reader.value is not True for reader in readers)
        released = len(self._served) + len(self._waiting)
        self._served, self._waiting = [], []
        return {"released": released, "replies": self._tally.replies - before, "unanswered": unanswered}

    @staticmethod
    def _read_out(connection: CheckedConnection) -> bool:
        try:
            connection.line()
            return True
        except (OSError, Unexpected):
            return False
        finally:
            connection.close()
