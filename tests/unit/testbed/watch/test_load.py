"""The generator's rate over the last seconds, out of counts that begin at zero with each run."""

from typing import Any

import pytest

from testbed.watch import load as load_module
from testbed.watch.load import LoadReader, Rates
from tests.waiting import wait_until


def status(requests: int, failures: int = 0, trial_id: str = "web-1-spmt", state: str = "running") -> dict[str, Any]:
    named = {"trial_id": trial_id, "target": "spmt", "by_hand": True}
    return {"state": state, **named, "users": 8, "requests": requests, "failures": failures}


def test_a_rate_is_of_the_last_seconds_only() -> None:
    rates = Rates()
    assert rates.add(100.0, status(0)).requests_per_s is None
    assert rates.add(101.0, status(1_000)).requests_per_s == 1_000
    for second in range(2, 20):
        found = rates.add(100.0 + second, status(1_000 + 10 * second, failures=second))
    assert found.requests_per_s == pytest.approx(10)
    assert found.failures_per_s == pytest.approx(1)


def test_a_new_run_begins_anew() -> None:
    rates = Rates()
    rates.add(100.0, status(5_000))
    assert rates.add(101.0, status(10, trial_id="web-2-spmt")).requests_per_s is None
    # The same name with smaller counts is a new run as well.
    assert rates.add(102.0, status(5, trial_id="web-2-spmt")).requests_per_s is None


def test_a_run_of_the_page_belongs_to_its_target_and_a_trial_to_whoever_runs() -> None:
    def of(target: str, by_hand: bool) -> load_module.Load:
        told = status(0) | {"target": target, "by_hand": by_hand}
        return Rates().add(100.0, told)

    assert of("event-loop", by_hand=True).is_of("event-loop")
    assert not of("prefork-event-loop", by_hand=True).is_of("event-loop")
    assert of("event-loop-http", by_hand=True).is_of("event-loop")
    assert of("event-loop-shared", by_hand=False).is_of("event-loop")


def test_it_is_asked_in_the_background_and_an_old_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "INTERVAL_S", 0.01)
    answers = [status(0), status(10)]

    def ask(path: str) -> dict[str, Any]:
        assert path == "/threadmill/status"
        if not answers:
            raise OSError("busy")
        return answers.pop(0)

    with LoadReader(ask) as reader:
        assert wait_until(lambda: (found := reader.latest()) and found.requests_per_s, "two answers") > 0
        monkeypatch.setattr(load_module, "FRESH_S", 0.0)
        assert reader.latest() is None
    with LoadReader(None) as reader:
        assert reader.latest() is None
