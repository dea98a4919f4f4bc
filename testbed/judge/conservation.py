"""The gates that count what was counted apart once more: requests, and connections behind a front. Pure."""

from dataclasses import dataclass

from testbed.judge import edge
from testbed.judge.boxes import has_no_room, of_which
from testbed.judge.edge import given_up
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown
from testbed.judge.laws import surely_served
from testbed.sums import total

# Failures that the server cannot have answered: the request never reached it.
_NEVER_ANSWERED = frozenset({"connect"})


def conservation(e: Evidence) -> Gate:
    """Every request sent has one fate, and what the servers have counted, together, is the client's count.

    A request that failed or was in flight may or may not have been served, except one that never reached the server;
    so may the echo of a server that was slow to start, when the check had given up on it.
    """
    if e.sent is None or e.total_ok is None or e.total_failures is None or e.total_in_flight is None:
        return unknown("conservation", "the load's totals", "sent = ok + failed + in flight")
    failed, limited = sum(e.total_failures.values()), e.total_limited or 0
    if e.sent != e.total_ok + failed + limited + e.total_in_flight:
        also, too = (f" + {limited} limited", " + limited") if limited else ("", "")
        found = f"{e.sent} sent, {e.total_ok} ok + {failed} failed{also} + {e.total_in_flight} in flight"
        return decide("conservation", False, found, f"sent = ok + failed{too} + in flight, exactly")
    if e.other_replies is None:
        return unknown("conservation", "replies outside of the load", "served = replies the clients counted")
    low = e.total_ok + e.other_replies
    uncertain = (
        e.total_in_flight
        + e.holders_unanswered
        + e.perhaps_replied
        + sum(n for kind, n in e.total_failures.items() if kind not in _NEVER_ANSWERED)
    )
    allowed = f"{low} served" if not uncertain else f"{low} to {low + uncertain} served"
    served = total(box.served for box in e.servers)
    if e.by_request:
        return edge.conservation(e, failed, served)
    if served is None:
        return unknown("conservation", f"the server's own count{of_which(e.servers, lambda b: b.served)}", allowed)
    return decide("conservation", low <= served <= low + uncertain, f"{served} served", allowed)


@dataclass(frozen=True)
class _Count:
    """One count, and what another allows it to be."""

    found: int
    low: int
    high: int
    words: str

    @property
    def adds_up(self) -> bool:
        return self.low <= self.found <= self.high

    @property
    def allowed(self) -> str:
        return f"{self.low} {self.words}" if self.low == self.high else f"{self.low} to {self.high} {self.words}"


def connections(e: Evidence) -> Gate | None:
    """Behind a front: it has taken the connections that were made to it; the servers have taken those that it has made
    to them, and those that checks have made past it.

    Each exactly, but for requests that failed: their connections may have been made or not, and taken or not. And one
    that had no reply when the load ended may still have been on its way. None without a front or a sidecar.
    """
    if not e.fronts and not e.sidecars:
        return None
    counts = (
        *((_by_the_front(e),) if e.fronts else ()),
        *((_by_the_sidecars(e),) if e.sidecars else ()),
        _by_the_servers(e),
    )
    known = [count for count in counts if isinstance(count, _Count)]
    found = "; ".join(f"{count.found} {count.words}" for count in known)
    allowed = "; ".join(count.allowed for count in known)
    if any(not count.adds_up for count in known):
        return decide("connections", False, found, allowed)
    if lacking := [count for count in counts if isinstance(count, str)]:
        law = "the front's count = the clients', and the servers' = the front's"
        return unknown("connections", " and ".join(dict.fromkeys(lacking)), law)
    return decide("connections", True, found, allowed)


def _by_the_front(e: Evidence) -> _Count | str:
    """What it has taken against what was made to it; in words what is not known of these."""
    taken = total(box.connections for box in e.fronts)
    if taken is None or e.client_connections is None or e.check_connections is None:
        return "what the front or the clients have counted"
    if (failed := _failed(e)) is None or e.total_in_flight is None:
        return "what failed or was in flight"
    unmade, made = failed
    # One with no room left leaves the others in the kernel's queue, as many as there are users at most.
    left = e.users + e.idle_holders if any(map(has_no_room, e.fronts)) else 0
    late = 0 if e.connection == "persistent" else e.total_in_flight
    # One that failed when it was made is not among the clients', and may have come all the same.
    sent = e.client_connections + e.check_connections
    return _Count(taken, sent - made - late - left, sent + unmade, "taken by the front")


def _by_the_servers(e: Evidence) -> _Count | str:
    """What they have taken against what was made to them; in words what is not known of these."""
    taken, handed = total(box.connections for box in e.servers), _made_to_the_servers(e)
    if taken is None or handed is None or e.direct_connections is None:
        lacking = of_which(e.servers, lambda box: box.connections)
        return f"the servers' count{lacking} or that of what was made to them"
    if (failed := _failed(e)) is None or (late := _late(e)) is None:
        return "what failed or was in flight"
    uncertain = sum(failed) + (e.front_failed or 0) + late + given_up(e)
    sent = handed + e.direct_connections
    return _Count(taken, sent - uncertain, sent + uncertain, "taken by the servers")


def _by_the_sidecars(e: Evidence) -> _Count | str:
    """What they have taken against what was made to them, by the front or by clients; in words what is not known."""
    taken = total(box.connections for box in e.sidecars)
    by_the_load = _handed_on(e) if e.fronts else total((e.client_connections, e.check_connections))
    made = total((by_the_load, e.sidecar_connections))
    if taken is None or made is None:
        lacking = of_which(e.sidecars, lambda box: box.connections)
        return f"the sidecars' count{lacking} or that of what was made to them"
    if (failed := _failed(e)) is None or (late := _late(e)) is None:
        return "what failed or was in flight"
    uncertain = sum(failed) + (e.front_failed or 0) + late + given_up(e)
    return _Count(taken, made - uncertain, made + uncertain, "taken by the sidecars")


def _made_to_the_servers(e: Evidence) -> int | None:
    """By what stands next to them."""
    return total(box.connections_made for box in e.sidecars) if e.sidecars else _handed_on(e)


def _handed_on(e: Evidence) -> int | None:
    """Connections that the front has made. One that does not count them by replica has no queue of its own, and makes
    one for each that it takes; with HTTP it is one for many requests."""
    if e.by_request:
        return None if e.requests is None else e.requests.connections
    if e.front_to_replicas is not None:
        return sum(e.front_to_replicas.values())
    return None if e.one_queue else total(box.connections for box in e.fronts)


def _failed(e: Evidence) -> tuple[int, int] | None:
    """Requests and holders that failed: those that got no connection, and the others; None: not known."""
    if e.total_failures is None:
        return None
    kinds = [e.total_failures, e.holders_failures or {}]
    unmade = sum(failures.get(kind, 0) for failures in kinds for kind in _NEVER_ANSWERED)
    return unmade, sum(sum(failures.values()) for failures in kinds) - unmade


def _late(e: Evidence) -> int | None:
    """How many connections at most a front may have handed on after it was asked, or a server may not have taken by
    then; None: not known."""
    if e.total_in_flight is None:
        return None
    if not e.is_direct:
        # Those are the front's own, or the sidecars'. It makes one when it needs it, so late ones are at most as many
        # as requests are.
        return e.total_in_flight + e.holders_unanswered
    at_once = surely_served(e)
    if at_once is None and e.connection == "persistent":
        # Each was taken as soon as it came, long before the load ended.
        return 0
    # In an open loop users may have a connection, and nothing to send.
    idle = at_once is not None and e.mode == "open" and e.connection != "per-request"
    waiting = max(0, e.users + e.idle_holders - (at_once or 0)) if idle else 0
    return e.total_in_flight + e.holders_unanswered + waiting
