"""The page itself: one file that fetches nothing, and figures that say their unit and their interval."""

import json
import math
from html import unescape

from testbed.report import figures_latency, figures_server
from testbed.report.build import all_figures, html
from testbed.report.html import bullets, joined, rich
from testbed.report.page import embedded_json
from testbed.report.trials_table import trials_table
from testbed.results.columns import COLUMNS
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import Page, text, view_of

FIGURES = {
    "throughput",
    "throughput-latency",
    "latency",
    "cpu-per-request",
    "memory",
    "pss",
    "throttled",
    "switches",
    "accept-queue",
    "balance",
}


def test_every_figure_is_there_with_numbers_a_unit_and_a_word_about_intervals(seen):
    found = all_figures(seen)
    assert {one.id for one in found} == FIGURES
    for one in found:
        title = one.plotly["layout"]["yaxis"]["title"]["text"]
        assert "(" in title or one.id in ("switches", "accept-queue", "balance"), f"{one.id} has no unit: {title}"
        assert any(word in one.caption for word in ("interval", "range of the trials")), one.caption
        assert "<table>" in one.numbers_html
        assert one.plotly["data"]


def test_a_search_has_its_capacity_which_no_selector_but_the_models_changes(search):
    (figure,) = [one for one in all_figures(search) if one.id == "capacity"]
    assert figure.caption.startswith("The highest rate that held 99 % of requests answered within 50 ms.")
    lines = {trace["name"]: trace for trace in figure.plotly["data"]}
    assert set(lines) == {"spst", "spmt", "mpst", "prefork", "event-loop"}
    assert lines["spst"]["y"] == [0.0, 0.0]
    assert all(trace["meta"]["when"] == {} for trace in lines.values())


def test_the_page_is_one_file_with_nothing_to_fetch(seen):
    page = Page(html(seen.results))
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []
    assert not page.count("link", rel="stylesheet")
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= targets


def test_the_manifest_and_the_command_that_makes_the_page_again_are_in_it(seen):
    told = text(html(seen.results))
    assert '"run_id": "made-0000"' in unescape(told)
    assert "orchestrate.py report made-20260102T030405Z" in told


def test_the_table_has_every_trial_and_every_column(seen):
    page = Page(str(trials_table(seen)))
    assert page.count("tr", **{"class": "trial server-bound"}) == 30
    assert page.count("th") >= len(COLUMNS)
    assert page.count("th", **{"aria-sort": "none"}) == page.count("th")


def test_invalid_and_client_bound_trials_have_marks_of_their_own(tmp_path):
    verdicts = {1: "invalid", 2: "client-bound", 3: "server-bound"}
    seen = view_of(make_run(tmp_path / "run", measured=lambda cell, block: {"verdict": verdicts[block]}))
    (figure,) = [one for one in all_figures(seen) if one.id == "throughput"]
    dots = next(trace for trace in figure.plotly["data"] if "text" in trace)
    assert set(dots["marker"]["symbol"]) == {"x-thin-open", "circle-open", "circle"}
    line = next(trace for trace in figure.plotly["data"] if "text" not in trace)
    assert all(symbol.endswith("-open") for symbol in line["marker"]["symbol"])
    assert "Hollow: client-bound" in figure.caption and "Cross: invalid" in figure.caption
    assert Page(str(trials_table(seen))).count("tr", **{"data-verdict": "invalid"}) == 4


def test_front_bound_trials_have_a_mark_of_their_own(tmp_path):
    verdicts = {1: "front-bound", 2: "server-bound", 3: "server-bound"}
    seen = view_of(make_run(tmp_path / "run", measured=lambda cell, block: {"verdict": verdicts[block]}))
    (figure,) = [one for one in all_figures(seen) if one.id == "throughput"]
    dots = next(trace for trace in figure.plotly["data"] if "text" in trace)
    assert set(dots["marker"]["symbol"]) == {"diamond-open", "circle"}
    assert "Hollow diamond: front-bound" in figure.caption


def test_marks_that_no_trial_has_are_not_explained(seen):
    (figure,) = [one for one in all_figures(seen) if one.id == "throughput"]
    assert "Hollow" not in figure.caption and "Cross" not in figure.caption


def test_json_in_a_page_cannot_close_its_script():
    text = embedded_json({"a": "</script><!--\u2028", "b": math.nan, "c": (1, 2.5, math.inf)})
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028", "b": None, "c": [1, 2.5, None]}


def test_pieces_of_html_are_escaped():
    assert str(bullets(["<b>"])) == '<ul class=""><li>&lt;b&gt;</li></ul>'
    assert str(bullets([])) == ""
    assert str(joined(["a", "<b>", "c"], "and")) == "a, &lt;b&gt; and c"
    assert str(rich("set `<repeat>` or `x")) == "set `&lt;repeat&gt;` or `x"
    assert str(rich("set `<repeat>`")) == "set <code>&lt;repeat&gt;</code>"


def test_a_percentile_is_the_value_that_this_share_of_requests_did_not_exceed():
    counts = {(0.0, 2.0): 90, (10.0, 12.0): 9, (100.0, 102.0): 1}
    assert [figures_latency.at(counts, share) for share in (0.5, 0.9, 0.99, 0.999)] == [1.0, 1.0, 11.0, None]
    x, y = figures_latency.curve(counts)
    assert (x[0], y[0]) == (1.0, 1.0)
    # The last point is that which one request in a hundred is above.
    assert (x[-1], y[-1]) == (100.0, 11.0)
    assert y == sorted(y)
    assert figures_latency.curve({}) == ([], [])


def test_the_queue_over_time_counts_from_the_windows_opening():
    samples = [
        {"unix": 100.0, "accept_queue": 0, "listen_overflows": 5},
        {"unix": 101.0, "accept_queue": 3, "listen_overflows": 5},
        {"unix": 102.0, "accept_queue": 3, "listen_overflows": 9},
        {"unix": 103.0, "accept_queue": 1, "listen_overflows": 9},
    ]
    waiting, dropped = figures_server.queue_over_time(samples, 101.0)
    assert waiting == ([-1.0, 0.0, 2.0], [0, 3, 1])
    assert dropped == ([-1.0, 1.0, 2.0], [0, 4, 4])
    assert figures_server.queue_over_time([], None) == (([], []), ([], []))


def test_a_peak_of_the_queue_is_not_lost_among_many_samples():
    samples = [{"unix": float(n), "accept_queue": int(n == 777), "listen_overflows": 0} for n in range(2000)]
    (x, y), _ = figures_server.queue_over_time(samples, 0.0)
    assert max(y) == 1
    assert len(x) <= figures_server.MOST_POINTS


def test_shares_of_workers_and_their_fairness():
    assert figures_server.worker_shares([{"served": 100}, {"served": 300}]) == [1.5, 0.5]
    assert figures_server.worker_shares([{"served": 0}, {}]) == []
    assert figures_server.fairness([1.0, 1.0, 1.0]) == 1.0
    assert figures_server.fairness([4.0, 0.0, 0.0, 0.0]) == 0.25
