"""A trial by the second: what is known of each, what of several boxes adds up, and how it is drawn."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from testbed.report import figures_timeline
from testbed.report.build import all_figures
from testbed.report.source import Row, read
from testbed.report.timeline import cpu_used, load_steps, objective_us, rises, timeline
from tests.made_scaling import GROWN_AT, OBJECTIVE_US, STEP_AT
from tests.unit.testbed.report.pages import view_of

SAMPLES = [{"unix": 100.0 + n / 4, "cpu_used_us": 50_000 * n} for n in range(9)]
"""From 100 s to 102 s, a fifth of a CPU."""


def scaled(path: Path) -> Row:
    """A trial in which replicas were added."""
    return next(row for row in read(path).rows if row["scaling"] != "none")


@pytest.mark.parametrize(
    ("begin", "end", "box", "used"),
    [
        (100.0, 101.0, {}, 0.2),
        (100.1, 100.2, {}, 0.02),
        # The probes' window is some hundredths of a second off that of the load.
        (101.05, 102.05, {}, 0.2),
        (99.95, 100.95, {}, 0.2),
        (101.5, 102.5, {}, None),
        (99.5, 100.5, {}, None),
        (102.5, 103.5, {}, None),
        # One that joined used nothing before, one that went nothing later; the second in which it went is not known.
        (98.0, 99.0, {"joined": True}, 0.0),
        (99.5, 100.5, {"joined": True}, 0.1),
        (101.5, 102.5, {"removed": True}, None),
        (102.5, 103.5, {"removed": True}, 0.0),
        (102.5, 103.5, {"ended": "killed by signal 9"}, 0.0),
    ],
)
def test_cpu_used_between_two_moments(begin: float, end: float, box: dict[str, Any], used: float | None) -> None:
    assert cpu_used(SAMPLES, begin, end, box) == pytest.approx(used)


def test_what_a_box_used_before_its_first_sample_counts_from_its_start() -> None:
    late = [one | {"cpu_used_us": one["cpu_used_us"] + 70_000} for one in SAMPLES]
    assert cpu_used(late, 99.5, 100.5, {"joined": True}) == pytest.approx(0.17)
    assert cpu_used(late, 98.0, 99.0, {"joined": True}) == 0.0


def test_without_samples_nothing_is_known() -> None:
    assert cpu_used([], 0.0, 1.0, {"joined": True}) is None
    assert cpu_used([{"unix": 1.0}], 0.0, 1.0, {"removed": True}) is None


@pytest.mark.parametrize(
    ("offered", "steps"),
    [
        ([100, 100, 400, 400], [2]),
        # A step within a second rises in two.
        ([100, 250, 400, 400], [1]),
        ([100, 110, 121, 133], []),
        ([400, 100, 400], [2]),
        ([None, 100, None, 400], []),
        ([0, 100], []),
        ([], []),
    ],
)
def test_steps_of_the_load_are_found_in_what_was_offered(offered: list[float | None], steps: list[int]) -> None:
    assert load_steps(offered) == steps


@pytest.mark.parametrize(
    ("profile", "steps"),
    [
        ("100x5s,400x15s", [5]),
        ("100x5s,400x5s,100x5s,200x5s", [5, 15]),
        ("100-400x20s", []),
        ("100x2.5s,200-400x5s,500x5s", [2, 7]),
        ("none", [1]),
        (None, [1]),
    ],
)
def test_of_a_profile_its_segments_tell(profile: str | None, steps: list[int]) -> None:
    assert rises({"profile": profile}, [100, 400]) == steps


def test_a_trial_by_the_second(moving: Path) -> None:
    seen = timeline(read(moving), scaled(moving))
    assert seen is not None
    assert seen.starts == tuple(float(n) for n in range(20))
    assert seen.rate(seen.offered)[STEP_AT - 1 : STEP_AT + 1] == (100.0, 400.0)
    assert seen.serving[GROWN_AT - 1 : GROWN_AT + 1] == (1.0, 4.0)
    # One of 0.25 CPU until 7.2 s; from then on four have their limit, whether they serve yet or not.
    assert seen.reserved_cpus[6:9] == pytest.approx((0.25, 0.2 * 0.25 + 0.8, 1.0))
    assert seen.used_cpus[5] == pytest.approx(0.2)
    assert seen.used_cpus[9] == pytest.approx(0.8)


def test_one_box_unknown_makes_the_sum_unknown(moving: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(moving, tmp_path / "run"))
    row = scaled(copy)
    (copy / "trials" / row["trial_id"] / "spst-3.probe.ndjson").unlink()
    seen = timeline(read(copy), row)
    assert seen is not None and set(seen.used_cpus) == {None}
    assert seen.reserved_cpus[9] == 1.0


def test_what_older_trials_lack_is_not_known(moving: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(moving, tmp_path / "run"))
    row = scaled(copy)
    place = copy / "trials" / row["trial_id"]
    load = json.loads((place / "load.json").read_text())
    for one in load["slices"]:
        del one["offered"], one["missed"], one["p99_us"]
    (place / "load.json").write_text(json.dumps(load))
    record = json.loads((place / "trial.json").read_text())
    del record["provision"], record["actions"]
    (place / "trial.json").write_text(json.dumps(record))
    seen = timeline(read(copy), row)
    assert seen is not None and set(seen.served) == {100, 400}
    # Three of its boxes joined some time, and nobody has written down when.
    for unknown in (seen.offered, seen.missed, seen.p99_us, seen.reserved_cpus, seen.serving):
        assert set(unknown) == {None}
    (place / "load.json").unlink()
    assert timeline(read(copy), row) is None


def test_the_objective_is_that_of_the_sweep(moving: Path, small: Path) -> None:
    assert objective_us(read(moving)) == OBJECTIVE_US
    assert objective_us(read(small)) is None


def test_every_cell_has_its_timeline_those_with_actions_first(moving: Path) -> None:
    found = [one for one in all_figures(view_of(moving)) if one.id.startswith("timeline")]
    assert [one.title for one in found] == [
        "Timeline: spst, 1 replica, scaling cpu 0.6, 1 to 4",
        "Timeline: spst, 1 replica, no scaling",
        "Timeline: spst, 4 replicas, no scaling",
    ]
    first = found[0].plotly["picks"]["options"]
    assert len(first) == 5
    # The middle one by requests served.
    assert "b3" in first[0]["label"]
    decisions = first[0]["traces"][-1]
    assert decisions["x"] == [7.2] and decisions["y"] == [1.0]
    assert decisions["text"][0].startswith("replicas 1 to 4, in force after 1.8 s: cpu 1.00 of target 0.60")
    assert [shape["x0"] for shape in first[0]["layout"]["shapes"]] == [7.2]
    assert found[1].plotly["picks"]["options"][0]["layout"]["shapes"] == []
    assert "the objective, a p99 of 50 ms" in found[0].caption
    assert "&lt;b&gt;bounded" in found[0].numbers_html and "<b>" not in found[0].numbers_html


def test_more_cells_than_a_handful_share_a_figure(moving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_timeline, "MOST", 1)
    found = figures_timeline.timelines(view_of(moving))
    assert [one.id for one in found] == ["timeline-1", "timeline-others"]
    labels = [one["label"] for one in found[1].plotly["picks"]["options"]]
    assert [label.rpartition(", ")[0] for label in labels] == [
        "spst, 1 replica, no scaling",
        "spst, 4 replicas, no scaling",
    ]


def test_a_single_server_that_stands_still_has_none(seen: Any) -> None:
    assert figures_timeline.timelines(seen) == []


def test_an_action_that_came_to_nothing_says_so() -> None:
    action = {"what": "memory", "was": 2**27, "to": 2**28, "reason": "as planned", "done": False, "took_s": None}
    assert figures_timeline.decision(action) == "memory 128MiB to 256MiB; not brought to its end: as planned"
