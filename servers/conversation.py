"""What a client is answered and where its requests wait, without any input or output: both ways of serving follow it.

What is done for a read that is exactly one whole line stands in each of the two by itself, for speed.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from servers import faults, protocol
from servers.work import do

if TYPE_CHECKING:
    from typing import Protocol

    class Backend(Protocol):
        """What is behind a server, as far as its answers tell of it; ``behind.process.Behind`` is one."""

        kind: str
        verbs: tuple[str, ...]  # that a request may ask of it


DIRECTIVE = ord("!")
ERROR: tuple[bytes, ...] = ()
"""The requests that an error answers as far as counting goes: none was served."""

Reply = tuple[bytes, Sequence[bytes]]
"""Bytes to send in one piece, and the requests that they serve."""


class Errand:
    """Something to ask of what is behind the server. Who is given it sets ``reply`` before going on."""

    __slots__ = ("ask", "reply")

    def __init__(self, ask: protocol.Ask) -> None:
        self.ask = ask
        self.reply = b""  # what the request is answered with instead of its echo; empty: it went well


Step = Reply | float | Errand


def answers(requests: Iterable[bytes], allow_faults: bool, behind: "Backend | None" = None) -> Iterator[Step]:
    """The replies to these requests in order, echoes that need no work between them in one piece; a number of seconds
    where the next one has to wait, an errand where something has to be asked. The work of a request is done when the
    step after its wait is asked for.
    """
    echoes: list[bytes] = []
    for request in requests:
        if request[0] != DIRECTIVE:
            echoes.append(request)
            continue
        if echoes:
            yield joined(echoes)
            echoes = []
        try:
            work = protocol.parse(request, allow_faults)
        except protocol.DirectiveError as reason:
            yield protocol.error(str(reason)), ERROR
            continue
        reply = (yield from asked(work.asks, behind)) if work.asks else b""
        if reply and reply != protocol.STALE:
            yield reply, ERROR
            continue
        if work.sleep_us:
            yield work.sleep_us / 1_000_000
        do(work)
        if reply:
            yield reply, (reply,)  # served, with what there was
        else:
            yield (faults.commit(work.crash, request) if work.crash else request), (request,)
    if echoes:
        yield joined(echoes)


def asked(asks: Iterable[protocol.Ask], behind: "Backend | None") -> Generator[Step, None, bytes]:
    """What a request that asks for this is answered with instead of its echo; empty if all went well.

    After a stale value the rest is asked for all the same; after anything worse it is not.
    """
    stale = b""
    for ask in asks:
        if behind is None:
            return protocol.error(f"{ask.verb}: nothing is behind this server")
        if ask.verb not in behind.verbs:
            takes = ", ".join(behind.verbs)
            return protocol.error(f"{ask.verb}: {behind.kind} is behind this server, which takes {takes}")
        errand = Errand(ask)
        yield errand
        if errand.reply == protocol.STALE:
            stale = errand.reply
        elif errand.reply:
            return errand.reply
    return stale


def joined(echoes: list[bytes]) -> Reply:
    return (echoes[0] if len(echoes) == 1 else b"".join(echoes)), echoes
