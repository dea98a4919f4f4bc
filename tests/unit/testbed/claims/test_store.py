"""What is judged, what is kept of it, and the page of it."""

import json
import re
from pathlib import Path

import pytest

from testbed.claims import page
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Finding
from testbed.claims.store import FILE, Store, judged
from testbed.errors import UserError


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


@pytest.mark.parametrize("text", [None, "{", '{"schema_version": 9}'])
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


def test_an_interval_that_has_no_logarithm_is_no_figure() -> None:
    assert page.figure(Finding("holds", "", "", 1.0, 0.0, 2.0, bound=1.0)) == ""
    assert page.figure(Finding("holds", "", "")) == ""
