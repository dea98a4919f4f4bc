"""What predicates ask of a trial besides its columns, from directories as sweeps leave them."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.claims import facts
from testbed.report.source import read
from testbed.report.timeline import Timeline
from testbed.report.triggers import is_ramp
from tests.made_ramps import BROKEN_AT, make_ramps
from tests.made_scaling import make_moving

Row = dict[str, Any]


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """A ramp that breaks the objective, and a steady load that does not."""
    return facts.rows_of(read(make_ramps(tmp_path_factory.mktemp("ramps") / "run")))


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A load that rises, and replicas that follow it or do not."""
    return make_moving(tmp_path_factory.mktemp("moving") / "run")


def test_every_row_has_every_fact_beside_its_columns(ramps: list[Row]) -> None:
    assert all(row.keys() >= facts.FACTS.keys() and row["model"] for row in ramps)


def test_a_ramp_tells_when_it_broke_and_how_early_each_reading_was(ramps: list[Row]) -> None:
    row = next(one for one in ramps if is_ramp(one["profile"]) and one["model"] == "event-loop")
    assert row["broken_at_s"] == BROKEN_AT
    assert (row["lead_throttled_s"], row["lead_accept_queue_s"], row["lead_run_queue_wait_s"]) == (1, 3, -1)
    assert row["fired_errors"] is False and row["lead_errors_s"] is None
    assert row["violation_s"] > 0


def test_a_steady_load_tells_its_alarms(ramps: list[Row]) -> None:
    row = next(one for one in ramps if not is_ramp(one["profile"]) and one["model"] == "event-loop")
    assert (row["violation_s"], row["broken_at_s"], row["alarms_cpu"], row["alarms_accept_queue"]) == (0, None, 0, 2)


def test_replicas_that_came_are_counted_and_what_was_reserved(moving: Path) -> None:
    rows = facts.rows_of(read(moving))
    grown = next(row for row in rows if row["scaling"] != "none")
    still = next(row for row in rows if row["scaling"] == "none" and row["replicas"] == 1)
    assert (grown["joined"], still["joined"]) == (3, 0)
    assert grown["cpu_reserved_s"] > still["cpu_reserved_s"] > 0


def test_resident_sets_and_the_broker_are_of_the_record(moving: Path) -> None:
    results = read(moving)
    row = next(one for one in results.rows if one["replicas"] == 1)
    place = moving / "trials" / row["trial_id"]
    record = json.loads((place / "trial.json").read_text())
    record["boxes"].append({"name": "broker", "role": "broker", "cpu_used_s": 0.75})
    (place / "trial.json").write_text(json.dumps(record))
    (place / "probe.json").write_text(json.dumps({"closed": {"rss_bytes": 123_456}}))
    told = facts.told(results, row)
    assert (told["broker_cpu_s"], told["rss_bytes"]) == (0.75, 123_456)


def test_how_evenly_workers_have_served_is_of_their_exit_reports(moving: Path) -> None:
    results = read(moving)
    row = next(one for one in results.rows if one["replicas"] == 1)
    assert facts.told(results, row)["jain_served"] is None
    place = moving / "trials" / row["trial_id"] / "trial.json"
    record = json.loads(place.read_text())
    workers = [{"pid": 1, "accepted": 1, "served": 30}, {"pid": 2, "accepted": 0, "served": 0}]
    record["exit_reports"] = {row["model"]: {"workers": workers}}
    place.write_text(json.dumps(record))
    assert facts.told(results, row)["jain_served"] == pytest.approx(0.5)


NOTHING = (None,) * 6
CHANGED = Timeline(
    starts=(0.0, 1.0, 2.0, 3.0, 4.0, 5.0),
    lengths=(1.0,) * 6,
    offered=NOTHING,
    served=NOTHING,
    failed=NOTHING,
    missed=NOTHING,
    in_flight=NOTHING,
    p99_us=NOTHING,
    serving=(1.0,) * 6,
    reserved_cpus=NOTHING,
    used_cpus=(0.3, 0.3, 0.6, 0.88, 0.9, 0.9),
    actions=(),
    levels=((-math.inf, 1.0, 0.3), (2.2, 1.0, 0.9)),
)


@pytest.mark.parametrize(
    ("used", "levels", "found"),
    [
        (CHANGED.used_cpus, CHANGED.levels, 0.8),
        ((0.3, 0.3, 0.85, 0.9, 0.9, 0.9), CHANGED.levels, 0.0),
        ((0.3, 0.3, 0.5, 0.5, 0.5, 0.9), CHANGED.levels, 2.8),
        ((0.3,) * 6, CHANGED.levels, 3.8),
        ((0.3, 0.3, None, 0.9, 0.9, 0.9), CHANGED.levels, None),
        (CHANGED.used_cpus, CHANGED.levels[:1], None),
    ],
)
def test_a_limit_is_followed_from_the_first_whole_second_that_uses_it(
    used: tuple[float | None, ...], levels: tuple[tuple[float, float, float], ...], found: float | None
) -> None:
    told = facts.quota_followed_s(replace(CHANGED, used_cpus=used, levels=levels))
    assert told == (None if found is None else pytest.approx(found))
