"""What a client is answered and where its requests wait, without any input or output: both ways of serving follow it.

What is done for a read that is exactly one whole line stands in each of the two by itself, for speed.
"""

from collections.abc import Iterable, Iterator, Sequence

from servers import faults, protocol
from servers.work import do

DIRECTIVE = ord("!")
ERROR: tuple[bytes, ...] = ()
"""The requests that an error answers as far as counting goes: none was served."""

Reply = tuple[bytes, Sequence[bytes]]
"""Bytes to send in one piece, and the requests that they serve."""


def answers(requests: Iterable[bytes], allow_faults: bool) -> Iterator[Reply | float]:
    """The replies to these requests in order, echoes that need no work between them in one piece; a number of seconds
    where the next one has to wait. The work of a request is done when the step after its wait is asked for.
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
        if work.sleep_us:
            yield work.sleep_us / 1_000_000
        do(work)
        yield (faults.commit(work.crash, request) if work.crash else request), (request,)
    if echoes:
        yield joined(echoes)


def joined(echoes: list[bytes]) -> Reply:
    return (echoes[0] if len(echoes) == 1 else b"".join(echoes)), echoes
