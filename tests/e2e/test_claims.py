"""Claims: one of them run for real, and the page as a reader has it."""

import json
from pathlib import Path

import pytest

from testbed.claims import page
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Finding
from testbed.claims.store import Store
from tests.e2e.browsing import chromium, overflow, shown
from tests.e2e.stack import containers_of, orchestrate

FINDINGS = (
    Finding("holds", "x 11.2 (10.4 to 12.1)", "the interval is wholly above 10", 11.2, 10.4, 12.1, 10.0),
    Finding("does not hold", "x 0.8 (0.7 to 0.9)", "the interval is wholly below 1", 0.8, 0.7, 0.9, 1.0),
    Finding("not shown", "x 1.1 (0.7 to 1.6)", "the interval holds 1", 1.1, 0.7, 1.6, 1.0),
    Finding("inconclusive here", "", "needs 3 processors, and there are 2"),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = tuple(CLAIMS)
    store = Store(tmp_path_factory.mktemp("claims"), names, quick=False, processors=2)
    return page.write(store, {name: FINDINGS[place % len(FINDINGS)] for place, name in enumerate(names)})


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_can_be_read_on_a_phone_too(written: Path, width: int) -> None:
    with chromium() as browser, shown(browser, written, width=width) as opened:
        assert overflow(opened) == 0
        cards = opened.locator("article.claim")
        assert cards.count() == len(CLAIMS)
        for place, finding in enumerate(FINDINGS):
            # Its words say it, not its colour alone.
            assert finding.outcome in cards.nth(place).inner_text()
        assert opened.locator("svg.interval").count() == sum(
            FINDINGS[place % len(FINDINGS)].low is not None for place in range(len(CLAIMS))
        )


@pytest.mark.usefixtures("images")
@pytest.mark.timeout(300)
def test_a_claim_is_run_kept_and_judged_again(tmp_path: Path) -> None:
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
    assert "002-b1" not in again.stdout, "nothing was missing, so nothing ran"
    judged = orchestrate("claims", "--judge", path, "--json")
    assert [one["outcome"] for one in json.loads(judged.stdout)] == [one["outcome"] for one in told.values()]
    assert containers_of("second-client") == []
