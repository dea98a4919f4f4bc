"""How rows become lines of figures and conditions."""

from pathlib import Path

import pytest

from testbed.report import work
from testbed.report.view import duration, percent, size
from tests.made_results import make_results
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import view_of


def test_every_field_that_differs_is_an_axis_and_every_other_is_fixed(seen):
    assert [(axis.name, axis.values) for axis in seen.axes] == [("cpus", (0.5, 1.0))]
    assert seen.fixed["users"] == 8
    assert seen.series == ["spst", "spmt", "mpst", "prefork", "event-loop"]
    assert len(seen.groups) == 10
    assert {len(group.rows) for group in seen.groups} == {3}


def test_the_first_choice_of_a_selector_is_half_a_cpu(seen):
    assert seen.axis("cpus").preferred == 0.5


def test_canaries_are_extra_trials_and_stay_out(tmp_path):
    sweep = {"order": {"canary": True}, "repeat": 3}
    seen = view_of(make_run(tmp_path / "run", sweep))
    assert any(row["canary"] for row in seen.results.rows)
    assert {len(group.rows) for group in seen.groups} == {3}


def test_pools_of_several_sizes_are_lines_of_their_own(tmp_path: Path) -> None:
    sweep = {"models": ["prefork", "spst"], "limits": {"cpus": 0.5}, "pools": {"workers": [2, 4]}}
    assert view_of(make_run(tmp_path / "run", sweep)).series == ["prefork (2 workers)", "prefork (4 workers)", "spst"]


def test_few_of_many_combinations_are_conditions_instead_of_selectors(tmp_path):
    def measured(cell, block):
        return {} if (cell.cpus, cell.users) in ((0.25, 1), (0.5, 4), (1.0, 8), (2.0, 16)) else None

    sweep = {"limits": {"cpus": [0.25, 0.5, 1.0, 2.0]}, "load": {"users": [1, 4, 8, 16]}}
    (axis,) = view_of(make_run(tmp_path / "run", sweep, measured=measured)).axes
    assert axis.name == "condition"
    assert "CPU limit 0.5 CPU; users 4" in axis.values
    assert len(axis.values) == 4


def test_of_a_search_what_it_found_and_its_shares_count(search):
    assert search.axis("share").values == (0.5, 0.9, 1.0)
    assert search.left_out > 0
    found = [group for group in search.groups if group.model == "prefork" and group.when["share"] == 1.0]
    assert all(len(group.values("capacity_rps")) == 5 for group in found)
    assert not any(group.values("capacity_rps") for group in search.groups if group.when["share"] == 0.9)


@pytest.mark.parametrize(
    ("sleep", "spin", "kind"),
    [
        (0, 0, "no work but the echo"),
        (5_000, 500, "work that mostly waits"),
        (0, 500, "work that mostly computes"),
        (500, 500, "work that waits and computes"),
        (0, None, "work of a length that is not known"),
    ],
)
def test_the_kind_of_work_is_named_by_what_it_mostly_does(sleep, spin, kind):
    row = {"sleep_us": sleep, "spin_us": spin, "hash_us": 0, "mode": "closed", "users": 8}
    assert work.kind(row) == kind


def test_numbers_have_units_between_which_no_line_ends():
    assert (duration(950), duration(5_000), duration(1_500_000)) == ("950 µs", "5 ms", "1.5 s")
    assert (size(64), size(12.5 * 2**20)) == ("64 B", "12.5 MiB")
    assert percent(0.95) == "95\N{NO-BREAK SPACE}%"


def test_load_is_told_in_sentences(tmp_path):
    seen = view_of(make_results(tmp_path / "run"))
    assert (
        work.load(seen.results.rows[0]) == "Closed loop: 8 users, each of which asks again at once when it is answered."
    )
