"""What is counted once more where a front answers out of a cache, and what its hits are not taken for."""

from dataclasses import replace
from typing import Any

import pytest

from testbed.judge import laws
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate
from testbed.judge.verdict import judge
from testbed.parts.counts import RequestCounts
from tests.unit.testbed.judge.made_fronts import fronted, gate
from tests.unit.testbed.judge.test_boxes import FIRST, SECOND

# Of all replies of the load these many were the cache's; one check came through it, and the rest past it.
CACHED = 900
EXACT = RequestCounts(fetched=0, refreshed=0, connections=9, failed=0)


def cached(cache: RequestCounts | None = None, **of_trial: Any) -> Evidence:
    """Where all adds up: what the servers have served is what was fetched and what was asked past the front."""
    base = fronted(total_in_flight=0, total_failures={}, failed=0)
    assert base.total_ok is not None and base.other_replies is not None
    fetched = base.total_ok - CACHED + 1
    served = fetched + base.other_replies - 1
    first, second = (
        replace(one, served=count) for one, count in zip(base.servers, (served // 2, served - served // 2), strict=True)
    )
    counts = (
        replace(EXACT, fetched=fetched) if cache is None else replace(cache, fetched=(cache.fetched or 0) + fetched)
    )
    known: dict[str, Any] = {
        "sent": base.total_ok,
        "by_request": True,
        "cached": CACHED // 2,
        "total_cached": CACHED,
        "front_replies": 1,
        "requests": counts,
        "front_to_replicas": None,
        "boxes": (first, second, *base.fronts, *base.generator),
    }
    return replace(base, **{**known, **of_trial})


def without_counts(cache: RequestCounts | None) -> Evidence:
    return replace(cached(), requests=cache)


def conservation(of: Evidence) -> Gate:
    found = gate("conservation", of)
    assert found is not None
    return found


def served_more(of: Evidence, more: int) -> Evidence:
    first, *others = of.boxes
    return replace(of, boxes=(replace(first, served=(first.served or 0) + more), *others))


def test_what_is_fetched_and_what_is_asked_past_the_front_is_what_is_served() -> None:
    found = conservation(cached())
    assert found.status == "pass", found
    assert " to " not in found.allowed
    assert judge(cached()).failed == ()


@pytest.mark.parametrize("more", [-1, 1])
def test_one_request_that_only_the_servers_or_only_the_front_has_counted_shows(more: int) -> None:
    assert conservation(served_more(cached(), more)).status == "fail"


@pytest.mark.parametrize("more", [-1, 1])
def test_one_reply_that_is_wrongly_the_caches_shows(more: int) -> None:
    assert conservation(cached(total_cached=CACHED + more)).status == "fail"


def test_a_refresh_is_served_and_no_client_waited_for_it() -> None:
    refreshed = served_more(cached(replace(EXACT, fetched=7, refreshed=7)), 7)
    assert conservation(refreshed).status == "pass"
    unknown = served_more(cached(replace(EXACT, fetched=7, refreshed=None)), 7)
    assert conservation(unknown).status == "pass"
    assert "at least" in conservation(unknown).allowed
    # One that does not count its refreshes may have no fewer than the clients have seen.
    assert conservation(served_more(cached(replace(EXACT, fetched=-1, refreshed=None)), -1)).status == "fail"


def test_requests_of_which_nobody_knows_how_far_they_came_widen_it() -> None:
    of = cached()
    assert of.sent is not None and of.total_failures is not None
    failed = replace(of, sent=of.sent + 3, total_failures={**of.total_failures, "timeout": 3})
    assert conservation(served_more(failed, 3)).status == "pass"
    assert conservation(served_more(failed, 4)).status == "fail"
    assert conservation(served_more(failed, -1)).status == "fail"
    # Varnish counts a fetch whatever came of it.
    errors = replace(failed, requests=replace(failed.requests or EXACT, counts_errors=True))
    assert conservation(served_more(errors, -3)).status == "pass"


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ({"total_cached": None}, "which replies were the cache's"),
        ({"front_replies": None}, "replies outside of the load"),
        ({"boxes": (replace(FIRST, served=None), SECOND)}, "the server's own count of spmt-1"),
    ],
)
def test_what_lacks_is_said_and_nothing_passes_for_want_of_it(without: dict[str, Any], says: str) -> None:
    found = conservation(cached(**without))
    assert (found.status, found.found) == ("unknown", f"not known: {says}")
    for counts in (None, RequestCounts()):
        found = conservation(without_counts(counts))
        assert (found.status, found.found) == ("unknown", "not known: the front's count of what it has fetched")


def test_connections_to_the_servers_are_those_that_the_cache_has_made() -> None:
    assert gate("connections", cached()).status == "pass"  # type: ignore[union-attr]
    fewer = gate("connections", cached(replace(EXACT, connections=8)))
    assert fewer is not None and fewer.status == "fail"
    # nginx does not count them: a connection is kept for many requests.
    unknown = gate("connections", cached(replace(EXACT, connections=None)))
    assert unknown is not None and unknown.status == "unknown"


def test_hits_are_no_work_of_the_servers() -> None:
    of = cached(spin_us=900_000.0)
    assert of.ok is not None and of.window_s is not None
    assert laws.utilisation_law(of, Thresholds()).status == "fail"
    assert laws.utilisation_law(replace(of, cached=of.ok), Thresholds()).status == "pass"
    assert laws.utilisation_law(replace(of, cached=None), Thresholds()).status == "unknown"


def test_clients_hold_no_slots_of_the_servers() -> None:
    of = cached(model="spst", users=8)
    assert (laws.serving_slots(of), laws.surely_served(of)) == (None, None)
    assert laws.serving_slots(replace(of, by_request=False)) == 2
