"""Which model comes first under one condition, by one measure, and how sure that is. Pure.

Models are compared within blocks, each with the one whose median is best. One whose interval of the ratio holds 1 is
not shown to be worse and shares the first place. Intervals have 95 % each: the words say what that means for many.
"""

from collections.abc import Callable
from dataclasses import dataclass

from testbed.report.view import Group, duration, percent, size
from testbed.statistics import CONFIDENCE, FEWEST_BLOCKS, Interval, ratio_interval


@dataclass(frozen=True)
class Measure:
    """A column by which models are ranked."""

    column: str
    heading: str
    best: str
    """What the first one has."""
    more_is_better: bool
    shape: Callable[[float], str]


THROUGHPUT = Measure("throughput_rps", "Requests served", "the most requests", True, lambda n: f"{n:,.0f}/s")
CAPACITY = Measure("capacity_rps", "Highest rate that held", "the highest rate", True, lambda n: f"{n:,.0f}/s")
LATENCY = Measure("latency_p99_us", "p99 latency", "the shortest p99 latency", False, duration)
CPU = Measure("cpu_us_per_request", "CPU time per request", "the least CPU time", False, duration)
MEMORY = Measure("memory_peak_bytes", "Peak memory", "the least memory", False, size)


@dataclass(frozen=True)
class Place:
    """One model in a ranking."""

    group: Group
    estimate: float
    ratio: Interval | None
    """Of its value to the leader's, within blocks. None for the leader, and where no block has a value of both."""
    first: bool
    """Whether it has or shares the first place."""
    set_aside: str = ""
    """Why it cannot be ranked; empty where it can."""

    def text(self, measure: Measure) -> str:
        """Its value; of a capacity `at least` where the generator was the limit."""
        at_least = measure is CAPACITY and self.group.capacity_at_least
        return f"{'at least ' * at_least}{measure.shape(self.estimate)}"

    @property
    def known(self) -> bool:
        """Whether an interval tells how sure the difference from the leader is."""
        return self.ratio is not None and self.ratio.low is not None


@dataclass(frozen=True)
class Ranking:
    measure: Measure
    places: tuple[Place, ...]
    """Best first; those set aside last."""

    @property
    def leader(self) -> Place | None:
        return next((place for place in self.places if not place.set_aside), None)

    @property
    def first(self) -> tuple[Place, ...]:
        """Who has the first place, or shares it."""
        return tuple(place for place in self.places if place.first)

    @property
    def behind(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if not place.first and not place.set_aside)

    @property
    def certain(self) -> bool:
        """Whether every difference from the leader has an interval."""
        return all(place.known for place in self.places if place is not self.leader and not place.set_aside)

    @property
    def blocks(self) -> int:
        """The fewest blocks that a comparison rests on; of a single model its trials."""
        counts = [place.ratio.count for place in self.places if place.ratio is not None]
        if counts:
            return min(counts)
        return len(self.leader.group.good) if self.leader else 0


def rank(groups: list[Group], measure: Measure, paired: bool = True) -> Ranking:
    """Rank these groups, all under one condition. `paired` is False where trials are in no blocks."""
    known = [(group, value) for group in groups if (value := group.median(measure.column)) is not None]
    known.sort(key=lambda one: -one[1] if measure.more_is_better else one[1])
    reasons = {id(group): _set_aside(group, measure) for group, _ in known}
    ranked = [one for one in known if not reasons[id(one[0])]]
    # A leader that measured the generator is better than it looks, which does not harm; another may be, too.
    aside = [Place(group, value, None, False, reasons[id(group)]) for group, value in known if reasons[id(group)]]
    places = [_place(group, value, ranked[0][0], measure, paired) for group, value in ranked]
    return Ranking(measure, (*places, *aside))


def starved(group: Group) -> float:
    """Users without any reply in the window; the median over the trials."""
    values = sorted(group.values("users_starved"))
    return values[len(values) // 2] if values else 0.0


def _set_aside(group: Group, measure: Measure) -> str:
    if measure is CAPACITY and not group.median(measure.column):
        return "held the objective at no rate"
    if measure in (THROUGHPUT, LATENCY) and (count := starved(group)):
        users = group.good[0]["users"]
        return f"left {count:g} of {users} users without any reply"
    return ""


_AT_LEAST = "may be capable of more: the load generator was the limit"


def _place(group: Group, value: float, leader: Group, measure: Measure, paired: bool) -> Place:
    if group is leader:
        return Place(group, value, None, True)
    mine, best = group.by_block(measure.column), leader.by_block(measure.column)
    if not paired or not mine.keys() & best.keys():
        at_least = measure is CAPACITY and group.capacity_at_least
        return Place(group, value, None, False, _AT_LEAST if at_least else "")
    ratio = ratio_interval(mine, best, seed=group.seed)
    if measure is CAPACITY and group.capacity_at_least:
        return Place(group, value, ratio, False, _AT_LEAST)
    if measure is THROUGHPUT and group.client_bound and not leader.client_bound:
        return Place(group, value, ratio, False, "measured the load generator and may be capable of more")
    if ratio.low is None or ratio.high is None:
        return Place(group, value, ratio, False)
    return Place(group, value, ratio, ratio.high >= 1 if measure.more_is_better else ratio.low <= 1)


def nothing(found: list[Ranking]) -> str:
    """Why there is no ranking at all."""
    return "no search has an answer" if any(one.measure is CAPACITY for one in found) else "no trial is valid"


def how_sure(found: list[Ranking]) -> str:
    """In words: on what these rankings, all of the same models, rest."""
    led = [one for one in found if one.leader is not None]
    if not led:
        return nothing(found)
    if all(len(one.places) < 2 for one in led):
        return "there is no other model to compare it with"
    count = min(one.blocks for one in led)
    trials = f"{count} trial{'s' if count != 1 else ''} of each model"
    if not all(one.certain for one in led):
        return f"not sure: {trials}, and it takes {FEWEST_BLOCKS} to tell a difference from chance; set `repeat: 5`"
    behind = f"what stands behind is behind with {percent(CONFIDENCE)} confidence, each by itself"
    shared = "where no difference is shown, more trials (`repeat`) may show one"
    parts = [behind] * any(one.behind for one in led) + [shared] * any(len(one.first) > 1 for one in led)
    return f"{trials}: {'; '.join(parts)}"
