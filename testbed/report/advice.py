"""Rankings in sentences: which model to choose, how sure that is, and who comes after whom. Pure."""

from markupsafe import Markup

from testbed.report import ranking
from testbed.report.html import joined
from testbed.report.ranking import CAPACITY, LATENCY, MEMORY, THROUGHPUT, Measure, Place, Ranking
from testbed.report.view import percent
from testbed.statistics import CONFIDENCE


def advice(found: dict[str, Ranking], each: str = "model") -> Markup:
    """Which model to choose, as a clause, in HTML. `each`: what else is to choose from."""
    rate = found.get(THROUGHPUT.column) or found[CAPACITY.column]
    latency = found[LATENCY.column]
    if rate.leader is None and all(place.set_aside for place in rate.places) and rate.places:
        return Markup("none: {}").format(joined([_set_aside(one, rate.measure) for one in rate.places], "and"))
    if rate.leader is None:
        return Markup("nothing can be said, {}").format(ranking.nothing(list(found.values())))
    if latency.leader is None or rate.measure is CAPACITY:
        return Markup("choose {}{}").format(_firsts(rate, f"for {rate.measure.best}"), _sureness(rate, each))
    both = [place.group.series for place in rate.first if place.group.series in _names(latency)]
    sure = rate.certain and latency.certain
    if not both:
        return Markup("choose {}, {}; {}").format(
            _firsts(rate, "for the most requests"),
            _firsts(latency, "for the shortest p99 latency"),
            f"none is first in both ({_confidence(rate, latency, each=each)})" if sure else _only_a_hint(rate, latency),
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
        what += Markup("; {} {} shown to fall short in one or both").format(joined(behind, "and"), verb)
    return Markup("choose {}: {} ({})").format(names, what, _confidence(rate, latency, each=each))


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


def _confidence(*found: Ranking, each: str) -> str:
    count = min(one.blocks for one in found)
    return f"{percent(CONFIDENCE)} confidence in each comparison, {count} trials of each {each}"


def _sureness(found: Ranking, each: str) -> str:
    """How sure a ranking by one measure is, as the end of a sentence."""
    if sum(not place.set_aside for place in found.places) < 2:
        return ", the only one that can be ranked" if len(found.places) > 1 else ", the only one measured"
    return f" ({_confidence(found, each=each)})" if found.certain else f"; {_only_a_hint(found)}"


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


def sentence(found: Ranking) -> Markup:
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
