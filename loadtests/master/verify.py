"""Is it an echo server? Checked before load, from where the load will come from.

Every request a server answers is counted, so that its own count of served requests can be compared afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent

from loadtests.master import verify_http, verify_lines
from loadtests.master.tally import CheckedConnection, Tally, Unexpected
from loadtests.master.verify_behind import Behind, checks

CHECK_TIMEOUT_S = 2.0
HOLD_REPLY_TIMEOUT_S = 0.3
RELEASE_TIMEOUT_S = 2.0
MOST_CONNECTIONS = 2000


def _parallel(connections: int) -> Callable[[Tally], None]:
    def check(tally: Tally) -> None:
        opened: list[CheckedConnection] = []
        try:
            while len(opened) < connections:
                opened.append(tally.connect())
            # The last one first: none may wait for another to end.
            for number, connection in reversed(list(enumerate(opened))):
                try:
                    with gevent.Timeout(CHECK_TIMEOUT_S / 2):
                        connection.echoed(b"connection %d of several" % number)
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
        for name, check in (verify_http if self.tally.protocol == "http" else verify_lines).CHECKS.items():
            self._check(name, check)
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


def verify(tally: Tally, parallel: int, behind: Behind) -> dict[str, Any]:
    """The outcome of every check, replies the server gave (`errors` of them !error), connections made.

    parallel=0 leaves that check out.
    """
    return Verification(tally, parallel, behind).run()


_HELD = b"held"


class Hold:
    """Connections that are kept open, one echo completed on each that is served, so that a server can be looked at."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._served: list[CheckedConnection] = []
        self._waiting: list[CheckedConnection] = []

    def open(self, connections: int) -> dict[str, int]:
        """`held`: open now; `served`: those that got their echo in time."""
        opened: list[CheckedConnection] = []
        with gevent.Timeout(CHECK_TIMEOUT_S, False):
            while len(opened) < connections:
                try:
                    opened.append(self._tally.connect())
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
            return connection.ask(_HELD).is_echo
        except (OSError, Unexpected):
            return False

    def release(self) -> dict[str, int]:
        """Close all. Those that still waited are read to the end first, since a server serves them yet.

        `replies`: that came only now, `unanswered`: requests sent for which nobody knows.
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

    def _read_out(self, connection: CheckedConnection) -> bool:
        try:
            connection.take(self._tally.wire.request(_HELD))
            return True
        except (OSError, Unexpected):
            return False
        finally:
            connection.close()
