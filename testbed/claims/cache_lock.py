"""An item that everybody gets expires at the edge: nginx and Varnish."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, each, level, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/hot-item.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    nginx, varnish = (_p99_ms(rows, front) for front in ("nginx-cache", "varnish"))
    return all_of(
        at_least(level(nginx, "ms"), 250, "p99 behind nginx"),
        at_most(level(varnish, "ms"), 100, "p99 behind Varnish"),
    )


def _p99_ms(rows: Sequence[Row], front: str) -> dict[int, float]:
    return each(lambda us: us / 1000, series(chosen(rows, front=front), "latency_p99_us"))


CLAIM = Claim(
    name="cache-lock",
    statement="When a hot item expires, requests that wait for nginx's cache lock, which is looked at every 500 ms, "
    "show in the p99; at Varnish they do not.",
    source="nginx documentation: proxy_cache_lock",
    link="https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_lock",
    question="what happens when a key expires",
    sweep=SWEEP,
    predicate="An item that lives for a second and takes a server 50 ms, 300 requests/s: holds where the p99 behind "
    "nginx is at least 250 ms, half of what the lock is looked at every, and behind Varnish at most 100 ms; does not "
    "hold where the interval of one of them is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
