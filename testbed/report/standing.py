"""Replicas and fronts in words: what each system does of what the simplest does, with intervals. Pure."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from testbed.report import ranking, setups
from testbed.report.advice import advice
from testbed.report.ranking import CAPACITY, CPU, LATENCY, MEMORY, THROUGHPUT
from testbed.report.timeline import is_transient
from testbed.report.view import Group, View
from testbed.statistics import FEWEST_BLOCKS, Interval, ratio_interval


@dataclass(frozen=True)
class Standing:
    """The systems of one model under what else was the same."""

    heading: str
    groups: tuple[Group, ...]
    """The simplest first: fewest replicas, nothing before them."""


def standings(view: View) -> list[Standing]:
    """Those of which there are several, and in which nothing was to change."""
    found: dict[Any, list[Group]] = {}
    rest = [name for name in setups.varied(view) if name not in setups.SPREAD]
    for group in view.groups:
        row = group.rows[0]
        if not is_transient(row) and row.get("share") in (None, 1.0):
            found.setdefault((group.series, *(row.get(name) for name in rest)), []).append(group)
    several = [sorted(groups, key=plainness) for groups in found.values() if len(groups) > 1]

    def heading(group: Group) -> str:
        return ", ".join(filter(None, (group.series, setups.in_words(view, group.rows[0], setups.SPREAD))))

    return [Standing(heading(groups[0]), tuple(groups)) for groups in several]


def plainness(group: Group) -> tuple[float, bool, str]:
    """What sorts the plainest first."""
    row = group.rows[0]
    front = str(row.get("front") or "none")
    return float(row.get("replicas") or 1), front != "none", front


def choose(view: View, standing: Standing) -> Markup:
    """Which system to choose, as a clause."""
    rate = CAPACITY if view.results.is_search else THROUGHPUT
    groups = [setups.named(group, name(standing, group)) for group in standing.groups]
    found = {one.column: ranking.rank(groups, one, not view.results.by_hand) for one in (rate, LATENCY, CPU, MEMORY)}
    return advice(found, "system")


def name(standing: Standing, group: Group) -> str:
    """A system by what tells it from the others of its model."""
    row = group.rows[0]
    told = setups.system(row)
    rows = [one.rows[0] for one in standing.groups]
    more = []
    for field in ("balance", "queue", "dns", "front_cpus"):
        # Of systems with the same front only.
        same = [one for one in rows if one.get("front") == row.get("front")]
        if len({one.get(field) for one in same}) > 1:
            more.append(setups.part(field, row))
    return ", ".join([told, *filter(None, more)])


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
        for group in others
    ]


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
