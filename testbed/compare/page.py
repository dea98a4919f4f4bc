"""A comparison as one self-contained page, in the report's dress."""

from collections.abc import Sequence

from markupsafe import Markup

from testbed.compare import view
from testbed.compare.join import Comparison, JoinedCell
from testbed.compare.pair import Pair
from testbed.report.page import Figure, Section, figure_html, render
from testbed.report.templating import fill
from testbed.report.view import duration, size

_SHOWN, _NOT_SHOWN = "#0072B2", "#8A8A8A"


def page(pairs: list[Pair]) -> str:
    """The HTML of all pairs, one section each."""
    base = pairs[0].base
    lead = fill("comparison.html", base=base.name, others=[pair.other.name for pair in pairs])
    return render(f"Threadmill: {base.name} compared", lead, [_section(n, pair) for n, pair in enumerate(pairs, 1)])


def _section(number: int, pair: Pair) -> Section:
    lines = [
        *view.summary_words(pair.joined),
        *view.condition_lines(pair.conditions),
        *filter(None, [view.chance(pair.joined), pair.drift_line()]),
        *view.one_sided(pair.joined, pair.base.name, pair.other.name),
        *(line for one in pair.gates for line in one.lines(view.cell_name(pair.joined))),
    ]
    figures = []
    for cells in (pair.joined.cells, pair.joined.searches):
        count = len(cells[0].comparisons) if cells else 0
        # What no cell has in both runs is no figure: the words above say that there is none.
        known = [index for index in range(count) if any(one.comparisons[index].ratio for one in cells)]
        figures += [Markup(figure_html(_figure(number, pair, cells, index))) for index in known]
    html = fill("pair.html", lines=lines, figures=figures)
    return Section(f"pair-{number}", f"{pair.other.name} / {pair.base.name}", html)


def _figure(number: int, pair: Pair, cells: Sequence[JoinedCell], index: int) -> Figure:
    name = view.cell_name(pair.joined)
    pairs = [(name(cell), cell, cell.comparisons[index]) for cell in cells]
    measure = pairs[0][2].measure
    traces = [
        _trace("a difference is shown", _SHOWN, "diamond", [one for one in pairs if one[2].shown]),
        _trace("no difference shown", _NOT_SHOWN, "circle-open", [one for one in pairs if not one[2].shown]),
    ]
    layout = {
        "height": 150 + 22 * len(pairs),
        "margin": {"l": 10, "r": 20, "t": 20, "b": 50},
        "xaxis": {"title": {"text": f"{measure.heading}, second / first"}, "type": "log", "automargin": True},
        "yaxis": {
            "automargin": True,
            "categoryorder": "array",
            "categoryarray": [text for text, _, _ in reversed(pairs)],
        },
        "shapes": [{"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dot"}}],
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }
    better = "more is better" if measure.more_is_better else "less is better"
    caption = f"Ratio of geometric means over valid trials, 95 % interval; {better}. Logarithmic axis."
    plotly = {"data": [trace for trace in traces if trace["y"]], "layout": layout}
    return Figure(f"ratio-{number}-{measure.name}", measure.heading, caption, plotly, _numbers(pairs))


def _trace(label: str, colour: str, symbol: str, these: list[tuple[str, JoinedCell, Comparison]]) -> dict[str, object]:
    known = [(text, one.ratio) for text, _, one in these if one.ratio is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [ratio.estimate for _, ratio in known],
        "y": [text for text, _ in known],
        "marker": {"color": colour, "symbol": symbol, "size": 9},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [(ratio.high or ratio.estimate) - ratio.estimate for _, ratio in known],
            "arrayminus": [ratio.estimate - (ratio.low or ratio.estimate) for _, ratio in known],
        },
    }


def _numbers(pairs: list[tuple[str, JoinedCell, Comparison]]) -> str:
    """The same figure as a table."""
    rows = [
        (text, _figure_text(one, one.base), _figure_text(one, one.other), view.ratio_text(one), one.words())
        for text, _, one in pairs
    ]
    return fill("ratios.html", rows=rows)


def _figure_text(one: Comparison, value: float | None) -> str:
    """A median with its unit."""
    if value is None:
        return "not known"
    column = one.measure.column
    if column.endswith("_bytes"):
        return size(value)
    if "_us" in column:
        return duration(value)
    return f"{value:,.5g}{'/s' if column.endswith('_rps') else ''}"
