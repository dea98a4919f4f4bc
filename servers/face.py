"""What a server's clients speak: how a connection is read and answered. Lines, unless FACE says otherwise."""

from functools import partial
from typing import TYPE_CHECKING

from servers import protocol
from servers.connection import Connection, converse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from servers.aio import LoopServing
    from servers.connection import Serving

    class Face(Protocol):
        """One way of speaking with clients, for both ways of serving."""

        @property
        def rehearsal(self) -> Sequence[bytes]:
            """What a server says to itself before it serves: requests of every kind, whole."""

        def converse(self, server: Serving, connection: Connection, receive_timeout_s: float) -> None:
            """Serve every request of a connection, then return; what the client does wrong is counted and logged."""

        def in_loop(self, server: LoopServing) -> Callable[[], asyncio.BaseProtocol]:
            """The same in an event loop: what makes a protocol for each connection, driven by the loop's callbacks."""

        def full(self, connections: int) -> bytes:
            """What somebody is told who is not served because so many are."""


class Lines:
    rehearsal = (b"a\n", b"a\n", b"a\n!sleep=1 !spin=1 !hash=1 b\n")

    # A function, not a method: each call of it would make one.
    converse = staticmethod(converse)

    @staticmethod
    def in_loop(server: "LoopServing") -> "Callable[[], asyncio.BaseProtocol]":
        # Here, because asyncio takes long and only loops need it.
        from servers.aio import LineProtocol

        return partial(LineProtocol, server)

    @staticmethod
    def full(connections: int) -> bytes:
        return protocol.full(connections)


LINES = Lines()
