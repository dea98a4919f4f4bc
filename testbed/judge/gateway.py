"""What a gateway refuses is counted twice, by itself and by the clients. Pure."""

from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate, decide, unknown

_NAME = "limited"


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
