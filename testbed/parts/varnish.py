"""Varnish as a cache: its counters, as `varnishstat -1 -j` prints them, which a program beside it answers with.

Source: varnish-counters(7) of Varnish 7.7. Parsing is pure.
"""

from typing import Any

from testbed.parts.asking import Address
from testbed.parts.counts import FrontCounts, RequestCounts
from testbed.parts.page import json_page, whole

# Of the page; as in fronts/settings.py.
COUNTERS_PORT = 8404


def parse(found: dict[str, Any]) -> FrontCounts:
    """The counts out of the JSON; of what is not in it, nothing is known."""
    counters = found.get("counters")

    def count(name: str) -> int | None:
        one = counters.get(f"MAIN.{name}") if isinstance(counters, dict) else None
        return whole(one.get("value")) if isinstance(one, dict) else None

    requests, retries = count("backend_req"), count("backend_retry")
    begun, no_thread = count("s_bgfetch"), count("bgfetch_no_thread")
    return FrontCounts(
        connections=count("sess_conn"),
        dropped=count("sess_dropped"),
        requests=RequestCounts(
            # A request that is sent once more, over a fresh connection, counts twice.
            fetched=None if requests is None or retries is None else requests - retries,
            refreshed=None if begun is None or no_thread is None else begun - no_thread,
            connections=count("backend_conn"),
            failed=count("backend_fail"),
            counts_errors=True,
        ),
    )


class Varnish:
    """A running Varnish. It cannot be told of servers: it knows those that it was started with."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return parse(json_page(self._address, "/"))
