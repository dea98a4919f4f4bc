"""A comparison as text: what differs, one line per cell, and what the marks mean."""

from collections.abc import Callable, Iterator, Sequence

from rich.table import Table

from testbed.compare.conditions import Conditions
from testbed.compare.join import Comparison, Join, JoinedCell
from testbed.plan.cell import Cell
from testbed.plan.cells import varying_fields
from testbed.results.table import add_cell_columns, cell_texts, new_table, telling_fields

LEGEND = (
    "each figure is second / first with its 95 % interval, Welch's t over trials; (in brackets): no difference shown; "
    "?: no interval, fewer than 3 valid trials a side; -: no valid value; C: a trial was bounded by the generator, "
    "F: by the front"
)


def cells_of(joined: Sequence[JoinedCell]) -> list[Cell]:
    """These as cells."""
    return [Cell(**one.cell) for one in joined]


def cell_name(joined: Join) -> Callable[[JoinedCell], str]:
    """What a cell is called in a line: the fields that vary, `mpst, cpus 0.5`."""
    names = varying_fields(cells_of((*joined.cells, *joined.searches)))

    def name(one: JoinedCell) -> str:
        texts = dict(zip(names, cell_texts(Cell(**one.cell), names), strict=True))
        rest = [f"{field} {text}" for field, text in texts.items() if field != "model"]
        return ", ".join([texts["model"], *rest])

    return name


def ratio_text(one: Comparison) -> str:
    """`0.94 .90-.98`; in brackets where no difference is shown."""
    if one.ratio is None:
        return "-"
    ratio = one.ratio
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate:.2f} ?"
    text = f"{_short(ratio.estimate)} {_short(ratio.low)}-{_short(ratio.high)}"
    return text if one.shown else f"({text})"


def _short(value: float) -> str:
    """Three digits, without the zero before the point: the table is for a terminal of 80."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 10 else f"{value:.2f}".removeprefix("0")


def table(title: str, joined: Sequence[JoinedCell], measures: tuple[str, ...]) -> Table:
    """One line per common cell; `measures` are the names of the columns to show."""
    cells = cells_of(joined)
    names = telling_fields(cells)
    shown = new_table(title)
    shown.padding = (0, 1, 0, 0)
    add_cell_columns(shown, names, cells)
    headings = {one.measure.name: one.measure.heading for cell in joined[:1] for one in cell.comparisons}
    for measure in measures:
        shown.add_column(headings[measure], justify="right")
    previous = None
    for one in joined:
        if previous not in (None, one.cell["model"]):
            shown.add_section()
        previous = one.cell["model"]
        by_name = {found.measure.name: found for found in one.comparisons}
        texts = cell_texts(Cell(**one.cell), names)
        figures = [ratio_text(by_name[measure]) for measure in measures]
        if "throughput" in measures:
            place = measures.index("throughput")
            figures[place] += " C" * one.client_bound + " F" * one.front_bound + " B" * one.backend_bound
        shown.add_row(*texts, *figures)
    return shown


def capacity_table(title: str, searches: Sequence[JoinedCell]) -> Table:
    """One line per cell that both runs searched: both medians, their ratio, and why there is none."""
    cells = cells_of(searches)
    names = telling_fields(cells)
    shown = new_table(title)
    shown.padding = (0, 1, 0, 0)
    add_cell_columns(shown, names, cells)
    for heading in ("first\nreq/s", "second\nreq/s", "second /\nfirst"):
        shown.add_column(heading, justify="right")
    shown.add_column("note")
    for one in searches:
        (found,) = one.comparisons
        medians = ["-" if value is None else f"{value:,.4g}" for value in (found.base, found.other)]
        shown.add_row(*cell_texts(Cell(**one.cell), names), *medians, ratio_text(found), _search_note(one, found))
    return shown


def _search_note(one: JoinedCell, found: Comparison) -> str:
    sides = (("first", one.base_verdicts), ("second", one.other_verdicts))
    lacking = [f"{side['not answered']} not answered in the {name}" for name, side in sides if "not answered" in side]
    return "; ".join([*([found.note] if found.ratio is None and found.note else []), *lacking])


def summary_words(joined: Join) -> Iterator[str]:
    """Of each measure, in how many cells a difference is shown, and which way."""
    for cells in (joined.cells, joined.searches):
        yield from _summary_words(cells)


def _summary_words(cells: Sequence[JoinedCell]) -> Iterator[str]:
    for index, first in enumerate(cells[0].comparisons if cells else ()):
        every = [cell.comparisons[index] for cell in cells]
        judged = [one for one in every if one.judged]
        up = sum(one.shown and one.ratio is not None and one.ratio.estimate > 1 for one in judged)
        down = sum(one.shown for one in judged) - up
        parts = [f"more in {up}"] * bool(up) + [f"less in {down}"] * bool(down)
        parts += [f"no difference shown in {len(judged) - up - down}"] * (len(judged) > up + down)
        parts += [f"no interval in {len(every) - len(judged)}"] * (len(every) > len(judged))
        yield f"{first.measure.heading}: {', '.join(parts)} of {len(every)} cells"


def chance(joined: Join) -> str | None:
    """What many intervals at once mean; None for one."""
    count = sum(one.judged for cell in (*joined.cells, *joined.searches) for one in cell.comparisons)
    if count < 2:
        return None
    return (
        f"{count} intervals of 95 %: about {max(1, round(count / 20))} of them would exclude 1 if nothing had changed"
    )


def condition_lines(found: Conditions) -> Iterator[str]:
    """What differs besides the numbers, worst first."""
    yield from (f"other conditions: {line}" for line in found.refused)
    yield from (f"warning: {line}" for line in found.warned)
    yield from (f"differs: {line}" for line in found.stated)


def one_sided(joined: Join, first: str, second: str) -> Iterator[str]:
    """The cells that only one run has."""
    for name, cells in ((first, joined.only_base), (second, joined.only_other)):
        if cells:
            these = [Cell(**cell) for cell in cells]
            fields = varying_fields(these)
            texts = sorted({" ".join(cell_texts(cell, fields)) for cell in these})
            yield f"only in {name}: {len(cells)} cells: {'; '.join(texts[:6])}{'; ...' if len(texts) > 6 else ''}"
