"""What is said about a sweep as a whole: intervals where there are blocks, invalid trials counted, not averaged."""

from dataclasses import replace
from pathlib import Path

from testbed.plan import cells
from testbed.plan.sweepfile import Machine, parse
from testbed.results.summary import summary
from tests.unit.testbed.rows import row

SPST, SPMT = cells.cells(parse("name: a\nmodels: [spst, spmt]\n", Path("a.yaml"), Machine(2, 2**33)))


def test_a_median_has_an_interval_once_there_are_blocks() -> None:
    rows = [row(SPST, block=block, throughput_rps=rate) for block, rate in enumerate((98.0, 100.0, 102.0, 101.0, 99.0))]
    (cell,) = summary(rows, seed=1)["cells"]
    assert cell["median"]["throughput_rps"]["estimate"] == 100.0
    assert 98.0 <= cell["median"]["throughput_rps"]["low"] <= 100.0 <= cell["median"]["throughput_rps"]["high"] <= 102.0
    (single,) = summary(rows[:1], seed=1)["cells"]
    assert single["median"]["throughput_rps"]["low"] is None


def test_models_are_compared_within_blocks() -> None:
    """Blocks differ four-fold, the models always by half: between blocks nothing shows, within them everything."""
    rows = []
    for block, rate in enumerate((100.0, 200.0, 300.0, 400.0)):
        rows += [row(SPST, block=block, throughput_rps=rate), row(SPMT, block=block, throughput_rps=1.5 * rate)]
    (comparison,) = summary(rows, seed=1)["comparisons"]
    assert (comparison["model"], comparison["against"]) == ("spmt", "spst")
    assert abs(comparison["throughput"]["low"] - 1.5) < 0.01
    assert "spmt / spst = 1.5" in comparison["words"]
    # Against the sweep's first, whatever was measured first.
    (other,) = summary(rows, seed=1, models=["spmt", "spst"])["comparisons"]
    assert (other["model"], other["against"]) == ("spst", "spmt")


def test_no_difference_is_a_legal_answer() -> None:
    rows = []
    for block, ratio in enumerate((0.9, 1.1, 0.95, 1.05)):
        rows += [row(SPST, block=block, throughput_rps=100.0), row(SPMT, block=block, throughput_rps=100.0 * ratio)]
    (comparison,) = summary(rows, seed=1)["comparisons"]
    assert "no difference shown" in comparison["words"]


def test_invalid_trials_are_counted_and_give_no_number() -> None:
    found = summary(
        [row(SPST, throughput_rps=100.0), row(SPST, block=2, verdict="invalid", throughput_rps=900.0)], seed=1
    )
    assert (found["verdicts"], found["set_aside"]) == ({"server-bound": 1, "invalid": 1}, 0)
    (cell,) = found["cells"]
    assert cell["verdicts"] == {"server-bound": 1, "invalid": 1}
    assert cell["median"]["throughput_rps"]["estimate"] == 100.0
    assert any("1 of 2 trials are invalid" in line for line in found["warnings"])


def test_the_canary_shows_the_machines_drift_and_is_no_result() -> None:
    rows = [row(SPST, block=block, canary=True, throughput_rps=rate) for block, rate in enumerate((100.0, 110.0), 1)]
    found = summary(rows, seed=1)
    assert found["cells"] == []
    assert found["canary"]["throughput_rps"] == {1: 100.0, 2: 110.0}
    assert 0.06 < found["canary"]["coefficient_of_variation"] < 0.07
    assert summary([row(SPST)], seed=1)["canary"] is None


def test_warnings_say_what_helps() -> None:
    few = summary([row(SPST)], seed=1)["warnings"]
    assert any(line.endswith("set `repeat: 5` or more") for line in few)
    bound = summary([row(SPST, verdict="client-bound")], seed=1)["warnings"]
    assert any("measured the load generator" in line and "workers" in line for line in bound)
    fronted = summary([row(SPST, verdict="front-bound")], seed=1)["warnings"]
    assert any("measured the front" in line and "`front: {cpus: C}` higher" in line for line in fronted)
    assert not any("the front" in line for line in [*few, *bound])


def test_shares_pool_over_blocks_and_steps_of_searches_are_no_cells() -> None:
    rows = []
    for block, rate in enumerate((390.0, 400.0, 410.0, 405.0), 1):
        for model, factor in ((SPST, 1.0), (SPMT, 1.5)):
            cell = replace(model, mode="relative", rate_rps=rate * factor, share=0.5)
            rows.append(row(cell, block=block, throughput_rps=rate * factor))
            rows.append(row(replace(cell, rate_rps=100.0, share=None), block=block, step=1, verdict="not-saturated"))
    found = summary(rows, seed=1)
    assert [(cell["model"], cell["share"], cell["rate_rps"], cell["trials"]) for cell in found["cells"]] == [
        ("spst", 0.5, None, 4),
        ("spmt", 0.5, None, 4),
    ]
    assert found["cells"][0]["median"]["throughput_rps"]["low"] is not None
    (comparison,) = found["comparisons"]
    assert "spmt / spst = 1.5" in comparison["words"]


def test_searches_have_their_median_over_the_answered_blocks_and_the_others_are_warned_of() -> None:
    base = {"model": "spmt", "cpus": 1.0, "slo_p99_us": 50_000, "confirmed": True, "client_bound": False}
    searched = [
        {
            **base,
            "trial_id": str(block),
            "block": block,
            "answered": True,
            "rate_rps": rate,
            "fails_at_rps": rate * 1.07,
        }
        for block, rate in enumerate((700.0, 710.0, 720.0), 1)
    ]
    lost = {**base, "trial_id": "4", "block": 4, "answered": False, "reason": "full", "rate_rps": None}
    found = summary([row(SPMT)], 1, [*searched, lost | {"confirmed": None, "client_bound": None}])
    (one,) = found["searches"]
    assert (one["answered"], one["not_answered"], one["capacity_rps"]["estimate"]) == (3, ["full"], 710.0)
    assert found["warnings"][0].startswith("1 of 4 searches are not answered")
