"""Conservation of requests where a front speaks HTTP: the servers have served what it has fetched. Pure.

Three counts that were made apart: the servers' own, the front's of its requests to them, and the clients', by what
each reply says of itself. A miss for which others have waited is one request to a server, and one reply that is none
of the cache; the others' are the cache's. A refresh in the background is a request to a server that no client waited
for, so the clients' count bounds the front's from below; where the front counts its refreshes, it is exact.
"""

from testbed.judge.boxes import of_which
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown

_NAME = "conservation"
_LAW = "served = what the front has fetched + what was asked past it; fetched = replies that are not the cache's"


def conservation(e: Evidence, failed: int, served: int | None) -> Gate:
    """The gate, once every request sent has one fate. `failed`: of the load's requests; `served`: by the servers."""
    if e.requests is None or e.requests.fetched is None:
        return unknown(_NAME, "the front's count of what it has fetched", _LAW)
    if e.front_replies is None or e.other_replies is None or e.total_in_flight is None:
        return unknown(_NAME, "replies outside of the load", _LAW)
    if e.total_ok is None or e.total_cached is None:
        return unknown(_NAME, "which replies were the cache's", _LAW)
    if served is None:
        return unknown(_NAME, f"the server's own count{of_which(e.servers, lambda box: box.served)}", _LAW)
    past = e.other_replies - e.front_replies
    # Of each of these nobody knows how far it came.
    loose = failed + e.total_in_flight + e.holders_unanswered + e.perhaps_replied
    fetched = e.requests.fetched
    # It was asked when the load had ended: what it was still fetching then was served, and is not yet among its own.
    low = past + fetched - (loose if e.requests.counts_errors else 0)
    # A try that it gave up on reached a server all the same.
    high = past + fetched + max(loose, given_up(e))
    asked = e.total_ok - e.total_cached + e.front_replies
    found = f"{served} served, {fetched} fetched by the front"
    allowed = f"{_between(low, high)} served"
    refreshed = e.requests.refreshed
    if refreshed is None:
        allowed += f", at least {asked} fetched"
        right = asked <= fetched
    else:
        allowed += f", {_between(asked + refreshed, asked + refreshed + loose)} fetched"
        right = asked + refreshed <= fetched <= asked + refreshed + loose
    return decide(_NAME, right and low <= served <= high, found, allowed)


def given_up(e: Evidence) -> int:
    """Tries of the front that came to no reply of 200; 0 where it does not count them."""
    if e.requests is None or e.requests.tried is None or e.requests.fetched is None:
        return 0
    return max(0, e.requests.tried - e.requests.fetched)


def _between(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"
