"""From what the calibration read to what a trial asks, and to what is said of the machine."""

from pathlib import Path
from typing import Any

import pytest

from testbed.compare.conditions import speed_ratio
from testbed.plan import calibration, cells
from testbed.plan.calibration import Work
from testbed.plan.cell import Cell
from testbed.plan.sweepfile import Machine, parse
from testbed.report import cost
from testbed.results.summary import summary
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import view_of
from tests.unit.testbed.rows import row


def sweep(workload: str) -> Any:
    return parse(f"name: a\nmodels: [spst]\nworkload: {workload}\n", Path("a.yaml"), Machine(2, 2**33))


(CELL,) = cells.cells(sweep("{spin: 500us, hash: 200us}"))
TYPICAL = {
    "spin_units_per_ms": 1000.0,
    "fastest_spin_units_per_ms": 1600.0,
    "hash_rounds_per_ms": 5000.0,
    "fastest_hash_rounds_per_ms": 8000.0,
}
# As it was before there was a typical speed: the one field was the fastest.
EARLIER = {"spin_units_per_ms": 1600.0, "hash_rounds_per_ms": 8000.0, "samples": [1000.0]}


def test_only_what_the_sweep_asks_for_is_calibrated() -> None:
    assert calibration.kinds(sweep("{spin: [0us, 500us]}")) == ("spin",)
    assert calibration.kinds(sweep("{hash: 1ms, spin: 1ms}")) == ("spin", "hash")
    assert calibration.kinds(sweep("{sleep: 5ms}")) == ()


def test_work_is_sized_by_the_typical_speed_and_bounded_by_the_fastest() -> None:
    asked = calibration.work(CELL, TYPICAL)
    assert asked == Work(spin_units=500, hash_rounds=1000)
    assert calibration.least_cpu_us(asked, TYPICAL) == pytest.approx(500 / 1.6 + 200 / 1.6)


def test_a_block_that_ran_faster_lowers_the_bound_and_leaves_the_work() -> None:
    faster = {name: 2 * value for name, value in TYPICAL.items()}
    asked = calibration.work(CELL, TYPICAL)
    assert calibration.least_cpu_us(asked, TYPICAL, faster) == pytest.approx(700 / 3.2)


def test_earlier_calibrations_stay_readable_and_their_one_speed_was_the_fastest() -> None:
    asked = calibration.work(CELL, EARLIER)
    assert asked == Work(spin_units=800, hash_rounds=1600)
    assert calibration.least_cpu_us(asked, EARLIER) == pytest.approx(700.0)


def test_work_that_was_not_calibrated_has_no_bound() -> None:
    assert calibration.least_cpu_us(Work(spin_units=5, hash_rounds=0), None) is None
    assert calibration.least_cpu_us(Work(spin_units=0, hash_rounds=0), None) == 0.0
    assert calibration.work(CELL, None) == Work(spin_units=0, hash_rounds=0)


def test_drift_is_the_typical_speed_over_the_sweeps_of_the_kind_further_off() -> None:
    assert calibration.drift(TYPICAL, TYPICAL) == 1.0
    assert calibration.drift(TYPICAL, {"spin_units_per_ms": 900.0}) == 0.9
    assert calibration.drift(TYPICAL, {"spin_units_per_ms": 900.0, "hash_rounds_per_ms": 7500.0}) == 1.5
    assert calibration.drift(TYPICAL, None) is None
    assert calibration.drift(None, TYPICAL) is None


def test_runs_are_compared_by_speeds_of_one_kind() -> None:
    """The same machine, before and after the typical speed was read: it has not slowed down."""
    assert speed_ratio({"calibration": EARLIER}, {"calibration": TYPICAL}) == 1.0
    slower = {name: value / 2 for name, value in TYPICAL.items()}
    assert speed_ratio({"calibration": TYPICAL}, {"calibration": slower}) == 0.5
    assert speed_ratio({"calibration": None}, {"calibration": TYPICAL}) is None


def test_a_machine_that_changed_its_speed_between_blocks_is_warned_of() -> None:
    rows = [row(CELL, block=block, speed_drift=speed) for block, speed in enumerate((1.0, 0.62, 0.98))]
    (line,) = (one for one in summary(rows, seed=1)["warnings"] if "calibrated" in one)
    assert "ran at 0.62 to 1.00 of the speed" in line
    assert not any("calibrated" in one for one in summary([rows[0], rows[2]], seed=1)["warnings"])


def test_the_report_says_what_a_request_cost_beside_what_was_asked(tmp_path: Path) -> None:
    def measured(cell: Cell, block: int) -> dict[str, Any]:
        return {"cpu_us_per_request": 40.0 + 1.2 * cell.spin_us}

    made = {"models": ["spst"], "limits": {"cpus": 1.0}, "repeat": 1}
    seen = view_of(make_run(tmp_path / "both", made | {"workload": {"spin": ["0us", "500us"]}}, measured=measured))
    told = cost.told(seen)
    assert "asked: 500 µs, used: 640 µs per request" in told
    assert "600 µs more than a request without that work" in told

    seen = view_of(make_run(tmp_path / "one", made | {"workload": {"spin": "500us"}}, measured=measured))
    assert cost.told(seen) == "asked: 500 µs, used: 640 µs per request, the model's own work included"

    seen = view_of(make_run(tmp_path / "bare", made, measured=measured))
    assert cost.told(seen) == ""
