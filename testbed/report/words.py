"""The words at the top of a report: what was compared, on what, and what can be concluded and what not. Pure."""

from markupsafe import Markup

from testbed.report import choice, systems, work
from testbed.report.advice import advice
from testbed.report.conclusions import can, cannot, drift
from testbed.report.facts import facts
from testbed.report.html import bullets, joined
from testbed.report.templating import fill
from testbed.report.view import View, percent
from testbed.results import searches
from testbed.statistics import CONFIDENCE

# More than these lines in sight are read by nobody.
MOST_LINES = 6
MOST_REASONS = 40


def lead(view: View) -> Markup:
    """Everything above the first section."""
    warnings = [*view.results.problems, *drift(view), *view.results.summary["warnings"]]
    return fill(
        "lead.html",
        opening=_opening(view),
        answer=_short_answer(view),
        facts=facts(view),
        can=can(view),
        cannot=cannot(view),
        warnings=warnings[:MOST_LINES],
        more_warnings=warnings[MOST_LINES:],
        unanswered=searches.not_answered(view.results.capacity),
        marked=_marked(view),
        most_open=MOST_LINES,
    )


def _opening(view: View) -> str:
    count = len(view.models)
    what = (
        "Runs started by hand from the web page"
        if view.results.by_hand
        else "A search for the highest rate of requests that each model sustains"
        if view.results.is_search
        else "A measurement under load"
    )
    how = (
        "each run with the settings that were chosen in the page"
        if view.results.by_hand
        else "each in a fresh container under the same limits, given the same requests"
    )
    return (
        f"{what}: {count} way{'s' if count != 1 else ''} of building the same TCP server (concurrency models: who "
        f"accepts connections, and which process or thread serves them), {how}."
    )


def _short_answer(view: View) -> dict[str, object]:
    """Which model for which conditions, as a list or, of many, as a table."""
    if systems.is_only(view):
        short = systems.in_short(view)
        more = max(0, len(short) - MOST_LINES)
        beyond = f"And {more} more. " if more else ""
        return {
            "kind": "",
            "shown": bullets(short[:MOST_LINES]),
            "is_grid": True,
            "rest": 0,
            "grid_words": beyond,
            "of": "system",
            "anchor": "systems",
        }
    ranked = choice.conditions(view)
    lines = []
    for when in ranked[:MOST_LINES]:
        told = choice.in_words(view, when)
        fallback = choice.setting("cpus", view.fixed.get("cpus"))
        lines.append(Markup("{}: {}.").format(told or fallback, advice(choice.rankings(view, when))))
    rest = len(ranked) - MOST_LINES
    grid = choice.overview(view) if rest > 0 else Markup("")
    row = view.groups[0].rows[0] if view.groups else {}
    kinds = {work.kind(group.rows[0]) for group in view.groups}
    kind = f" for {kinds.pop()}" if len(kinds) == 1 and row else ""
    if (cpus := view.fixed.get("cpus")) is not None and view.axes:
        kind = f" at {choice.setting('cpus', cpus)}{kind}"
    return {
        "kind": kind,
        "shown": grid or bullets(lines),
        "is_grid": bool(grid),
        "rest": rest,
        "grid_words": None if rest <= 0 else _grid_words(view) if grid else "",
        "of": "model",
        "anchor": "choice",
    }


def _grid_words(view: View) -> str:
    """How to read the table of models to choose."""
    if view.results.is_search:
        first = "In each cell: the models of which none is shown to hold a higher rate than another. "
    else:
        first = (
            "In each cell: the models than which no other is shown to serve more requests or to have a shorter p99 "
            f"latency, with {percent(CONFIDENCE)} confidence in each comparison. Several: no difference between them "
            "is shown. "
        )
    return f"{first}A hint: too few trials to tell a difference from chance. "


def _marked(view: View) -> list[dict[str, object]]:
    """The trials that do not count or may mislead, by kind, with reasons."""
    found: list[dict[str, object]] = []
    for kind in ("invalid", "client-bound", "front-bound", "backend-bound", "disturbed"):
        rows = [row for row in view.results.rows if row["verdict"] == kind or (kind == "disturbed" and row[kind])]
        if rows:
            trials = [(row["trial_id"], row["reasons"]) for row in rows[:MOST_REASONS]]
            found.append({"kind": kind, "count": len(rows), "trials": trials})
    return found


def title(view: View) -> str:
    names = joined(view.models[:3], "and") if len(view.models) <= 3 else f"{len(view.models)} concurrency models"
    what = "runs from the web page" if view.results.by_hand else view.results.sweep.get("name") or view.results.name
    return f"Threadmill report: {what}, {names}"
