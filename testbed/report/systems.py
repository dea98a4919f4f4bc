"""The section "Which system": replicas, fronts and scaling compared, in words; and its short form for the lead."""

from markupsafe import Markup

from testbed.report import by_service, faults, moving, setups, standing, work
from testbed.report.templating import fill
from testbed.report.timeline import is_transient
from testbed.report.view import View

TITLE = "Which system"


def section(view: View) -> Markup:
    """The HTML of the section; empty where there was one server, and nothing changed."""
    if not setups.has_several(view):
        return Markup("")
    still = [
        {
            "heading": one.heading,
            "about": work.describe(one.groups[0].rows[0]),
            "advice": standing.choose(view, one),
            "lines": standing.lines(view, one),
        }
        for one in standing.standings(view)
    ]
    moved = [
        {"heading": one.heading, "lines": moving.lines(one), "table": moving.numbers(one)}
        for one in moving.contests(view)
    ]
    transient = any(is_transient(group.rows[0]) for group in view.groups)
    failed = faults.contests(view)
    return fill(
        "systems.html",
        still=still,
        moved=moved,
        services=by_service.contests(view),
        failed=failed,
        objective=moving.objective_words(view) if transient else "",
    )


def is_only(view: View) -> bool:
    """Whether there is a choice between systems and none between models."""
    moves = moving.is_told(view) and any(is_transient(group.rows[0]) for group in view.groups)
    chooses = moves or standing.standings(view) or faults.in_short(view)
    return len(view.series) == 1 and bool(chooses)


def in_short(view: View) -> list[Markup]:
    """A line for each comparison of systems."""
    still = [Markup("{}: {}.").format(one.heading, standing.choose(view, one)) for one in standing.standings(view)]
    return [*still, *(line for one in moving.contests(view) for line in moving.lines(one)), *faults.in_short(view)]
