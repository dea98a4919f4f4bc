"""The section "Which reading tells first": triggers on a ramp beyond what can be borne, and under a steady load. Pure.

How one trial's readings are judged is in testbed/scaling/assess.py, what is read and from where on in readings.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from markupsafe import Markup

from loadtests import profiles
from loadtests.segments import Ramp
from testbed.plan import scaling
from testbed.plan.profile import STEADY, label
from testbed.plan.redo import counted
from testbed.report import setups
from testbed.report.html import heads, joined, table
from testbed.report.moving import seconds_of
from testbed.report.readings import TRIGGERS, Reading, readings
from testbed.report.source import Row
from testbed.report.templating import fill
from testbed.report.timeline import Timeline, objective_us, timeline
from testbed.report.view import Group, View, duration, percent
from testbed.scaling.assess import Objective, Ranked, first_broken, holds, rank_triggers

TITLE = "Which reading tells first"


@dataclass(frozen=True)
class Block:
    """A ramp and a steady load of one block."""

    block: int
    broken_s: int
    """The ramp's second in which the objective was first broken."""
    share: float | None
    """The steady load, of what was served in the ramp's seconds in which the objective was broken."""
    steady_broken: int
    """Seconds of the steady load in which the objective is known to be broken."""
    steady_s: int
    ranked: dict[str, Ranked]


@dataclass(frozen=True)
class Told:
    """One trigger over all blocks. What is not known of one block is not known of all."""

    reading: Reading
    of: tuple[Ranked, ...]
    """A block each."""

    @property
    def fired(self) -> int | None:
        """In how many ramps."""
        each = [one.fired for one in self.of]
        return None if None in each else sum(one is True for one in each)

    @property
    def leads(self) -> list[int] | None:
        """Of the ramps in which it fired."""
        leads = [one.lead_s for one in self.of if one.fired is not False]
        known = [lead for lead in leads if lead is not None]
        return known if len(known) == len(leads) else None

    @property
    def false_alarms(self) -> list[int] | None:
        found = [one.false_alarms for one in self.of if one.false_alarms is not None]
        return found if len(found) == len(self.of) else None

    @property
    def false_share(self) -> list[float] | None:
        found = [one.false_share for one in self.of if one.false_share is not None]
        return found if len(found) == len(self.of) else None

    @property
    def is_sound(self) -> bool:
        """Whether it fired in every ramp and never under the steady load."""
        return self.fired == len(self.of) and bool(self.leads) and self.false_alarms == [0] * len(self.of)


@dataclass(frozen=True)
class Contest:
    """A ramp and a steady load that all else was the same for."""

    heading: str
    ramp: str
    steady: str
    blocks: tuple[Block, ...]
    """Those in which the objective is known to have broken on the ramp."""
    of: int
    """How many blocks have both trials."""

    @property
    def told(self) -> list[Told]:
        """The best first: fewest false alarms, then the longest lead; what is not known last."""
        found = [Told(one, tuple(block.ranked[one.name] for block in self.blocks)) for one in TRIGGERS]
        return sorted(found, key=_place)


def _place(one: Told) -> tuple[bool, float, bool, float]:
    share, leads = one.false_share, one.leads
    return share is None, median(share or [0.0]), not leads, -median(leads or [0])


def contests(view: View) -> list[Contest]:
    """For each ramp and each steady load of one cell; none without an objective."""
    objective = objective_us(view.results)
    if objective is None:
        return []
    without = ("profile", "rate_rps")
    rest = [name for name in setups.varied(view) if name not in without]
    cells: dict[Any, list[Group]] = {}
    for group in view.groups:
        row = group.rows[0]
        if row.get("scaling") in (None, "", scaling.NONE):
            cells.setdefault((group.series, *(row.get(name) for name in rest)), []).append(group)
    found = []
    for groups in cells.values():
        ramps = [one for one in groups if is_ramp(one.rows[0].get("profile"))]
        steady = [one for one in groups if is_level(one.rows[0].get("profile"))]
        heading = ", ".join(filter(None, (groups[0].series, setups.in_words(view, groups[0].rows[0], without))))
        found += [_contest(view, heading, ramp, one, objective) for ramp in ramps for one in steady]
    return found


def is_ramp(profile: str | None) -> bool:
    """Whether a rate goes up evenly at some time, and never down."""
    parts = _ramps(profile)
    ends = [rate for one in parts for rate in (one.first, one.last)]
    return ends == sorted(ends) and any(one.first < one.last for one in parts)


def is_level(profile: str | None) -> bool:
    """Whether a profile is of one rate."""
    return len({rate for one in _ramps(profile) for rate in (one.first, one.last)}) == 1


def _ramps(profile: str | None) -> list[Ramp]:
    """The segments; none where one of them is a sine."""
    segments = () if profile in (None, "", STEADY) else profiles.parse(str(profile)).segments
    found = [one for one in segments if isinstance(one, Ramp)]
    return found if len(found) == len(segments) else []


def _contest(view: View, heading: str, ramp: Group, steady: Group, objective: float) -> Contest:
    beside = {row["block"]: row for row in counted(steady.good)}
    pairs = [(row, beside[row["block"]]) for row in counted(ramp.good) if row["block"] in beside]
    found = [_block(view, one, other, objective) for one, other in pairs]
    rising, level = (label(str(one.rows[0]["profile"])) for one in (ramp, steady))
    return Contest(heading, rising, level, tuple(one for one in found if one is not None), len(pairs))


def _block(view: View, ramp: Row, steady: Row, objective: float) -> Block | None:
    """None where the objective is not known to have broken on the ramp."""
    rising, level = timeline(view.results, ramp), timeline(view.results, steady)
    if rising is None or level is None:
        return None
    held = _held(rising, objective)
    broken_at = first_broken(held)
    if broken_at is None:
        return None
    read = [readings(view.results, row, seen, objective) for row, seen in ((ramp, rising), (steady, level))]
    ranked = rank_triggers([one.trigger for one in TRIGGERS], read[0].__getitem__, held, read[1].__getitem__)
    served = [rate for rate, one in zip(rising.rate(rising.served), held, strict=True) if one is False and rate]
    offered = [rate for rate in level.rate(level.offered) if rate is not None]
    return Block(
        block=ramp["block"],
        broken_s=broken_at,
        share=sum(offered) / len(offered) / median(served) if served and offered else None,
        steady_broken=_held(level, objective).count(False),
        steady_s=len(level.starts),
        ranked={one.name: one for one in ranked},
    )


def _held(seen: Timeline, objective: float) -> list[bool | None]:
    return [holds(one, Objective(objective)) for one in seconds_of(seen, objective)]


# --- in words ---


def section(view: View) -> Markup:
    """The HTML of the section; empty where no cell has both a ramp and a steady load, or nothing is to hold."""
    found = contests(view)
    objective = objective_us(view.results)
    if not found or objective is None:
        return Markup("")
    parts = [{"heading": one.heading, "about": about(one), "line": line(one), "table": numbers(one)} for one in found]
    return fill("triggers.html", objective=duration(objective), parts=parts)


def about(contest: Contest) -> str:
    """What was asked, and when the objective broke."""
    asked = f"A ramp, {contest.ramp}, and a steady load, {contest.steady}, in {counted_words(contest.of, 'block')}."
    if not contest.blocks:
        return f"{asked} In none of them is the ramp known to have broken the objective."
    broken = _text([one.broken_s for one in contest.blocks])
    left = contest.of - len(contest.blocks)
    less = f" {counted_words(left, 'block')} in which it is not known to have broken: left out." if left else ""
    shares = [one.share for one in contest.blocks if one.share is not None]
    share = f" The steady load is {_percents(shares)} of what was served while it was broken." if shares else ""
    seconds = sum(one.steady_s for one in contest.blocks)
    steady = (
        f" Under the steady load it was broken in {sum(one.steady_broken for one in contest.blocks)} of {seconds} s."
    )
    return f"{asked} The objective broke after {broken} s of the ramp.{less}{share}{steady}"


def line(contest: Contest) -> Markup:
    """Which trigger has the longest lead among those without false alarms."""
    if not contest.blocks:
        return Markup("No trigger has a lead to what did not break.")
    sound = [one for one in contest.told if one.is_sound]
    if not sound:
        return Markup("No trigger fired in every ramp and never under the steady load.")
    first = sound[0]
    alike = [Markup("<strong>{}</strong>").format(one.reading.title) for one in sound[1:] if not _is_before(first, one)]
    but = Markup("; not told apart from {}").format(joined(alike, "and")) if alike else ""
    when = "before" if median(first.leads or [0]) > 0 else "which is not before"
    lead = Markup("<strong>{}</strong> fires first, {} s {} the objective breaks{}.").format(
        first.reading.title, _text(first.leads or []), when, but
    )
    return Markup("Of the triggers that fired in every ramp and never under the steady load, {}").format(lead)


def _is_before(one: Told, other: Told) -> bool:
    """Whether it fired earlier in every block."""
    pairs = zip(one.leads or (), other.leads or (), strict=True)
    return all(mine > its for mine, its in pairs)


def numbers(contest: Contest) -> Markup:
    """All triggers as a table, the best first."""
    names = ("reading", "fires from", "ramps in which it fired", "lead (s)", "false alarms", "steady seconds it was on")
    rows = [
        [
            one.reading.title,
            f"{one.reading.threshold:g}",
            "not known" if one.fired is None else f"{one.fired} of {len(one.of)}",
            "not known" if one.leads is None else _text(one.leads) if one.leads else "none",
            "not known" if one.false_alarms is None else _text(one.false_alarms),
            "not known" if one.false_share is None else _percents(one.false_share),
        ]
        for one in (contest.told if contest.blocks else [])
    ]
    return table(heads([(one, place > 0) for place, one in enumerate(names)]), rows, range(1, len(names)))


def counted_words(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _text(values: Sequence[float]) -> str:
    """The median, with the range where they differ."""
    shown = f"{median(values):g}"
    return shown if min(values) == max(values) else f"{shown} ({min(values):g} to {max(values):g})"


def _percents(values: Sequence[float]) -> str:
    shown = percent(median(values))
    low, high = percent(min(values)), percent(max(values))
    return shown if low == high else f"{shown} ({low} to {high})"
