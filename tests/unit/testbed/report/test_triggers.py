"""Which reading tells first: what is read of a trial each second, and the ranking on a ramp and under a steady load."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.report import triggers
from testbed.report.build import html
from testbed.report.readings import TRIGGERS, readings
from testbed.report.source import Row, read
from testbed.report.timeline import timeline
from tests.made_ramps import BROKEN_AT, RAMP, STEADY, at_most, make_ramps
from tests.made_scaling import OPENS
from tests.unit.testbed.report.pages import Page, text, view_of

OBJECTIVE_US = 100_000


@pytest.fixture(scope="session")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ramps(tmp_path_factory.mktemp("ramps") / "run")


Edit = Callable[[dict[str, Any]], object]


def edited(ramps: Path, tmp_path: Path, file: str, edit: Edit, block: int | None = None, profile: str = RAMP) -> Path:
    """A copy in which a file of trials of a profile, JSON or lines of it, is another."""
    copy = Path(shutil.copytree(ramps, tmp_path / "run"))
    for directory in copy.glob("trials/*"):
        record = json.loads((directory / "trial.json").read_text())
        if record["profile"] != profile or block not in (None, record["block"]):
            continue
        parsed = [json.loads(line) for line in (directory / file).read_text().splitlines()]
        for one in parsed:
            edit(one)
        (directory / file).write_text("\n".join(map(json.dumps, parsed)))
    return copy


def of(path: Path, model: str = "event-loop", profile: str = RAMP, block: int = 1) -> dict[str, Any]:
    """The readings of a trial."""
    results = read(path)
    row: Row = next(
        one for one in results.rows if (one["model"], one["profile"], one["block"]) == (model, profile, block)
    )
    seen = timeline(results, row)
    assert seen is not None
    return readings(results, row, seen, OBJECTIVE_US)


# --- readings ---


def test_each_reading_is_of_its_own_second(ramps: Path) -> None:
    found = of(ramps)
    assert list(found) == [one.name for one in TRIGGERS]
    assert found["cpu"] == pytest.approx(at_most(4, 0.6, 0.94))
    assert found["run_queue_wait"] == pytest.approx(at_most(7, 0.2, 1.8))
    assert found["throttled"] == pytest.approx(at_most(5, 0.1, 0.6))
    assert found["accept_queue"] == pytest.approx(at_most(3, 0, 2))
    # Over what the second's rate comes to within 0.1 s.
    assert found["in_flight"] == pytest.approx([10 * at_most(5, 1, 40)[n] / (105 + 10 * n) for n in range(10)])
    assert found["errors"] == (0.0,) * 10


def test_what_the_kernel_tells_of_no_thread_that_ended_is_not_known(ramps: Path) -> None:
    found = of(ramps, "spmt")
    assert found["run_queue_wait"] == (None,) * 10
    assert None not in found["cpu"]


def test_a_period_in_which_nothing_ran_is_one_that_did_not_stop(ramps: Path, tmp_path: Path) -> None:
    copy = edited(ramps, tmp_path, "probe.ndjson", lambda one: one.update(periods=one["periods"] // 2))
    assert of(copy)["throttled"] == pytest.approx(at_most(5, 0.1, 0.6))


@pytest.mark.parametrize(
    ("gap", "known"),
    [
        # Of a second without a sample the last one tells, which is none too old.
        ((4.0, 4.8), [True] * 10),
        ((3.1, 6.5), [*[True] * 5, False, *[True] * 4]),
        ((-2.0, 1.0), [False, *[True] * 9]),
    ],
)
def test_a_second_after_which_the_last_samples_are_too_old_is_not_known(
    ramps: Path, tmp_path: Path, gap: tuple[float, float], known: list[bool]
) -> None:
    def cut(one: dict[str, Any]) -> None:
        if gap[0] < one["unix"] - OPENS <= gap[1]:
            one["cpu_used_us"] = None

    found = of(edited(ramps, tmp_path, "probe.ndjson", cut))["cpu"]
    assert [value is not None for value in found] == known


def test_a_queue_that_was_not_looked_at_is_as_it_was_for_two_seconds(ramps: Path, tmp_path: Path) -> None:
    def cut(one: dict[str, Any]) -> None:
        if 4.0 < one["unix"] - OPENS <= 7.0:
            del one["accept_queue"]

    found = of(edited(ramps, tmp_path, "probe.ndjson", cut))["accept_queue"]
    assert found == (0, 0, 0, 2, 2, 2, None, 2, 2, 2)


@pytest.mark.parametrize(
    ("changes", "errors", "in_flight"),
    [
        ({"failed": 1, "ok": 99}, 0.01, 10 / 125),
        ({"failed": 1, "ok": 0}, 1.0, 10 / 125),
        ({"failed": 0, "ok": 0}, 0.0, 10 / 125),
        ({"failed": None}, None, 10 / 125),
        ({"offered": 0}, 0.0, None),
        ({"offered": 0, "in_flight": 0}, 0.0, 0.0),
        # Results of before have none.
        ({"in_flight": None}, 0.0, None),
    ],
)
def test_what_is_read_of_the_load(
    ramps: Path, tmp_path: Path, changes: dict[str, Any], errors: float | None, in_flight: float | None
) -> None:
    found = of(edited(ramps, tmp_path, "load.json", lambda one: one["slices"][2].update(changes)))
    assert found["errors"][2] == pytest.approx(errors)
    assert found["in_flight"][2] == pytest.approx(in_flight)


def test_of_servers_that_come_or_go_no_share_of_a_limit_is_known(ramps: Path, tmp_path: Path) -> None:
    boxes = [{"name": "event-loop", "role": "server", "cpu_limit": 0.5, "ended": "killed"}]
    found = of(edited(ramps, tmp_path, "trial.json", lambda one: one.update(boxes=boxes)))
    assert {name for name, values in found.items() if set(values) == {None}} == {
        *("cpu", "run_queue_wait", "throttled", "accept_queue")
    }


# --- the ranking ---


def contest(path: Path, model: str = "event-loop") -> triggers.Contest:
    (found,) = [one for one in triggers.contests(view_of(path)) if one.heading == model]
    return found


def rows(found: triggers.Contest) -> dict[str, list[str]]:
    """The table's lines by their reading."""
    lines = str(triggers.numbers(found)).split("<tr>")[2:]
    cells = [[text(cell) for cell in line.split("<td")[1:]] for line in lines]
    return {line[0].partition(">")[2]: [cell.partition(">")[2] for cell in line[1:]] for line in cells}


def test_the_longest_lead_without_false_alarms_is_first(ramps: Path) -> None:
    found = contest(ramps)
    assert list(rows(found).items()) == [
        ("CPU", ["0.9", "3 of 3", "2 (1 to 2)", "0", "0 %"]),
        ("throttling", ["0.5", "3 of 3", "1", "0", "0 %"]),
        ("in flight", ["0.22", "3 of 3", "1", "0", "0 %"]),
        ("run-queue wait", ["1", "3 of 3", "-1", "0", "0 %"]),
        ("errors", ["0.01", "0 of 3", "none", "0", "0 %"]),
        ("accept queue", ["1", "3 of 3", "3", "2", "30 %"]),
    ]
    assert text(str(triggers.line(found))) == (
        "Of the triggers that fired in every ramp and never under the steady load, CPU fires first, 2 (1 to 2) s "
        "before the objective breaks; not told apart from throttling and in flight."
    )
    assert triggers.about(found) == (
        f"A ramp, {RAMP}, and a steady load, {STEADY}, in 3 blocks. The objective broke after {BROKEN_AT} s of the "
        "ramp. The steady load is 70\N{NO-BREAK SPACE}% of what was served while it was broken. Under the steady load "
        "it was broken in 0 of 30 s."
    )


def test_what_is_not_known_is_said(ramps: Path) -> None:
    found = rows(contest(ramps, "spmt"))
    assert found["run-queue wait"] == ["1", *["not known"] * 4]
    assert list(found)[-1] == "run-queue wait"


def test_a_lead_of_which_one_block_is_not_known_is_not_known(ramps: Path, tmp_path: Path) -> None:
    copy = edited(ramps, tmp_path, "load.json", lambda one: one["slices"][0].pop("in_flight"), block=2)
    found = contest(copy)
    assert rows(found)["in flight"] == ["0.22", "3 of 3", "not known", "0", "0 %"]
    assert "not told apart from throttling." in text(str(triggers.line(found)))


def test_where_every_trigger_alarms_or_does_not_fire_none_is_named(ramps: Path, tmp_path: Path) -> None:
    def alarming(one: dict[str, Any]) -> None:
        for second in one["slices"]:
            second |= {"in_flight": 50}

    copy = edited(ramps, tmp_path, "load.json", alarming, profile=STEADY)
    # All of it used and stopped in every period, steadily.
    for directory in copy.glob("trials/*"):
        if json.loads((directory / "trial.json").read_text())["profile"] == STEADY:
            lines = [json.loads(line) for line in (directory / "probe.ndjson").read_text().splitlines()]
            for place, one in enumerate(lines):
                one |= {"cpu_used_us": place * 125_000, "throttled_periods": place * 5, "periods": place * 5}
                one |= {"run_queue_wait_us": place * 250_000, "accept_queue": 2}
            (directory / "probe.ndjson").write_text("\n".join(map(json.dumps, lines)))
    found = contest(copy)
    assert text(str(triggers.line(found))) == "No trigger fired in every ramp and never under the steady load."
    assert rows(found)["CPU"][-2:] == ["1", "100 %"]


def test_what_comes_with_the_harm_is_not_called_early(ramps: Path, tmp_path: Path) -> None:
    def broken(one: dict[str, Any]) -> None:
        for second in one["slices"][1:]:
            second |= {"p99_us": 300_000}

    found = contest(edited(ramps, tmp_path, "load.json", broken))
    assert "s which is not before the objective breaks" in text(str(triggers.line(found)))


def test_a_ramp_that_did_not_break_the_objective_is_left_out(ramps: Path, tmp_path: Path) -> None:
    def held(one: dict[str, Any]) -> None:
        for second in one["slices"]:
            second |= {"p99_us": 20_000}

    one_less = contest(edited(ramps, tmp_path / "one", "load.json", held, block=2))
    assert "1 block in which it is not known to have broken: left out." in triggers.about(one_less)
    assert rows(one_less)["CPU"] == ["0.9", "2 of 2", "2", "0", "0 %"]
    none = contest(edited(ramps, tmp_path / "none", "load.json", held))
    assert "In none of them is the ramp known to have broken the objective." in triggers.about(none)
    assert rows(none) == {}
    assert text(str(triggers.line(none))) == "No trigger has a lead to what did not break."


def test_the_page_has_the_section_with_every_model(ramps: Path) -> None:
    page = html(read(ramps))
    assert Page(page).count("section", id="triggers") == 1
    assert "Which reading tells first" in text(page)
    assert "The objective is a p99 of 100 ms in each second" in text(page)


@pytest.mark.parametrize(
    "changes",
    [
        {"load": {"mode": "open", "profile": [RAMP, STEADY]}},
        {"load": {"mode": "open", "profile": [RAMP], "objective": {"p99": "100ms"}}},
        {"load": {"mode": "open", "profile": [STEADY], "objective": {"p99": "100ms"}}},
        {
            "load": {"mode": "open", "profile": [RAMP, STEADY], "objective": {"p99": "100ms"}},
            "scaling": {"change": "cpus", "steps": [{"at": "4s", "to": 1.0}]},
        },
    ],
)
def test_without_ramp_steady_load_and_objective_of_a_limit_that_stays_there_is_no_section(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    results = read(make_ramps(tmp_path / "run", models=["spmt"], repeat=1, **changes))
    assert Page(html(results)).count("section", id="triggers") == 0


@pytest.mark.parametrize(
    ("profile", "is_ramp", "is_level"),
    [
        ("50-200x20s", True, False),
        ("50x5s,50-200x10s,200x5s", True, False),
        ("85x20s", False, True),
        ("85x10s,85x10s", False, True),
        ("50x8s,200x22s", False, False),
        ("200-50x20s", False, False),
        ("50-200x10s,100x5s", False, False),
        ("110+-80/30sx30s", False, False),
        ("85+-0/30sx30s", False, False),
        ("none", False, False),
        (None, False, False),
    ],
)
def test_what_a_ramp_is_and_what_a_level(profile: str | None, is_ramp: bool, is_level: bool) -> None:
    assert (triggers.is_ramp(profile), triggers.is_level(profile)) == (is_ramp, is_level)
