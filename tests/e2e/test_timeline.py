"""The timeline of a trial in a browser: of made results, and of a real trial with a load that rises."""

import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from testbed.report.build import write
from tests.e2e.browsing import chromium, draw_all, overflow, shown
from tests.e2e.stack import containers_of, orchestrate
from tests.made_scaling import make_moving, make_systems


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return write(make_moving(tmp_path_factory.mktemp("moving") / "run"))


def drawn(page: Page, figure: str, trace: str) -> dict[str, Any]:
    """What Plotly holds of a line, by its name."""
    found: dict[str, Any] = page.evaluate(
        """([figure, name]) => {
            const { x, y, text } = document.querySelector(`#${figure} .plot`).data.find((one) => one.name === name);
            return { x, y, text };
        }""",
        [figure, trace],
    )
    return found


def test_a_decision_shows_its_reason_under_the_pointer(browser, report) -> None:
    with shown(browser, report) as page:
        figure = page.locator("#timeline-1")
        figure.scroll_into_view_if_needed()
        mark = figure.locator(".scatterlayer .point path, .scatterlayer path.point").last
        mark.wait_for()
        box = mark.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        hover = figure.locator(".hoverlayer")
        expect(hover).to_contain_text("replicas 1 to 4")
        # What a reason holds is text, whatever it looks like.
        assert page.locator("#timeline-1 .numbers b").count() == 0


def test_another_trial_is_chosen_and_the_scale_of_latency_can_be_read(browser, report) -> None:
    with shown(browser, report) as page:
        draw_all(page)
        select = page.locator("#timeline-1 select.pick")
        assert select.locator("option").count() == 5
        select.select_option(index=4)
        assert drawn(page, "timeline-1", "decision")["x"] == [7.2]
        # The first y axis is that of latency, and alone logarithmic: its ticks are of its own values.
        ticks = page.locator("#timeline-1 .ytick text").all_text_contents()
        assert len(ticks) >= 3 and all(15 < int(text) < 500 for text in ticks)
        rates = [int(text) for text in page.locator("#timeline-1 .y2tick text").all_text_contents()]
        assert rates == sorted(rates) and rates[0] == 0 and rates[-1] >= 400


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_pages_of_systems_fit_wide_and_narrow(browser, report, tmp_path, width, scheme) -> None:
    for file in (report, write(make_systems(tmp_path / "run"))):
        with shown(browser, file, width, color_scheme=scheme) as page:
            assert draw_all(page) == page.locator("figure.figure").count() > 0
            assert overflow(page) == 0
            expect(page.locator(".lead .answer")).to_contain_text("In short, which system")


@pytest.mark.timed
@pytest.mark.e2e
@pytest.mark.usefixtures("images")
def test_a_real_trial_by_the_second(browser, tmp_path) -> None:
    name = f"test-{secrets.token_hex(4)}"
    segments = [{"rate": 40, "for": "3s"}, {"rate": 120, "for": "3s"}]
    sweep = {
        "name": name,
        "models": "event-loop",
        "limits": {"cpus": 0.5},
        "replicas": {"count": 2},
        "front": "dns",
        "load": {"mode": "open", "profile": segments, "objective": {"p99": "5s"}, "users": 32},
        "warmup": "1s",
        "duration": "6s",
    }
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    assert containers_of(name) == []
    (results,) = (tmp_path / "results").iterdir()
    with shown(browser, results / "report.html") as page:
        assert draw_all(page) == page.locator("figure.figure").count()
        offered = drawn(page, "timeline-1", "offered")
        assert offered["y"] == [40, 40, 40, 120, 120, 120, 120], done.stdout
        served = drawn(page, "timeline-1", "served")
        assert sum(served["y"][:-1]) == pytest.approx(480, abs=32)
        assert drawn(page, "timeline-1", "replicas that serve")["y"] == [2, 2]
        assert drawn(page, "timeline-1", "CPUs reserved")["y"] == [0.5, 0.5]
        used = drawn(page, "timeline-1", "CPUs used")["y"]
        assert len(used) == 7 and all(value is not None and 0 < value < 1 for value in used)
        expect(page.locator("#systems")).to_contain_text("a p99 of 5 s in each second")
