"""The section "Which model": for each condition what comes first, by which measure, and how sure that is."""

from typing import Any

from markupsafe import Markup

from testbed.report import ranking, work
from testbed.report.html import bullets, heads, joined, table
from testbed.report.ranking import CAPACITY, CPU, LATENCY, MEMORY, THROUGHPUT, Measure, Place, Ranking, rank
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


def advice(found: dict[str, Ranking]) -> Markup:
    """Which model to choose, as a clause, in HTML."""
    rate = found.get(THROUGHPUT.column) or found[CAPACITY.column]
    latency = found[LATENCY.column]
    if rate.leader is None and all(place.set_aside for place in rate.places) and rate.places:
        return Markup("none: {}").format(joined([_set_aside(one, rate.measure) for one in rate.places], "and"))
    if rate.leader is None:
        return Markup("nothing can be said, {}").format(ranking.nothing(list(found.values())))
    if latency.leader is None or rate.measure is CAPACITY:
        return Markup("choose {}{}").format(_firsts(rate, f"for {rate.measure.best}"), _sureness(rate))
    both = [place.group.series for place in rate.first if place.group.series in _names(latency)]
    sure = rate.certain and latency.certain
    if not both:
        return Markup("choose {}, {}; {}").format(
            _firsts(rate, "for the most requests"),
            _firsts(latency, "for the shortest p99 latency"),
            f"none is first in both ({_confidence(rate, latency)})" if sure else _only_a_hint(rate, latency),
        )
    names = _bold(both)
    if not sure and len(rate.places) > 1:
        return Markup("choose {}; {}").format(names, _only_a_hint(rate, latency))
    if len(rate.places) == 1:
        return Markup("only {} was measured").format(names)
    if len(rate.first) == len(latency.first) == 1:
        what = Markup("the most requests and the shortest p99 latency")
    else:
        what = Markup("no other is shown to serve more requests or to have a shorter p99 latency")
    what += _lightest(both, found)
    behind = list(dict.fromkeys(place.group.series for one in (rate, latency) for place in one.behind))
    if behind:
        verb = "is" if len(behind) == 1 else "are"
        what += Markup("; {} {} shown to be behind in one or both").format(joined(behind, "and"), verb)
    return Markup("choose {}: {} ({})").format(names, what, _confidence(rate, latency))


def verdict(found: dict[str, Ranking]) -> Markup:
    """The same as short as a table's cell wants it."""
    rate = found.get(THROUGHPUT.column) or found[CAPACITY.column]
    latency = found[LATENCY.column]
    if rate.leader is None:
        return Markup(ranking.nothing(list(found.values())))
    sure = rate.certain and (rate.measure is CAPACITY or latency.certain)
    hint = Markup("") if sure else Markup(' <span class="note">(a hint)</span>')
    if latency.leader is None or rate.measure is CAPACITY:
        return _bold(_names(rate)) + hint
    if both := [name for name in _names(rate) if name in _names(latency)]:
        return _bold(both) + hint
    return Markup("most requests: {}; shortest p99: {}{}").format(_bold(_names(rate)), _bold(_names(latency)), hint)


def _bold(names: list[str]) -> Markup:
    return joined([Markup("<strong>{}</strong>").format(name) for name in names], "or")


def _names(found: Ranking) -> list[str]:
    return [place.group.series for place in found.first]


def _firsts(found: Ranking, purpose: str) -> Markup:
    return Markup("{} {}").format(_bold(_names(found)), purpose)


def _confidence(*found: Ranking) -> str:
    count = min(one.blocks for one in found)
    return f"{percent(CONFIDENCE)} confidence in each comparison, {count} trials of each model"


def _sureness(found: Ranking) -> str:
    """How sure a ranking by one measure is, as the end of a sentence."""
    if sum(not place.set_aside for place in found.places) < 2:
        return ", the only one that can be ranked" if len(found.places) > 1 else ", the only one measured"
    return f" ({_confidence(found)})" if found.certain else f"; {_only_a_hint(found)}"


def _only_a_hint(*found: Ranking) -> str:
    count = min(one.blocks for one in found)
    return f"a hint only, from {count} trial{'s' if count != 1 else ''} each: chance may have made the order"


def _lightest(names: list[str], found: dict[str, Ranking]) -> str:
    """Of several that share the first place, the one that takes least memory, where that is shown."""
    if len(names) < 2:
        return ""
    places = [place for place in found[MEMORY.column].places if place.group.series in names]
    lightest = places[0] if places else None
    if lightest is None or any(place.first for place in places[1:]):
        return ""
    return f"; of these {lightest.group.series} takes the least memory"


def section(view: View) -> Markup:
    """The HTML of the section."""
    ranked = conditions(view)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for when in ranked:
        groups.setdefault(tuple((name, value) for name, value in when.items() if name != "cpus"), []).append(when)
    parts = [_how_to_read(view)]
    said = ""
    for key, whens in groups.items():
        row = view.under(whens[0])[0].rows[0]
        heading = work.kind(row)[:1].upper() + work.kind(row)[1:]
        told = "; ".join(setting(name, value) for name, value in key if name not in (*_OF_WORK, "share"))
        parts.append(Markup("<h3>{}{}</h3>").format(heading, f" ({told})" if told else ""))
        # What is the same as under the last heading is not said again.
        asked = work.asked(row)
        parts.append(Markup("<p>{}</p>").format(work.load(row) if asked == said else f"{asked} {work.load(row)}"))
        said = asked
        cards = [_card(view, when, len(ranked) <= MOST_OPEN) for when in whens]
        parts.append(Markup('<div class="cards">{}</div>').format(Markup("").join(cards)))
    parts.append(
        Markup("<p>{}</p>").format(
            "This holds for the work, the load and the limits described here, on this machine. Another kind of work, "
            "another number of users or another connection pattern can turn the order round, and needs another sweep."
        )
    )
    return Markup("\n").join(parts)


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
    return Markup('<div class="scroll" role="region" tabindex="0" aria-label="Which model">{}</div>').format(
        table(heads(columns), rows)
    )


def _how_to_read(view: View) -> Markup:
    if view.results.by_hand:
        return Markup("<p>{}</p>").format(
            "These runs were started by hand from the web page. They are in no blocks and have no repeats that were "
            "planned, so no interval can be given: the order below is a hint, and a sweep would tell more."
        )
    return Markup("<p>{}</p>").format(
        "Models are compared block by block: a block holds every combination once, so both sides met the same state "
        f"of the machine. The interval of a ratio holds the true one with {percent(CONFIDENCE)} confidence, each by "
        "itself: of twenty such statements about one is wrong by chance. Where it holds 1, no difference is shown, and "
        "the models share the place: they may still differ by less than this sweep can see."
    )


def _card(view: View, when: dict[str, Any], is_open: bool) -> Markup:
    found = rankings(view, when)
    cpus = when.get("cpus", view.fixed.get("cpus"))
    where = f"At {axis_text('cpus', cpus)}"
    if cpus is None:
        where = "At these settings" if "condition" in when else "CPU limit not known"
    lines = [_sentence(one) for one in found.values() if one.leader is not None]
    notes = _notes(view, when, found)
    return Markup(
        '<details class="answer card" data-print{}><summary><span class="choose">{}: {}.</span></summary>'
        "{}{}<details><summary>All models in numbers</summary>"
        '<div class="scroll" role="region" tabindex="0" aria-label="All models, {}">{}</div></details></details>'
    ).format(
        Markup(" open" if is_open else ""),
        where,
        advice(found),
        bullets(lines),
        notes,
        where,
        _table(view, when, found),
    )


def _times(place: Place) -> str:
    ratio = place.ratio
    if ratio is None:
        return "not compared"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate:.2f} times the first's"
    interval = f"{percent(ratio.confidence)} interval {ratio.low:.2f} to {ratio.high:.2f}"
    return f"{ratio.estimate:.2f} times the first's, {interval}"


def _named(place: Place, measure: Measure) -> Markup:
    return Markup("{} {}").format(place.group.series, place.text(measure))


def _set_aside(place: Place, measure: Measure) -> Markup:
    return Markup("{}, which {}").format(_named(place, measure), place.set_aside)


def _compared(places: list[Place], measure: Measure) -> Markup:
    """The nearest with its interval; of the others, which the table holds, the value."""
    nearest = Markup("{} ({})").format(_named(places[0], measure), _times(places[0]))
    return joined([nearest, *(_named(place, measure) for place in places[1:])], "and")


def _sentence(found: Ranking) -> Markup:
    """One measure in words: who is first, who shares the place, and what is behind."""
    measure, leader = found.measure, found.leader
    assert leader is not None
    named = Markup("<strong>{}</strong> {}").format(leader.group.series, leader.text(measure))
    others = [place for place in found.places if place is not leader and not place.set_aside]
    parts = [Markup("{}: {}").format(measure.heading, named)]
    if others and not found.certain:
        order = joined([_named(place, measure) for place in others], "then", always=True)
        parts.append(Markup("then {}. Chance may have made this order").format(order))
    else:
        shared = [place for place in found.first if place is not leader]
        if shared:
            parts.append(Markup("no difference shown from {}").format(_compared(shared, measure)))
        if found.behind:
            parts.append(Markup("behind: {}").format(_compared(list(found.behind), measure)))
    aside = [place for place in found.places if place.set_aside]
    if aside:
        told = [_set_aside(place, measure) for place in aside]
        parts.append(Markup("not ranked: {}").format(joined(told, "and")))
    return Markup("; ").join(parts) + Markup(".")


def _notes(view: View, when: dict[str, Any], found: dict[str, Ranking]) -> Markup:
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
    failing = [f"{one.series} {100 * share:.2g} %" for one in groups if (share := _failed_share(one))]
    if failing:
        lines.append(f"Requests that failed: {', '.join(failing)}.")
    lines += _search_notes(view, view.under(when))
    return bullets(lines, "note")


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
