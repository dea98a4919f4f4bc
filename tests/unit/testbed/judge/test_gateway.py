"""What a gateway refuses is counted twice."""

from dataclasses import replace
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.judge.conservation import conservation
from testbed.judge.evidence import Evidence
from testbed.judge.gateway import limited, routes
from tests.unit.testbed.judge.made import GOOD

LIMITED = replace(GOOD, rate_limit_rps=100.0, total_limited=40, limited=30, front_limited=40)


def judged(**changes: Any) -> str:
    gate = limited(replace(LIMITED, **changes))
    return gate.status if gate is not None else "none"


def test_as_many_as_came_is_right_and_any_other_number_is_not() -> None:
    assert judged(total_in_flight=0) == "pass"
    assert judged(total_in_flight=0, front_limited=41) == judged(total_in_flight=0, front_limited=39) == "fail"
    assert judged(total_in_flight=1, front_limited=41) == "pass"


def test_a_429_that_nobody_asked_for_is_wrong() -> None:
    assert judged(rate_limit_rps=0.0) == "fail"
    assert judged(rate_limit_rps=0.0, total_limited=0) == "none"


@pytest.mark.parametrize("lacking", ["front_limited", "total_failures", "total_in_flight"])
def test_what_is_not_known_makes_it_unknown(lacking: str) -> None:
    assert judged(**{lacking: None}) == "unknown"


def test_a_request_that_was_limited_has_its_fate() -> None:
    assert GOOD.sent is not None
    more: Evidence = replace(GOOD, sent=GOOD.sent + 40, total_limited=40)
    assert conservation(more).status == "pass"
    assert conservation(replace(more, total_limited=39)).status == "fail"


def routed(ok: dict[str, int | None] | None, *served: int | None) -> str:
    boxes = tuple(Box(f"spmt-{place}", "server", served=one) for place, one in enumerate(served, start=1))
    gate = routes(replace(GOOD, services_ok=ok, boxes=boxes))
    return gate.status if gate is not None else "none"


def test_what_one_service_was_to_answer_and_another_did_is_found() -> None:
    ok: dict[str, int | None] = {"spmt-1": 60, "spmt-2": 30}
    assert routed(ok, 60, 30) == routed(ok, 64, 33) == "pass"
    assert routed(ok, 59, 34) == routed(ok, 90, 3) == "fail"
    assert routed(None, 1, 2) == "none"


def test_a_service_that_did_not_tell_is_not_known() -> None:
    assert routed({"spmt-1": 60, "spmt-2": 30}, 60, None) == "unknown"
    assert routed({"spmt-1": 60, "spmt-2": None}, 60, 30) == "unknown"
    assert routed({"spmt-1": 60, "spmt-3": 30}, 60, 30) == "unknown"
