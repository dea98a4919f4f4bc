"""What a report says of searches that have no answer, or whose answer is only a bound."""

import csv
from pathlib import Path

import pytest

from testbed.report import choice, words
from testbed.report.build import all_figures, html
from testbed.report.ranking import CAPACITY
from testbed.report.source import read
from testbed.report.view import View
from testbed.results.directory import csv_text
from tests.made_results import make_search
from tests.unit.testbed.report.pages import view_of

WHY = "3 invalid trials in a row, the last at 400 requests/s: the table was full"


def changed(path: Path, **models: dict[str, str]) -> View:
    """The made search, with other answers for some models."""
    make_search(path)
    with (path / "capacity.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= models.get(row["model"].replace("-", "_"), {})
    (path / "capacity.csv").write_text(csv_text(rows, rows[0]))
    return view_of(path)


LOST = {"answered": "False", "reason": WHY, "rate_rps": "", "fails_at_rps": "", "confirmed": "", "client_bound": ""}


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> View:
    return changed(tmp_path_factory.mktemp("lost") / "a", spmt=LOST)


def test_a_search_without_an_answer_is_not_ranked_and_is_named_with_its_reason(lost: View) -> None:
    found = choice.rankings(lost, {"cpus": 1.0, "share": 1.0})[CAPACITY.column]
    assert "spmt" not in [place.group.series for place in found.places]
    told = str(choice.section(lost))
    assert f"Not answered in 5 of 5 blocks: spmt: {WHY}." in told
    assert ">not answered<" in told
    assert "10 of 50 searches are not answered" in str(words.lead(lost))
    assert "Searches without an answer: 10" in str(words.lead(lost))


def test_its_figure_says_that_it_is_missing(lost: View) -> None:
    (figure,) = [one for one in all_figures(lost) if one.id == "capacity"]
    assert "Searches of spmt are not answered, and give no number." in figure.caption
    assert not [trace for trace in figure.plotly["data"] if trace["name"] == "spmt"]


def test_a_bound_is_called_one_and_is_ranked_only_where_it_is_first(tmp_path: Path) -> None:
    bound = {"client_bound": "True"}
    seen = changed(tmp_path / "a", prefork=bound, mpst=bound)
    found = choice.rankings(seen, {"cpus": 1.0, "share": 1.0})[CAPACITY.column]
    places = {place.group.series: place for place in found.places}
    assert found.leader is places["prefork"]
    assert places["prefork"].text(CAPACITY).startswith("at least ")
    assert places["mpst"].set_aside == "may be capable of more: the load generator was the limit"
    assert not places["spmt"].set_aside


def test_a_report_in_which_no_search_has_an_answer_can_be_made(tmp_path: Path) -> None:
    models = ("spst", "spmt", "mpst", "prefork", "event_loop")
    seen = changed(tmp_path / "a", **dict.fromkeys(models, LOST))
    assert "no search has an answer" in str(words.lead(seen))
    assert "no trial is valid" not in str(words.lead(seen))
    assert "not answered" in html(read(tmp_path / "a"))


def test_a_search_that_was_cut_off_has_no_answer_and_is_said_to_be_under_way(tmp_path: Path) -> None:
    make_search(tmp_path / "a")
    whole = (tmp_path / "a" / "capacity.csv").read_text().splitlines()
    (tmp_path / "a" / "capacity.csv").write_text("\n".join(whole[:-3]) + "\n")
    assert "3 searches are not over" in str(words.lead(view_of(tmp_path / "a")))
