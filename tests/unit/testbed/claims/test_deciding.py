"""From rows to one number of each block, and on which side of a claim it lies."""

from typing import Any

import pytest

from testbed.claims.claim import Finding
from testbed.claims.deciding import (
    Unanswered,
    all_of,
    answered,
    at_least,
    at_most,
    chosen,
    difference,
    in_all,
    level,
    ratio,
    series,
    within,
)

Row = dict[str, Any]
FIVE = {1: 2.0, 2: 2.1, 3: 1.9, 4: 2.05, 5: 1.95}
ONE = dict.fromkeys(range(1, 6), 1.0)


def row(block: int, value: float | None = 1.0, **values: Any) -> Row:
    name = values.pop("trial_id", f"{block:03d}")
    told = {"trial_id": name, "block": block, "canary": False, "redo_of": None, "model": "spmt", "reasons": "why"}
    return {**told, "verdict": "server-bound", "throughput_rps": value, **values}


def test_canaries_and_what_was_measured_again_do_not_count() -> None:
    stolen = {"server_steal_share": 0.1, "generator_steal_share": 0.0}
    again = {"server_steal_share": 0.0, "generator_steal_share": 0.0, "redo_of": "001", "trial_id": "001-redo"}
    rows = [row(1, 1.0, **stolen), row(1, 2.0, **again), row(1, 3.0, canary=True, trial_id="c")]
    assert series(chosen(rows, model="spmt"), "throughput_rps") == {1: 2.0}


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(Unanswered, match="no trial of model mpst"):
        chosen([row(1)], model="mpst")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"verdict": "invalid"}, "003 is invalid: why"),
        ({"verdict": "client-bound"}, "003 is client-bound: why"),
        ({"throughput_rps": None}, "throughput_rps of 003 is not known"),
    ],
)
def test_a_block_that_tells_nothing_is_left_out_and_with_fewer_than_three_it_is_said(bad: Row, said: str) -> None:
    rows = [row(1), row(2), row(3, **bad)] if "throughput_rps" not in bad else [row(1), row(2), row(3, None)]
    assert set(series([*rows, row(4)], "throughput_rps")) == {1, 2, 4}
    with pytest.raises(Unanswered, match=said):
        series(rows, "throughput_rps")


def test_a_full_generator_is_no_matter_where_that_is_said() -> None:
    rows = [row(block, verdict="client-bound") for block in (1, 2, 3)]
    assert len(series(rows, "throughput_rps", client=True)) == 3


def test_two_trials_of_the_same_in_a_block_are_no_number() -> None:
    with pytest.raises(Unanswered, match="two trials of the same in block 1"):
        series([row(1), row(1, trial_id="other")], "throughput_rps")


@pytest.mark.parametrize(
    ("bound", "outcomes"),
    [(1.5, ("holds", "does not hold")), (2.0, ("not shown", "not shown")), (2.5, ("does not hold", "holds"))],
)
def test_a_side_is_taken_by_the_whole_interval(bound: float, outcomes: tuple[str, str]) -> None:
    for sample in (ratio(FIVE, ONE), level(FIVE, "s"), difference(FIVE, dict.fromkeys(FIVE, 0.0), "s")):
        assert (at_least(sample, bound, "it").outcome, at_most(sample, bound, "it").outcome) == outcomes


def test_the_p_of_a_side_is_that_of_students_t() -> None:
    # Mean 2, standard deviation 0.0791: t = 0.1 / (0.0791 / sqrt 5) = 2.828 with 4 degrees of freedom.
    assert at_least(level(FIVE, "s"), 1.9, "it").p == pytest.approx(0.0237, abs=1e-4)
    assert at_most(level(FIVE, "s"), 1.9, "it").p == pytest.approx(0.9763, abs=1e-4)


def test_numbers_that_are_all_alike_and_on_the_bound_show_nothing() -> None:
    found = at_most(level(ONE, "s"), 1.0, "it")
    assert (found.outcome, found.p) == ("not shown", 1.0)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(1.8, 2.2, "holds"), (2.4, 3.0, "does not hold"), (1.0, 1.5, "does not hold"), (2.0, 3.0, "not shown")],
)
def test_within_needs_the_whole_interval_inside(low: float, high: float, outcome: str) -> None:
    assert within(ratio(FIVE, ONE), low, high, "it").outcome == outcome


def test_a_figure_shows_its_interval_and_a_finding_what_was_claimed() -> None:
    found = at_least(ratio(FIVE, ONE), 1.5, "twice")
    assert found.figure.startswith("x 2 (1.9") and found.decided.endswith("claimed is at least 1.5")
    assert found.low is not None and found.high is not None and found.low < 2.0 < found.high
    assert at_least(level(FIVE, "ms"), 1.5, "it").figure.endswith(" ms")


def test_two_blocks_have_no_interval() -> None:
    with pytest.raises(Unanswered, match="2 blocks have all that is needed"):
        ratio({1: 1.0, 2: 1.0}, ONE)
    with pytest.raises(Unanswered, match="at least 3 are"):
        level({1: 1.0}, "s")


@pytest.mark.parametrize(
    ("values", "outcome"), [([1, 1, 1], "holds"), ([0, 0, 0], "does not hold"), ([1, 0, 1], "not shown")]
)
def test_what_is_so_or_not_needs_all_trials_to_agree(values: list[int], outcome: str) -> None:
    rows = [row(block, value) for block, value in enumerate(values, 1)]
    found = in_all(rows, lambda one: one["throughput_rps"] == 1, "one")
    assert found.outcome == outcome and found.figure == f"{sum(values)} of 3 trials"


def test_what_is_not_known_of_one_trial_is_not_known() -> None:
    with pytest.raises(Unanswered, match="002 came to is not known"):
        in_all([row(1), row(2)], lambda one: None if one["block"] == 2 else True, "it")
    with pytest.raises(Unanswered, match="002 is invalid"):
        in_all([row(1), row(2, verdict="invalid")], lambda one: True, "it")


def test_a_claim_of_several_parts_is_as_its_worst_part() -> None:
    held, shown, broken = (
        Finding(outcome, figure, figure, p=p)
        for outcome, figure, p in (("holds", "a", 0.01), ("not shown", "b", 0.3), ("does not hold", "c", 0.9))
    )
    assert all_of(held, held).outcome == "holds"
    assert all_of(held, shown).outcome == "not shown"
    assert all_of(held, shown, broken).outcome == "does not hold"
    assert (all_of(held, shown).figure, all_of(held, shown).p) == ("a; b", 0.3)


def test_rows_that_cannot_answer_are_a_finding_with_the_reason() -> None:
    @answered
    def decide(rows: Any) -> Finding:
        raise Unanswered("nothing here")

    assert decide([]) == Finding("inconclusive here", "", "nothing here")
