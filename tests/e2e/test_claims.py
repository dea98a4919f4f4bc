"""`claims.html` in headless Chromium, of a directory that was made and judged; and a claim that is run for real."""

import json
import re

import pytest
from playwright.sync_api import expect

from testbed.claims import page as pages
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Finding
from testbed.claims.store import Store
from tests.e2e.browsing import chromium, overflow, shown
from tests.e2e.stack import containers_of, orchestrate
from tests.made_results import HOSTILE, make_results

PHONE, DESK = 390, 1440
LONG = "a-trial-whose-name-has-no-end-" * 12
FINDINGS = {
    "threads-wait": Finding("holds", "x 11 (10.4 to 12)", "wholly above", 11.0, 10.4, 12.0, bound=10.0),
    "loop-waits": Finding("does not hold", "x 0.4 (0.3 to 0.5)", "wholly below", 0.4, 0.3, 0.5, bound=0.9),
    "switch-cost": Finding("not shown", "-3 (-9 to 3) us", HOSTILE, -3.0, -9.0, 3.0, bound=0.0),
    "hybrid": Finding("inconclusive here", "", LONG),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    directory = tmp_path_factory.mktemp("claims")
    results = make_results(directory / "waiting-20260102T030405Z")
    (results / "report.html").write_text("<!doctype html><title>report</title>")
    (results / "trials.csv").write_text("trial_id\n")
    sweeps = {CLAIMS["threads-wait"].sweep: results.name}
    store = Store(directory, tuple(FINDINGS), quick=True, processors=2, sweeps=sweeps)
    return pages.write(store, FINDINGS)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(request, browser, file):
    """Whatever the page writes to the console or fetches fails the test."""
    with shown(browser, file, width=request.param, figures=False) as opened:
        yield opened


def test_it_fits_its_window(page):
    assert overflow(page) == 0


def test_each_claim_says_its_outcome_in_words_and_in_a_colour_of_its_own(page):
    colours = set()
    for name, finding in FINDINGS.items():
        card = page.locator(f"#{name}")
        expect(card.locator(".outcome")).to_contain_text(f"{finding.outcome} (quick)")
        expect(card.get_by_role("heading")).to_have_text(CLAIMS[name].statement)
        expect(card.get_by_role("link", name=CLAIMS[name].source)).to_have_attribute("href", CLAIMS[name].link)
        colours.add(card.evaluate("element => getComputedStyle(element).borderLeftColor"))
    assert len(colours) == len(FINDINGS)


def test_the_interval_stands_beside_what_was_claimed(page):
    for name, left_of_claim in (("threads-wait", False), ("loop-waits", True), ("switch-cost", True)):
        figure = page.locator(f"#{name} svg")
        dot, claimed = figure.locator("circle").bounding_box(), figure.locator(".bound").bounding_box()
        assert (dot["x"] + dot["width"] / 2 < claimed["x"]) == left_of_claim
        box = figure.bounding_box()
        for text in figure.locator("text").all():
            inside = text.bounding_box()
            assert box["x"] - 1 <= inside["x"] and inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
    assert page.locator("#hybrid svg").count() == 0


def test_an_outcome_leads_to_its_claims_and_a_claim_to_its_trials(page, file):
    page.get_by_role("navigation").get_by_role("link", name="hybrid").click()
    expect(page.locator("#hybrid .outcome")).to_be_in_viewport()
    page.locator("#threads-wait").get_by_role("link", name="report.html").click()
    assert page.title() == "report"
    assert (file.parent / "waiting-20260102T030405Z" / "trials.csv").exists()


def test_it_says_where_it_was_measured_and_how(page):
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"Measured on 2 processors \(a\).*Docker 29\.0"))
    expect(page.locator(".quick")).to_be_visible()
    assert page.evaluate("window.hostile") is None
    assert page.locator("b").count() == 0


@pytest.mark.timed
@pytest.mark.usefixtures("images")
@pytest.mark.timeout(300)
def test_a_claim_is_run_kept_and_judged_again(tmp_path):
    done = orchestrate("claims", "second-client", "hybrid", "--quick", "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("claims-*")
    told = {one["name"]: one for one in json.loads((path / "claims.json").read_text())["claims"]}
    # One user of two is starved by spst, and nobody by the others: no machine is too slow for that.
    assert told["second-client"]["outcome"] == "holds", told["second-client"]
    assert told["hybrid"]["outcome"] == "inconclusive here"
    assert (path / told["second-client"]["results"] / "report.html").exists()
    assert "page: " in done.stdout and (path / "claims.html").exists()
    again = orchestrate("claims", "--resume", path, "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "002-b1" not in again.stdout + again.stderr, "nothing was missing, so nothing ran"
    judged = orchestrate("claims", "--judge", path, "--json")
    found = json.loads(judged.stdout)["claims"]
    assert [one["outcome"] for one in found] == [one["outcome"] for one in told.values()]
    assert containers_of("second-client") == []
