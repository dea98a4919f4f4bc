"""What is judged, what is kept of it, and the page of it."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from testbed.claims import page
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Finding
from testbed.claims.store import FILE, Store, judged, missing
from testbed.errors import UserError
from tests.unit.testbed.claims.made import PROJECT
from tests.unit.testbed.made_runs import make_run


def test_what_this_machine_cannot_decide_says_what_it_needs() -> None:
    found = judged({"hybrid": CLAIMS["hybrid"]}, {}, processors=2)["hybrid"]
    assert found.outcome == "inconclusive here"
    assert re.fullmatch(r"needs \d+ processors, and there are 2", found.decided)


def test_a_sweep_that_has_not_run_or_left_nothing_says_so() -> None:
    claims = {"second-client": CLAIMS["second-client"]}
    assert judged(claims, {}, 2)["second-client"].decided == "its sweep has not run"
    assert judged(claims, {CLAIMS["second-client"].sweep: "gone"}, 2)["second-client"].decided == "gone"
    assert judged(claims, {CLAIMS["second-client"].sweep: []}, 2)["second-client"].outcome == "inconclusive here"


def test_what_was_begun_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path, ("hybrid", "second-client"), quick=True, processors=2)
    store.write()
    again = Store.read(tmp_path)
    assert (again.names, again.quick, again.processors, again.sweeps) == (store.names, True, 2, {})
    told = json.loads((tmp_path / FILE).read_text())
    assert [one["name"] for one in told["claims"]] == ["hybrid", "second-client"]
    assert told["claims"][0]["predicate"] == CLAIMS["hybrid"].predicate


@pytest.mark.parametrize("text", [None, "{", '{"schema_version": 9}', '{"schema_version": 1, "claims": 3}'])
def test_what_is_none_is_refused_in_a_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=r"claims.json that can be read|schema_version is 9, allowed: 1"):
        Store.read(tmp_path)


def test_the_page_says_of_each_what_was_claimed_by_whom_and_what_was_found(tmp_path: Path) -> None:
    store = Store(tmp_path, ("threads-wait", "hybrid"), quick=True, processors=2)
    shown = Finding("holds", "x 11 (10.4 to 12)", "wholly above", 11.0, 10.4, 12.0, bound=10.0)
    path = page.write(
        store, {"threads-wait": shown, "hybrid": Finding("inconclusive here", "", "needs 3 <processors>")}
    )
    text = path.read_text()
    for name in store.names:
        assert CLAIMS[name].link in text
        assert f'id="{name}"' in text
    assert "x 11 (10.4 to 12)" in text and "needs 3 &lt;processors&gt;" in text
    assert text.count("<svg") == 1 and "claimed: 10" in text
    assert "With <code>--quick</code>" in text
    # Nothing is fetched.
    assert not re.search(r"<(link|script|img)\b|url\(", text)


def placed(finding: Finding) -> dict[str, float]:
    """Where marks of the figure are, from the left."""
    svg = str(page.figure(finding))
    found = {"claimed": re.search(r'<line x1="([\d.]+)" x2="\1"', svg), "measured": re.search(r'cx="([\d.]+)"', svg)}
    ends = re.search(r'x1="([\d.]+)" x2="([\d.]+)" [^>]*class="range"', svg)
    assert ends is not None and None not in found.values()
    return {name: float(one[1]) for name, one in found.items() if one} | {
        "low": float(ends[1]),
        "high": float(ends[2]),
    }


def test_a_ratio_is_drawn_by_its_logarithm_and_a_difference_as_it_is() -> None:
    ratio = placed(Finding("holds", "", "", 10.0, 1.0, 100.0, bound=0.1))
    assert ratio["low"] - ratio["claimed"] == pytest.approx(ratio["measured"] - ratio["low"], abs=0.2)
    difference = placed(Finding("does not hold", "", "", -10.0, -20.0, 0.0, bound=10.0))
    assert difference["claimed"] - difference["high"] == pytest.approx(
        difference["high"] - difference["measured"], abs=0.2
    )
    assert 0 < difference["low"] < difference["measured"] < difference["high"] < difference["claimed"] < 260


def test_what_has_no_interval_has_no_figure() -> None:
    assert page.figure(Finding("holds", "12 of 12 trials", "in all")) == ""


def test_only_what_is_there_is_linked(tmp_path: Path) -> None:
    sweep = CLAIMS["second-client"].sweep
    store = Store(tmp_path, ("second-client",), quick=False, processors=2, sweeps={sweep: "second-client-1"})
    (tmp_path / "second-client-1").mkdir()
    (tmp_path / "second-client-1" / "trials.csv").write_text("")
    text = page.write(store, store.findings()).read_text()
    assert re.findall(r'href="(second[^"]*)"', text) == ["second-client-1/trials.csv"]


def test_a_sweep_that_was_cut_off_is_not_judged(tmp_path: Path) -> None:
    claim = CLAIMS["second-client"]
    text = yaml.safe_load((PROJECT / claim.sweep).read_text(encoding="utf-8"))
    run = make_run(tmp_path / "second-client-1", text)
    store = Store(tmp_path, (claim.name,), quick=False, processors=2, sweeps={claim.sweep: run.name})
    assert missing(run) == ""
    assert "complete" not in store.findings()[claim.name].decided
    shutil.rmtree(min((run / "trials").iterdir()))
    store.changed(claim.sweep)
    found = store.findings()[claim.name]
    assert found.outcome == "inconclusive here"
    assert re.fullmatch(r"its sweep is not complete, 1 of \d+ trials are missing", found.decided)


def test_what_the_machine_refused_is_told_and_read_back(tmp_path: Path) -> None:
    claim = CLAIMS["second-client"]
    Store(tmp_path, (claim.name,), quick=False, processors=2, refused={claim.sweep: "too little memory"}).write()
    assert Store.read(tmp_path).findings()[claim.name].decided == "too little memory"
