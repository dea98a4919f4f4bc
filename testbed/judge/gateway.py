"""What a gateway refuses is counted twice, by itself and by clients; what it hands on is served in its place. Pure."""

from testbed.judge.boxes import of_which
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown

_NAME = "limited"
_ROUTES = "routes"


def limited(e: Evidence) -> Gate | None:
    """Where requests were limited, or were to be: as many 429s were sent as came, and none that nobody asked for.

    Requests that failed or were in flight when the load had ended may have been among them; checks before it, too. None
    where there is neither a limit nor a 429.
    """
    if not e.rate_limit_rps:
        if not e.total_limited:
            return None
        return decide(_NAME, False, f"{e.total_limited} answered 429", "none without a rate limit")
    if e.front_limited is None or e.total_limited is None or e.total_failures is None or e.total_in_flight is None:
        return unknown(_NAME, "the front's count of 429s, or the clients'", "the front's count = the clients'")
    loose = sum(e.total_failures.values()) + e.total_in_flight + e.holders_unanswered + e.perhaps_replied
    low, high = e.total_limited, e.total_limited + loose
    allowed = f"{low}" if low == high else f"{low} to {high}"
    found = f"{e.front_limited} answered 429 by the front's count"
    return decide(_NAME, low <= e.front_limited <= high, found, f"{allowed}, by the clients'")


def routes(e: Evidence) -> Gate | None:
    """Of several services, each server has served at least what clients got from its service. None with one.

    What it has served besides is bounded by `conservation`: all of them together have served no more than was asked.
    """
    if e.services_ok is None:
        return None
    law = "each has served what its clients got, or more"
    served = {box.name: box.served for box in e.servers}
    if lacking := of_which(e.servers, lambda box: box.served):
        return unknown(_ROUTES, f"the server's own count{lacking}", law)
    if None in e.services_ok.values() or not e.services_ok.keys() <= served.keys():
        return unknown(_ROUTES, "what clients got from each service", law)
    pairs = [(name, served[name] or 0, count or 0) for name, count in e.services_ok.items()]
    found = ", ".join(f"{name} {by_it}" for name, by_it, _ in pairs)
    allowed = ", ".join(f"{name} {count}" for name, _, count in pairs)
    return decide(_ROUTES, all(by_it >= count for _, by_it, count in pairs), f"served: {found}", f"at least {allowed}")
