"""The report and the comparison in headless Chromium, as a reader has them. Needs no Docker."""

import io
import re

import pytest
from playwright.sync_api import expect
from rich.console import Console

from testbed.report.build import write
from tests.commanded import commanded
from tests.e2e.browsing import chromium, draw_all, overflow, shown
from tests.made_results import HOSTILE, large, make_results, make_search
from tests.unit.testbed.made_runs import make_run, steady

TRIALS = 500
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of 500 trials, some of them invalid, some client-bound, each with a hostile reason."""
    return write(large(tmp_path_factory.mktemp("large") / "run"))


@pytest.fixture(scope="module")
def page(browser, report):
    """One page for the tests that look and put back what they change."""
    with shown(browser, report) as opened:
        yield opened


def texts(page, column: str) -> list[str]:
    """A column of the table of trials, by its heading, of the rows in sight, in their order."""
    return page.evaluate(
        """heading => {
            const table = document.getElementById("trials-table");
            const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === heading);
            return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].textContent);
        }""",
        column,
    )


def numbers(page, column: str) -> list[float]:
    return [float(text.replace(",", "")) for text in texts(page, column) if text]


def test_a_report_of_500_trials_is_below_6_mb(report):
    assert report.stat().st_size < MOST_BYTES


def test_every_figure_is_drawn(page):
    assert draw_all(page) == page.locator("figure.figure").count() == 10


def test_the_answer_is_in_sight_when_the_page_opens(browser, report):
    with shown(browser, report) as page:
        answer = page.locator(".lead .answer")
        expect(answer).to_be_in_viewport()
        expect(answer).to_contain_text("In short, which model")
        expect(answer.locator("tr", has_text="8 users")).to_contain_text("prefork")


def test_hostile_text_did_nothing_and_is_shown_as_text(page):
    assert page.evaluate("window.hostile") is None
    assert page.locator("b").count() == 0
    page.get_by_text("Why 17 trials are invalid").click()
    expect(page.get_by_text(HOSTILE).first).to_be_visible()


def test_a_heading_sorts_and_sorts_the_other_way_round(page):
    heading = page.locator("#trials-table th", has_text="requests/s").first
    before = texts(page, "trial")
    heading.get_by_role("button").click()
    rates = numbers(page, "requests/s")
    assert len(rates) == TRIALS and rates == sorted(rates)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert texts(page, "trial") != before
    heading.get_by_role("button").click()
    assert numbers(page, "requests/s") == rates[::-1]
    assert heading.get_attribute("aria-sort") == "descending"


def test_sorting_and_filtering_work_by_keyboard_alone(browser, report):
    with shown(browser, report) as page:
        page.get_by_role("searchbox", name="Filter").focus()
        page.keyboard.type("event-loop 0.5cpu")
        assert len(texts(page, "trial")) == 25
        assert all(re.search("event-loop-0.5cpu$", name) for name in texts(page, "trial"))
        # Verdicts, columns, the scrolling table, its first headings.
        for _ in range(8):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('th')?.textContent.trim()") == "model":
                break
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('th').textContent.trim()") == "CPU limit"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        users = [int(text) for text in texts(page, "users")]
        assert users == sorted(users) and set(users) == {1, 4, 8, 16, 32}


def test_verdicts_and_columns_are_chosen_by_their_boxes(browser, report):
    with shown(browser, report) as page:
        boxes = page.locator('.tools input[name="verdict"]')
        assert boxes.count() == 3
        page.get_by_label("server-bound", exact=True).uncheck()
        page.get_by_label("client-bound", exact=True).uncheck()
        assert set(texts(page, "verdict")) == {"invalid"}
        expect(page.locator(".tools [role=status]")).to_have_text("17 of 500 trials shown")
        mark = page.locator("#trials-table tr.invalid:visible td.verdict").first
        plain = page.locator("#trials-table tr.invalid:visible td").first
        colour = "element => getComputedStyle(element).backgroundColor"
        assert mark.evaluate(colour) != plain.evaluate(colour)
        headings = page.locator("#trials-table th:visible")
        few = headings.count()
        page.get_by_label("all columns").check()
        assert headings.count() > 2 * few


def test_the_selectors_change_the_figures_and_their_numbers(browser, report):
    with shown(browser, report) as page:
        draw_all(page)
        names = "document.querySelector('#latency .plot').data.map((trace) => trace.name)"
        levels = "document.querySelector('#throughput .plot').data[0].y"
        assert page.evaluate(names) == ["spst", "spmt", "mpst", "prefork", "event-loop"]
        before = page.evaluate(levels)
        page.locator("#controls").get_by_label("spmt", exact=True).uncheck()
        assert page.evaluate(names) == ["spst", "mpst", "prefork", "event-loop"]
        page.get_by_label("users").select_option("1")
        assert page.evaluate(levels) != before
        expect(page.locator("#throughput .shown")).to_have_text("Shown: users: 1")
        page.locator("#throughput summary").click()
        assert page.locator("#throughput tr[data-model=spmt]:visible").count() == 0
        assert page.locator("#throughput tr[data-model=spst]:visible").count() > 0


def test_a_trial_is_chosen_for_the_queue_over_time(browser, report):
    with shown(browser, report) as page:
        page.locator("#accept-queue").scroll_into_view_if_needed()
        select = page.locator("#accept-queue select.pick")
        select.wait_for()
        options = select.locator("option").all_text_contents()
        assert len(options) == 25 and all("0.5cpu" in one for one in options)
        data = "JSON.stringify(document.querySelector('#accept-queue .plot').data[0].y)"
        before = page.evaluate(data)
        select.select_option(label=options[1])
        assert page.evaluate(data) != before


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1440, "dark")])
def test_nothing_is_wider_than_the_window(browser, report, width, scheme):
    with shown(browser, report, width, color_scheme=scheme) as page:
        draw_all(page)
        assert overflow(page) == 0
        cut = page.evaluate(
            """() => [...document.querySelectorAll("figure .js-plotly-plot")].filter((plot) => {
                const frame = plot.getBoundingClientRect();
                return [...plot.querySelectorAll("text")].some((text) => {
                    const place = text.getBoundingClientRect();
                    return place.width && (place.left < frame.left - 1 || place.right > frame.right + 1);
                });
            }).map((plot) => plot.closest("figure").id)"""
        )
        assert cut == []


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes_and_in_figures(browser, report, scheme):
    with shown(browser, report, color_scheme=scheme) as page:
        draw_all(page)
        paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for selector in ("p", "figcaption", "a", "#throughput .xtick text", "#throughput .legendtext"):
            style = (
                "element => { const s = getComputedStyle(element); return element.closest('svg') ? s.fill : s.color; }"
            )
            ink = luminance(page.locator(selector).first.evaluate(style))
            light, dark = max(ink, paper), min(ink, paper)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{selector} in {scheme}"


def test_the_button_turns_the_colours_round_also_in_the_figures(browser, report):
    with shown(browser, report, color_scheme="light") as page:
        draw_all(page)
        find = "find((trace) => trace.name === 'spst' && trace.line)"
        line = f"document.querySelector('#throughput .plot').data.{find}.line.color"
        before = page.evaluate(line)
        page.get_by_role("button", name="Use dark colours").click()
        assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.05
        assert page.evaluate(line) != before


def test_on_paper_every_figure_is_drawn_and_the_controls_are_gone(browser, report):
    with shown(browser, report, color_scheme="dark") as page:
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("figure .js-plotly-plot").count() == 10
        expect(page.locator("#controls")).to_be_hidden()
        assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) == 1


def test_without_script_the_answer_and_all_numbers_are_there(browser, report):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(report.as_uri())
        expect(page.locator(".lead .answer")).to_contain_text("prefork")
        assert page.locator("#trials-table tbody tr:visible").count() == TRIALS
    finally:
        context.close()


def test_a_log_axis_has_ticks_enough_to_read_a_value(browser, report):
    with shown(browser, report) as page:
        draw_all(page)
        for figure in ("throughput-latency", "latency"):
            ticks = page.locator(f"#{figure} .ytick text").all_text_contents()
            assert len(ticks) >= 3, f"{figure}: {ticks}"


def test_a_search_and_an_invalid_run_are_pages_without_errors(browser, tmp_path):
    for made in (make_search(tmp_path / "a"), make_results(tmp_path / "b", verdict="invalid", status="failed")):
        with shown(browser, write(made), width=360) as page:
            assert draw_all(page) == page.locator("figure.figure").count() > 0
            assert overflow(page) == 0


def test_settings_of_many_words_fit_a_narrow_window(browser, tmp_path):
    """Runs by hand: every one has settings of its own, which are one selector of long texts."""

    def measured(cell, block):
        return {} if (cell.cpus, cell.users) in ((0.25, 1), (0.5, 4), (1.0, 8), (2.0, 16)) else None

    sweep = {"limits": {"cpus": [0.25, 0.5, 1.0, 2.0]}, "load": {"users": [1, 4, 8, 16]}}
    by_hand = {"by_hand": True}
    made = make_run(tmp_path / "web", sweep, measured=measured, manifest=by_hand)
    with shown(browser, write(made), width=360) as page:
        assert page.locator("#controls select option").count() == 4
        assert draw_all(page) == page.locator("figure.figure").count() > 0
        assert overflow(page) == 0


def test_a_comparison_is_a_page_of_the_same_kind(browser, tmp_path):
    first = make_run(tmp_path / "first", measured=steady(1000.0))
    second = make_run(tmp_path / "second", measured=steady(1000.0, spmt=1.5))
    file = tmp_path / "compare.html"
    console = Console(file=io.StringIO(), width=100)
    assert commanded(console, "compare", first, second, "--html", file) == 0
    for width, scheme in ((1440, "light"), (360, "dark")):
        with shown(browser, file, width, color_scheme=scheme) as page:
            assert draw_all(page) == page.locator("figure.figure").count() > 0
            assert overflow(page) == 0
            expect(page.locator("h1")).to_contain_text("first compared")
            expect(page.locator("main")).to_contain_text("more in 2, no difference shown in 2 of 4 cells")
            page.locator("figure summary").first.click()
            row = page.get_by_role("row", name=re.compile("spmt, cpus 0.5"))
            expect(row).to_contain_text("1,000/s")
            expect(row).to_contain_text("1,500/s")
            assert len(page.locator("figure .xtick text").all_text_contents()) >= 3 * page.locator("figure").count()
