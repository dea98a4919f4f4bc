"""nginx as a front: its counters, by the page of its module ngx_http_stub_status.

It counts connections of the clients and of the page together, and not by server. Parsing is pure.
"""

import re

from testbed.parts.asking import Address
from testbed.parts.counts import UNKNOWN, FrontCounts

# Of the page; as in fronts/settings.py.
COUNTERS_PORT = 8404

STATUS = re.compile(
    r"^Active connections: (?P<active>\d+) *\n"
    r"server accepts handled requests *\n"
    r" (?P<accepts>\d+) (?P<handled>\d+) (?P<requests>\d+) *\n"
    r"Reading: (?P<reading>\d+) Writing: (?P<writing>\d+) Waiting: (?P<waiting>\d+)",
    re.MULTILINE,
)


def parse(text: str) -> FrontCounts:
    """The counts out of an answer of the page; nothing is known from one that is anything else.

    The page itself is asked over one connection for each request, and only that makes requests (clients' lines are
    none to a proxy of TCP): so what is left of all connections are the clients'. One to the page that never asks
    anything is counted among those.
    """
    found = STATUS.search(text.replace("\r\n", "\n"))
    if found is None:
        return UNKNOWN
    active, accepts, handled, requests, reading, writing, waiting = (int(found[name]) for name in STATUS.groupindex)
    return FrontCounts(
        connections=accepts - requests,
        # Those that ask the page, this one among them, are the ones in one of its three states.
        open=max(0, active - reading - writing - waiting),
        dropped=accepts - handled,
    )


class Nginx:
    """A running nginx. It cannot be told of servers: it knows those that it was started with."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return parse(self._address.ask("GET / HTTP/1.0\r\n\r\n"))
