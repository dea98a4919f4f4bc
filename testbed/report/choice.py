"""The section "Which model": for each condition what comes first, by which measure, and how sure that is."""

from typing import Any

from markupsafe import Markup

from testbed.report import ranking, work
from testbed.report.advice import advice, sentence, verdict
from testbed.report.html import heads, scroll, table
from testbed.report.ranking import CAPACITY, CPU, LATENCY, MEMORY, THROUGHPUT, Measure, Place, Ranking, rank
from testbed.report.templating import fill
from testbed.report.view import Group, View, axis_text, axis_title, percent
from testbed.statistics import CONFIDENCE

_OF_WORK = ("sleep_us", "spin_us", "hash_us")
# More cards than this are shown closed.
MOST_OPEN = 6


def measures(view: View) -> tuple[Measure, ...]:
    """What models are ranked by; of a search first the rate that it found."""
    return (CAPACITY if view.results.is_search else THROUGHPUT, LATENCY, CPU, MEMORY)


def rankings(view: View, when: dict[str, Any]) -> dict[str, Ranking]:
    """By column."""
    groups = view.under(when)
    return {one.column: rank(groups, one, not view.results.by_hand) for one in measures(view)}


def conditions(view: View) -> list[dict[str, Any]]:
    """The conditions that are ranked: of a search only that at the whole of what it found."""
    return [when for when in view.conditions() if when.get("share", 1.0) == 1.0]


def section(view: View) -> Markup:
    """The HTML of the section."""
    ranked = conditions(view)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for when in ranked:
        groups.setdefault(tuple((name, value) for name, value in when.items() if name != "cpus"), []).append(when)
    parts = []
    said = ""
    for key, whens in groups.items():
        row = view.under(whens[0])[0].rows[0]
        heading = work.kind(row)[:1].upper() + work.kind(row)[1:]
        told = "; ".join(setting(name, value) for name, value in key if name not in (*_OF_WORK, "share"))
        # What is the same as under the last heading is not said again.
        asked = work.asked(row)
        parts.append(
            {
                "heading": f"{heading} ({told})" if told else heading,
                "about": work.load(row) if asked == said else f"{asked} {work.load(row)}",
                "cards": [_card(view, when) for when in whens],
            }
        )
        said = asked
    return fill("choice.html", how_to_read=_how_to_read(view), parts=parts, is_open=len(ranked) <= MOST_OPEN)


def setting(name: str, value: Any) -> str:
    """One value of an axis, as a part of a sentence: `0.5 CPU`, `8 users`."""
    text = axis_text(name, value)
    if name in ("cpus", "condition"):
        return text if value is not None else "CPU limit not known"
    if name == "users":
        return f"{text} user{'s' if value != 1 else ''}"
    return f"{axis_title(name)} {text}"


def in_words(view: View, when: dict[str, Any]) -> str:
    """A condition as people call it: the kind of work where that varies, then what else does."""
    parts = []
    if any(name in when for name in _OF_WORK):
        row = view.under(when)[0].rows[0]
        numbers = work.brief(row)
        parts.append(work.kind(row) + (f" ({numbers})" if numbers else ""))
    parts += [setting(name, value) for name, value in when.items() if name not in (*_OF_WORK, "share")]
    return "; ".join(parts)


def overview(view: View) -> Markup:
    """Which model by condition and CPU limit, as a table; nothing where the CPU limit is not an axis."""
    axis = view.axis("cpus")
    if axis is None:
        return Markup("")
    by_rest: dict[Any, dict[Any, Markup]] = {}
    for when in conditions(view):
        rest = tuple((name, value) for name, value in when.items() if name not in ("cpus", "share"))
        by_rest.setdefault(rest, {})[when["cpus"]] = verdict(rankings(view, when))
    rows = []
    for key, cells in by_rest.items():
        told = in_words(view, dict(key))
        rows.append([told, *(cells.get(value, "") for value in axis.values)])
    columns = [("condition", False), *((setting("cpus", value), False) for value in axis.values)]
    return scroll("Which model", table(heads(columns), rows))


def _how_to_read(view: View) -> str:
    if view.results.by_hand:
        return (
            "These runs were started by hand from the web page. They are in no blocks and have no repeats that were "
            "planned, so no interval can be given: the order below is a hint, and a sweep would tell more."
        )
    return (
        "Models are compared block by block: a block holds every combination once, so both sides met the same state "
        f"of the machine. The interval of a ratio holds the true one with {percent(CONFIDENCE)} confidence, each by "
        "itself: of twenty such statements about one is wrong by chance. Where it holds 1, no difference is shown, and "
        "the models share the place: they may still differ by less than this sweep can see."
    )


def _card(view: View, when: dict[str, Any]) -> dict[str, object]:
    """One condition: the choice, the measures in sentences, what qualifies them, and all numbers."""
    found = rankings(view, when)
    cpus = when.get("cpus", view.fixed.get("cpus"))
    where = f"At {axis_text('cpus', cpus)}"
    if cpus is None:
        where = "At these settings" if "condition" in when else "CPU limit not known"
    return {
        "where": where,
        "advice": advice(found),
        "lines": [sentence(one) for one in found.values() if one.leader is not None],
        "notes": _notes(view, when, found),
        "table": _table(view, when, found),
    }


def _notes(view: View, when: dict[str, Any], found: dict[str, Ranking]) -> list[str]:
    """What qualifies the numbers of this condition."""
    first = next(iter(found.values()))
    groups = [place.group for place in first.places]
    lines = [f"How sure: {ranking.how_sure(list(found.values()))}."]
    asked = [one.series for one in groups if one.good and all(row["verdict"] == "not-saturated" for row in one.good)]
    if asked and first.measure is THROUGHPUT:
        lines.append(
            f"Not saturated: {', '.join(asked)}: the server was not at its limit, so this is what the load asked for, "
            "not the most that the server can do."
        )
    bound = [one.series for one in groups if one.client_bound]
    if bound:
        lines.append(f"Client-bound: {', '.join(bound)}: the load generator was at its limit; the server may do more.")
    fronted = [one.series for one in groups if one.has("front-bound")]
    if fronted:
        lines.append(f"Front-bound: {', '.join(fronted)}: what stands before the servers was full; they may do more.")
    behind = [one.series for one in groups if one.has("backend-bound")]
    if behind:
        lines.append(f"Backend-bound: {', '.join(behind)}: what stands behind the servers was full; they may do more.")
    changed = [one.series for one in groups if one.has("transient")]
    if changed:
        lines.append(f"Transient: {', '.join(changed)}: means over a change of load, limits or replicas, no capacity.")
    failing = [f"{one.series} {100 * share:.2g} %" for one in groups if (share := _failed_share(one))]
    if failing:
        lines.append(f"Requests that failed: {', '.join(failing)}.")
    stale = [f"{one.series} {100 * share:.2g} %" for one in groups if (share := _stale_share(one))]
    if stale:
        lines.append(f"Stale reads, of those that could be found so: {', '.join(stale)}.")
    return lines + _search_notes(view, view.under(when))


def _stale_share(group: Group) -> float:
    stale, checked = (sum(row.get(name) or 0 for row in group.good) for name in ("stale", "reads_checked"))
    return stale / checked if stale else 0.0


def _failed_share(group: Group) -> float:
    failed, ok = sum(group.values("failed")), sum(group.values("ok"))
    return failed / (failed + ok) if failed else 0.0


def _search_notes(view: View, groups: list[Group]) -> list[str]:
    """Searches of these models that ended unsure."""
    names = {row["search_id"] for group in groups for row in group.rows}
    mine = [answer for answer in view.results.capacity if answer["trial_id"] in names]
    unsure = dict.fromkeys(str(one["model"]) for one in mine if one["answered"] and not one["confirmed"])
    limited = dict.fromkeys(str(one["model"]) for one in mine if one["client_bound"])
    lines = [f"Search not confirmed: {', '.join(unsure)}."] if unsure else []
    if limited:
        lines.append(
            f"The load generator could not send the next rate: {', '.join(limited)} may be capable of more, what is "
            "given is at least held."
        )
    for group in groups:
        if why := group.not_answered:
            of_blocks = f" in {len(why)} of {len(group.rows)} blocks" if len(group.rows) > 1 else ""
            lines.append(f"Not answered{of_blocks}: {group.series}: {why[0]}.")
    return lines


def _table(view: View, when: dict[str, Any], found: dict[str, Ranking]) -> Markup:
    """Every model with every measure, its ratio to the first's, and its verdicts."""
    order = {name: index for index, name in enumerate(view.series)}
    groups = {group.series: group for group in view.under(when)}
    columns = [("Model", False)]
    for one in found.values():
        columns += [(one.measure.heading, True), ("times the first's", True)]
    rows = []
    for series in sorted(groups, key=lambda name: order[name]):
        cells: list[object] = [series]
        for one in found.values():
            place = next((place for place in one.places if place.group.series == series), None)
            unanswered = one.measure is CAPACITY and groups[series].not_answered
            lacking = "not answered" if unanswered else "not known"
            cells.append(lacking if place is None else place.text(one.measure))
            cells.append("" if place is None else _ratio(place))
        verdicts = [str(row["verdict"]) for row in groups[series].rows]
        cells.append(", ".join(f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts)))
        rows.append(cells)
    return table(heads([*columns, ("trials", False)]), rows, numeric=range(1, len(columns)))


def _ratio(place: Place) -> str:
    if place.set_aside:
        return "not ranked"
    if place.ratio is None:
        return "first" if place.first else "no interval"
    if place.ratio.low is None or place.ratio.high is None:
        return f"{place.ratio.estimate:.2f}"
    shown = ", no difference shown" if place.first else ""
    return f"{place.ratio.estimate:.2f} ({place.ratio.low:.2f} to {place.ratio.high:.2f}{shown})"
