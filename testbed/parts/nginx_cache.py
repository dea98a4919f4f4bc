"""nginx as a cache: its counters, by the page of ngx_http_stub_status and the lengths of two files beside it.

The page counts connections and requests of clients and of the page together. Two files have two bytes each: for each
request that the servers have answered with 200, and for each that was made to the page (fronts/nginx_cache.py).
Parsing is pure.
"""

from testbed.parts import nginx
from testbed.parts.asking import Address
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts

COUNTERS_PORT = nginx.COUNTERS_PORT

_BYTES_OF_A_MARK = 2
# Those that one reading makes to the page, in its order; the last one tells.
_QUESTIONS = ("HEAD /asked HTTP/1.0\r\n\r\n", "HEAD /fetched HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n")


def marks(head: str) -> int | None:
    """How many marks a file has, by the head of the answer about it."""
    status, _, fields = head.replace("\r\n", "\n").partition("\n")
    if status.split(" ")[1:2] != ["200"]:
        return None
    for line in fields.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and value.strip().isdecimal():
            return int(value) // _BYTES_OF_A_MARK
    return None


def parse(asked: str, fetched: str, status: str) -> FrontCounts:
    """The counts out of the three answers, in the order of the questions. A request to the page is marked when it is
    over, so the first answer does not know of itself."""
    found, before = nginx.STATUS.search(status.replace("\r\n", "\n")), marks(asked)
    if found is None:
        return UNKNOWN
    active, accepts, handled, *_ = (int(found[name]) for name in nginx.STATUS.groupindex)
    return FrontCounts(
        connections=None if before is None else accepts - before - len(_QUESTIONS),
        # The one that asks is active.
        open=max(0, active - 1),
        dropped=accepts - handled,
        requests=RequestCounts(fetched=marks(fetched)),
    )


class NginxCache:
    """A running nginx. It cannot be told of servers: it knows those that it was started with."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        asked, fetched, status = map(self._address.ask, _QUESTIONS)
        return parse(asked, fetched, status)
