"""Replicas, fronts and scaling compared: in words, with their intervals, and in figures."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from testbed.report import figures_scaling, setups, standing, systems
from testbed.report import moving as courses
from testbed.report.build import all_figures, html
from testbed.report.glossary import TERMS_OF_SYSTEMS
from testbed.report.trials_table import trials_table
from testbed.report.view import View
from testbed.statistics import Interval
from tests.unit.testbed.report.pages import Page, text, view_of


@pytest.fixture(scope="session")
def still(several: Path) -> View:
    return view_of(several)


@pytest.fixture(scope="session")
def moved(moving: Path) -> View:
    return view_of(moving)


def figures(view: View) -> dict[str, Any]:
    return {one.id: one for one in all_figures(view)}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"replicas": 1, "cpus": 1.0, "front": "none"}, "1 replica of 1 CPU"),
        (
            {"replicas": 2, "cpus": 1.0, "replica_cpus": "split", "front": "haproxy"},
            "2 replicas of 0.5 CPU behind haproxy",
        ),
        ({"replicas": 3, "cpus": 0.5, "replica_cpus": "each", "front": "dns"}, "3 replicas of 0.5 CPU behind dns"),
        ({"cpus": 1.0}, "1 replica of 1 CPU"),
        ({"replicas": 2, "cpus": None}, "2 replicas"),
        ({"replicas": None, "cpus": 1.0, "front": "dns"}, "an unknown number of replicas behind dns"),
    ],
)
def test_a_system_in_words(row: dict[str, Any], words: str) -> None:
    assert setups.system(row) == words


def test_what_follows_from_the_front_is_no_axis_of_its_own(still: View) -> None:
    assert [axis.name for axis in still.axes] == ["connection", "replicas", "front"]


@pytest.mark.parametrize(
    ("rate", "p99", "words"),
    [
        (
            Interval(0.93, 0.9, 0.97, 0.95, 5),
            Interval(1.4, 1.2, 1.7, 0.95, 5),
            "A: serves 0.93 (0.90 to 0.97) times the requests of B; its p99 latency is 1.40 (1.20 to 1.70) times that.",
        ),
        (
            Interval(0.98, 0.9, 1.05, 0.95, 5),
            None,
            (
                "A: serves 0.98 (0.90 to 1.05) times the requests of B, no difference shown; "
                "p99 latency not known of both."
            ),
        ),
        (
            Interval(0.5, None, None, 0.0, 2),
            None,
            (
                "A: serves 0.50 times the requests of B (a hint: 2 of the 3 blocks that an interval takes); "
                "p99 latency not known of both."
            ),
        ),
        (None, None, "A: what it serves is not known of both; p99 latency not known of both."),
    ],
)
def test_a_comparison_in_a_sentence(rate: Interval | None, p99: Interval | None, words: str) -> None:
    assert standing.sentence("A", "B", rate, p99, "serves") == words


def test_systems_are_compared_with_the_plainest(still: View) -> None:
    found = standing.standings(still)
    assert {one.heading for one in found} == {
        "spst, connection one for all requests",
        "spst, connection new for each request",
    }
    first = found[0]
    assert standing.name(first, first.groups[0]) == "1 replica of 1 CPU behind dns"
    told = standing.lines(still, first)
    assert len(told) == 5
    assert any(
        line.startswith("4 replicas of 0.25 CPU behind haproxy: serves 0.6") and "no difference" not in line
        for line in told
    )
    assert "choose 1 replica of 1 CPU behind dns" in text(str(standing.choose(still, first)))
    assert "5 trials of each system" in text(str(standing.choose(still, first)))


def test_with_one_model_the_page_opens_with_the_system_to_choose(still: View) -> None:
    page = html(still.results)
    assert "In short, which system:" in text(page)
    found = Page(page)
    assert found.count("section", id="systems") == 1 and found.count("section", id="choice") == 0
    targets = {attributes.get("id") for _, attributes in found.tags}
    assert {address[1:] for address in found.addresses if address.startswith("#")} <= targets
    assert all(term in text(page) for term in TERMS_OF_SYSTEMS)


def test_single_servers_have_nothing_of_it(seen: View) -> None:
    assert systems.section(seen) == ""
    page = Page(html(seen.results))
    assert page.count("section", id="systems") == 0 and page.count("section", id="choice") == 1


def test_lines_over_replicas_are_told_apart_by_their_front(still: View) -> None:
    found = figures(still)
    for name in ("replicas-throughput", "replicas-p99"):
        lines = [one for one in found[name].plotly["data"] if one["meta"]["when"] == {"connection": "persistent"}]
        assert {line["name"] for line in lines} == {"dns", "haproxy"}
        assert all(line["x"] == [1, 2, 4] and line["error_y"]["array"] for line in lines)
        assert len({(line["line"]["color"], line["line"]["dash"]) for line in lines}) == 2
    assert "shared out" in found["replicas-throughput"].caption


def test_runs_by_hand_whose_replicas_nobody_counted_are_left_out(several: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(several, tmp_path / "run"))
    for path in copy.glob("trials/*/trial.json"):
        record = json.loads(path.read_text())
        if record["replicas"] == 4:
            path.write_text(json.dumps(record | {"replicas": None}))
    lines = figures(view_of(copy))["replicas-throughput"].plotly["data"]
    assert lines and all(line["x"] == [1, 2] for line in lines)


def test_the_load_of_each_replica_and_who_had_it_all(still: View) -> None:
    figure = figures(still)["replica-load"]
    bars = {one["name"]: one["y"] for one in figure.plotly["data"] if one["meta"]["when"]["connection"] == "persistent"}
    assert bars["4 replicas, dns"] == [4.0, 0.0, 0.0, 0.0]
    assert bars["4 replicas, haproxy"] == [1.0, 1.0, 1.0, 1.0]
    assert (
        "Least even was 4 replicas, dns: its busiest replica served 4.00 times the mean, nearly all" in figure.caption
    )


def test_a_replica_that_did_not_say_what_it_served_leaves_the_load_unknown(several: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(several, tmp_path / "run"))
    for path in copy.glob("trials/*/trial.json"):
        record = json.loads(path.read_text())
        record["boxes"][0]["served"] = None
        path.write_text(json.dumps(record))
    assert figures_scaling.spread(view_of(copy)) is None


def test_the_full_box_is_shown_with_the_verdict_and_its_reason(still: View) -> None:
    figure = figures(still)["boxes"]
    (bars,) = [
        one
        for one in figure.plotly["data"]
        if one["meta"]["when"] == {"connection": "persistent", "replicas": "2", "front": "haproxy"}
    ]
    assert bars["x"] == ["replica 1", "replica 2", "front (haproxy)", "load worker 1"]
    assert bars["y"] == pytest.approx([97.0, 97.0, 44.0, 40.0])
    assert "5 server-bound" in figure.numbers_html and "CPU: used 0.97 of its limit" in figure.numbers_html


def test_scaling_is_told_beside_the_best_that_stood_still(moved: View) -> None:
    (contest,) = courses.contests(moved)
    assert contest.best_static is not None
    assert courses.name(contest.best_static) == "4 replicas of 0.25 CPU behind haproxy, no scaling"
    told = {
        courses.name(one): text(str(line)) for one, line in zip(contest.courses, courses.lines(contest), strict=True)
    }
    # From the step in second 5 to second 9; 14.6 of the 20 CPU-seconds that four took all the time.
    grown = told["1 replica of 0.25 CPU behind haproxy, scaling cpu 0.6, 1 to 4"]
    assert "the objective held again after 4 s; 4 s in violation; 400 requests late, failed or not sent" in grown
    assert "14.6 CPU-seconds reserved, 0.73" in grown
    one = told["1 replica of 0.25 CPU behind haproxy, no scaling"]
    assert "did not hold again in 5 of 5 trials; 15 s in violation" in one
    four = told["4 replicas of 0.25 CPU behind haproxy, no scaling"]
    assert "never broken" in four and "the best of those that stood still" in four


def test_a_second_that_is_not_known_is_not_counted_as_none(moving: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(moving, tmp_path / "run"))
    for path in copy.glob("trials/*/load.json"):
        load = json.loads(path.read_text())
        load["slices"][12]["p99_us"] = None
        path.write_text(json.dumps(load))
    (contest,) = courses.contests(view_of(copy))
    assert contest.best_static is None
    assert all("not known s in violation" in text(str(line)) for line in courses.lines(contest)[:3])
    assert "or not all of it is known" in text(str(courses.lines(contest)[-1]))


def edited(moving: Path, path: Path, second: int, **changes: Any) -> str:
    """What is told of one replica that stands still, after its seconds were edited."""
    copy = Path(shutil.copytree(moving, path))
    for file in copy.glob("trials/*/load.json"):
        load = json.loads(file.read_text())
        load["slices"][second] |= changes
        file.write_text(json.dumps(load))
    (contest,) = courses.contests(view_of(copy))
    return text(str(courses.lines(contest)[0]))


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        # Of fewer than 100 replies one is more than 1 %, so that the slowest decides.
        ({"ok": 99, "p99_us": None, "max_us": 49_000}, "15 s"),
        ({"ok": 99, "p99_us": None, "max_us": 51_000}, "16 s"),
        ({"ok": 100, "p99_us": None, "max_us": 49_000}, "not known s"),
        # Nothing was answered: what was due at the second's beginning has waited for more than 50 ms.
        ({"ok": 0, "p99_us": None, "max_us": None}, "16 s"),
        ({"ok": 0, "offered": 0, "p99_us": None, "max_us": None}, "15 s"),
        ({"failed": 2}, "16 s"),
        ({"missed": 1}, "15 s"),
    ],
)
def test_whether_a_second_with_few_replies_holds(
    moving: Path, tmp_path: Path, changes: dict[str, Any], seconds: str
) -> None:
    assert f"; {seconds} in violation" in edited(moving, tmp_path / "run", 2, **changes)


def test_without_an_objective_nothing_is_told_of_it(moving: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(moving, tmp_path / "run"))
    sweep = (copy / "sweep.yaml").read_text().splitlines()
    place = next(n for n, line in enumerate(sweep) if "objective" in line)
    (copy / "sweep.yaml").write_text("\n".join(sweep[:place] + sweep[place + 2 :]) + "\n")
    view = view_of(copy)
    assert courses.contests(view) == []
    assert "names no objective" in text(str(systems.section(view)))


def test_imbalance_is_in_sight_in_the_table_of_trials_where_there_is_one(still: View, seen: View) -> None:
    def in_sight(view: View) -> bool:
        head = str(trials_table(view)).split("imbalance</button>")[0].rpartition("<th")[2]
        return "extra" not in head

    assert in_sight(still) and not in_sight(seen)
