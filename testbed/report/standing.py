"""Replicas, fronts and what is behind in words: what each does of what the plainest does, with intervals. Pure."""

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from testbed.report import ranking, setups
from testbed.report.advice import advice
from testbed.report.ranking import CAPACITY, CPU, LATENCY, MEMORY, THROUGHPUT
from testbed.report.source import Row
from testbed.report.timeline import is_transient
from testbed.report.view import Group, View
from testbed.statistics import FEWEST_BLOCKS, Interval, ratio_interval


@dataclass(frozen=True)
class Standing:
    """The systems of one model under what else was the same."""

    heading: str
    groups: tuple[Group, ...]
    """The plainest first: fewest replicas, nothing before them, no limit, and behind them what the sweep names
    first."""


def standings(view: View) -> list[Standing]:
    """Those of which there are several, and in which nothing was to change."""
    found: dict[Any, list[Group]] = {}
    rest = [name for name in setups.varied(view) if name not in setups.SPREAD]
    for group in view.groups:
        row = group.rows[0]
        if not is_transient(row) and row.get("share") in (None, 1.0):
            found.setdefault((group.series, *(row.get(name) for name in rest)), []).append(group)
    axis = view.axis("behind")
    places = {value: place for place, value in enumerate(axis.values)} if axis else {}
    several = [
        sorted(groups, key=lambda group: (*plainness(group), places.get(group.rows[0].get("behind"), 0)))
        for groups in found.values()
        if len(groups) > 1
    ]

    def heading(group: Group) -> str:
        return ", ".join(filter(None, (group.series, setups.in_words(view, group.rows[0], setups.SPREAD))))

    return [Standing(heading(groups[0]), tuple(groups)) for groups in several]


def plainness(group: Group) -> tuple[float, bool, str, float, float]:
    """What sorts the plainest first."""
    row = group.rows[0]
    front = str(row.get("front") or "none")
    limit = float(row.get("rate_limit_rps") or 0)
    fronts = float(row.get("fronts") or 1)
    # Of limits the highest first, and none before any.
    return float(row.get("replicas") or 1), front != "none", front, fronts, -limit if limit else -math.inf


def choose(view: View, standing: Standing) -> Markup:
    """Which system to choose, as a clause."""
    rate = CAPACITY if view.results.is_search else THROUGHPUT
    groups = [setups.named(group, name(standing, group)) for group in standing.groups]
    found = {one.column: ranking.rank(groups, one, not view.results.by_hand) for one in (rate, LATENCY, CPU, MEMORY)}
    return advice(found, "system")


def name(standing: Standing, group: Group) -> str:
    """A system by what tells it from the others of its model."""
    row = group.rows[0]
    rows = [one.rows[0] for one in standing.groups]
    behind = [_behind(rows, row)] if len({one.get("behind") for one in rows}) > 1 else []
    if behind and len({(one.get("replicas"), one.get("front"), one.get("cpus")) for one in rows}) == 1:
        return behind[0]
    told = setups.system(row)
    more = []
    for field in ("balance", "queue", "dns", "front_cpus", "rate_limit_rps", "auth"):
        # Of systems with the same front only.
        same = [one for one in rows if one.get("front") == row.get("front")]
        if len({one.get(field) for one in same}) > 1:
            more.append(setups.part(field, row))
    return ", ".join([told, *filter(None, more), *behind])


def _behind(rows: list[Row], row: Row) -> str:
    """What is behind, without what is said of all of them: `postgres` beside `postgres, 2 shards`."""
    every = [setups.part("behind", one).split(", ") for one in rows]
    kind, *more = setups.part("behind", row).split(", ")
    return ", ".join([kind, *(word for word in more if not all(word in words for words in every))])


def lines(view: View, standing: Standing) -> list[str]:
    """Each system beside the simplest, in a sentence."""
    rate = "capacity_rps" if view.results.is_search else "throughput_rps"
    base, *others = standing.groups
    return [
        sentence(
            name(standing, group),
            name(standing, base),
            ratio(group, base, rate),
            ratio(group, base, "latency_p99_us"),
            "sustains" if view.results.is_search else "serves",
        )
        + _of_the_edge(group, base)
        + _of_the_gateway(group, base)
        + _of_what_is_behind(group, base)
        for group in others
    ]


def _of_the_edge(group: Group, base: Group) -> str:
    """What a cache before the servers answers, and what that saves them; empty where neither has one."""
    mine, other = group.median("edge_hit_ratio"), base.median("edge_hit_ratio")
    if mine is None or other is None or not (mine or other):
        return ""
    cost = ratio(group, base, "cpu_us_per_request")
    saved = f"; its servers take {_times(cost)} the CPU for a request{_shown(cost)}" if cost else ""
    oldest = group.median("edge_age_max_s")
    age = f", up to {oldest:g} s old" if oldest else ""
    return f" {100 * mine:.3g} % of its replies come from its cache{age}, {100 * other:.3g} % there{saved}."


def _of_the_gateway(group: Group, base: Group) -> str:
    """What each turned away; empty where neither did."""
    mine, other = group.median("limited_share"), base.median("limited_share")
    if mine is None or other is None or not (mine or other):
        return ""
    return f" {100 * mine:.3g} % of its requests were answered 429, {100 * other:.3g} % there."


def _of_what_is_behind(group: Group, base: Group) -> str:
    """What it costs there, and what came of the requests that no throughput shows; empty with nothing behind."""
    told = []
    if group.values("behind_cpu_us_per_request"):
        cost = ratio(group, base, "behind_cpu_us_per_request")
        told.append(
            f"what is behind takes {_times(cost)} the CPU for a request{_shown(cost)}"
            if cost
            else "what is behind takes CPU of its own, not known of both"
        )
    for column, words in (("stale_share", "reads were stale"), ("cache_hit_ratio", "reads were hits")):
        mine, other = group.median(column), base.median(column)
        if mine is not None and other is not None and (mine or other):
            told.append(f"{100 * mine:.3g} % of its {words}, {100 * other:.3g} % there")
    fetched = [_fetches(one) for one in (group, base)]
    if fetched[0] is not None and fetched[1] is not None and fetched[0] != fetched[1]:
        told.append(f"the database was asked for {fetched[0]:.3g} % of its requests, {fetched[1]:.3g} % there")
    waiting = [one.median("messages_waiting") for one in (group, base)]
    if waiting[0] is not None and waiting[1] is not None:
        told.append(f"at the window's end {waiting[0]:g} messages waited, {waiting[1]:g} there")
    lost = [row.get("messages_lost") for row in group.good]
    if any(lost):
        known = group.values("messages_lost")
        complete = len(known) == len(lost)
        told.append(
            f"{sum(known):g} of its messages were lost"
            if complete
            else "how many of its messages were lost is not known"
        )
    return " " + " ".join(f"{one[:1].upper()}{one[1:]}." for one in told) if told else ""


def _fetches(group: Group) -> float | None:
    """Reads of the database for want of an entry in the cache, in per cent of what the servers have served."""
    pairs = [(row.get("cache_fetches"), row.get("server_served")) for row in group.good]
    known = [(fetches, served) for fetches, served in pairs if fetches is not None and served]
    return 100 * sum(one for one, _ in known) / sum(served for _, served in known) if known else None


def ratio(group: Group, base: Group, column: str) -> Interval | None:
    """Within blocks; None where no block has a value of both."""
    mine, other = group.by_block(column), base.by_block(column)
    return ratio_interval(mine, other, seed=group.seed) if mine.keys() & other.keys() else None


def sentence(one: str, base: str, rate: Interval | None, p99: Interval | None, verb: str) -> str:
    """Such as: 2 replicas of 0.5 CPU behind haproxy: serves 0.93 (0.90 to 0.97) times the requests of 1 replica ..."""
    what = {"serves": "the requests", "sustains": "the rate"}[verb]
    served = f"{verb} {_times(rate)} {what} of {base}" if rate else f"what it {verb} is not known of both"
    waited = f"its p99 latency is {_times(p99)} that" if p99 else "p99 latency not known of both"
    return f"{one}: {served}{_shown(rate)}; {waited}{_shown(p99)}."


def _times(found: Interval) -> str:
    if found.low is None or found.high is None:
        return f"{found.estimate:.2f} times"
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f}) times"


def _shown(found: Interval | None) -> str:
    """What the interval does not show."""
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return f" (a hint: {found.count} of the {FEWEST_BLOCKS} blocks that an interval takes)"
    return ", no difference shown" if found.low <= 1 <= found.high else ""
