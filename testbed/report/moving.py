"""What scaling was worth, in words: from the timelines of trials, beside the best that stood still. Pure.

The measures are those of testbed/scaling/assess.py; here they are of one trial each, and compared within blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from testbed.plan import scaling
from testbed.plan.redo import counted
from testbed.report import setups, standing
from testbed.report.html import heads, table
from testbed.report.source import Row
from testbed.report.timeline import Timeline, is_transient, objective_us, rises, timeline
from testbed.report.view import Group, View, duration
from testbed.scaling.assess import Assessment, Objective, Second, assess
from testbed.statistics import Interval, median_interval, ratio_interval

Number = float | None


@dataclass(frozen=True)
class Measured:
    """One trial."""

    block: int
    found: Assessment
    lost: Number
    """Requests that failed, were never sent, or took longer than the objective."""

    @property
    def restored_s(self) -> Number:
        """The longest time from a step of the load until the objective held again; of a load without steps from the
        window's opening. None where one of them is not known, or it did not hold again."""
        times = [one.after_s for one in self.found.restored]
        known = [time for time in times if time is not None]
        return float(max(known)) if known and len(known) == len(times) else None

    @property
    def not_restored(self) -> bool:
        return any(one.how == "not restored" for one in self.found.restored)


@dataclass(frozen=True)
class Course:
    """The trials of one cell."""

    group: Group
    trials: tuple[Measured, ...]

    @property
    def moves(self) -> bool:
        """Whether anything but the load was to change."""
        return self.group.rows[0].get("scaling") not in (None, "", scaling.NONE)

    def by_block(self, of: Callable[[Measured], Number]) -> dict[int, float]:
        return {one.block: value for one in self.trials if (value := of(one)) is not None}

    def interval(self, of: Callable[[Measured], Number]) -> Interval | None:
        """The median; None with one trial unknown, as it might be the greatest."""
        values = list(self.by_block(of).values())
        return median_interval(values, seed=self.group.seed) if values and len(values) == len(self.trials) else None


@dataclass(frozen=True)
class Contest:
    """Courses of one model under the same load."""

    heading: str
    courses: tuple[Course, ...]

    @property
    def best_static(self) -> Course | None:
        """Of those that stood still the one with the fewest seconds in violation, of equals that which reserved least;
        None where these are not known of one of them."""
        still = [course for course in self.courses if not course.moves]
        places = [(course.interval(violation), course.interval(reserved)) for course in still]
        known = [
            (held.estimate, cpus.estimate, course)
            for (held, cpus), course in zip(places, still, strict=True)
            if held is not None and cpus is not None
        ]
        if not known or len(known) < len(still):
            return None
        return min(known, key=lambda one: one[:2])[2]


def violation(one: Measured) -> Number:
    return one.found.violation_s


def reserved(one: Measured) -> Number:
    return one.found.cpu_reserved_s


def used(one: Measured) -> Number:
    return one.found.cpu_used_s


def contests(view: View) -> list[Contest]:
    """Where something was to change and the sweep has an objective; none without one."""
    objective = objective_us(view.results)
    if objective is None:
        return []
    rest = [name for name in setups.varied(view) if name not in (*setups.SPREAD, "scaling", "cpus")]
    found: dict[Any, list[Course]] = {}
    for group in view.groups:
        row = group.rows[0]
        trials = [one for row in counted(group.good) if (one := measured(view, row, objective)) is not None]
        if trials:
            key = (group.series, *(row.get(name) for name in rest))
            found.setdefault(key, []).append(Course(group, tuple(trials)))
    moving = [courses for courses in found.values() if any(is_transient(one.group.rows[0]) for one in courses)]
    for courses in moving:
        courses.sort(key=lambda one: (one.moves, *standing.plainness(one.group)))
    return [Contest(_heading(view, courses[0].group), tuple(courses)) for courses in moving]


_SYSTEM = (*setups.SPREAD, "scaling", "cpus")


def _heading(view: View, group: Group) -> str:
    return ", ".join(filter(None, (group.series, setups.in_words(view, group.rows[0], _SYSTEM))))


def is_told(view: View) -> bool:
    """Whether there is an objective to tell of."""
    return objective_us(view.results) is not None


def measured(view: View, row: Row, objective: float) -> Measured | None:
    """What a trial came to; None where nothing is known of its seconds."""
    seen = timeline(view.results, row)
    if seen is None:
        return None
    seconds = seconds_of(seen, objective)
    steps = rises(row, seen.offered) or [0]
    done = sum(bool(one.get("done")) for one in seen.actions)
    late = _late(view.results.file(row["trial_id"], "load.json") or {}, objective)
    parts = (late, row.get("failed"), row.get("missed"))
    lost = None if None in parts else float(sum(part for part in parts if part is not None))
    return Measured(row["block"], assess(seconds, Objective(objective), steps, done), lost)


def seconds_of(seen: Timeline, objective: float) -> list[Second]:
    """As the assessment has them. CPUs are over the length of each, so that their sum is CPU-seconds."""
    return [
        Second(
            offered=_whole(seen.offered[place]),
            ok=_whole(seen.served[place]),
            failed=_whole(seen.failed[place]),
            missed=_whole(seen.missed[place]),
            p99_us=_waited(seen, place, objective),
            supply=seen.serving[place],
            reserved_cpus=_times(seen.reserved_cpus[place], seen.lengths[place]),
            used_cpus=_times(seen.used_cpus[place], seen.lengths[place]),
        )
        for place in range(len(seen.starts))
    ]


def _waited(seen: Timeline, place: int, objective: float) -> Number:
    """The p99 of a second. Where nothing was answered, what was due at its beginning has waited through all of it: that
    is beyond an objective that is shorter; of another nothing is known."""
    if seen.served[place] == 0 and seen.offered[place]:
        length_us = seen.lengths[place] * 1e6
        return length_us if objective < length_us else None
    return seen.p99_us[place]


def _whole(value: Number) -> int | None:
    return None if value is None else int(value)


def _times(value: Number, length: float) -> Number:
    return None if value is None else value * length


def _late(load: dict[str, Any], objective: float) -> int | None:
    """Replies that took longer than the objective, as far as the histogram tells: one whose bucket begins at the
    objective or beyond. None without it."""
    buckets = (load.get("histograms") or {}).get("latency")
    return None if buckets is None else sum(int(count) for low, _, count in buckets if low >= objective)


def lines(contest: Contest) -> list[Markup]:
    """Each course in a sentence, those that moved beside the best that stood still."""
    best = contest.best_static
    found = [_sentence(course, best) for course in contest.courses]
    if best is None and any(course.moves for course in contest.courses):
        found.append(Markup("No system that stood still was measured beside these, or not all of it is known."))
    return found


def name(course: Course) -> str:
    """A system by what it begins with, and what changes it."""
    row = course.group.rows[0]
    return f"{setups.system(row)}, {setups.part('scaling', row) if course.moves else 'no scaling'}"


def _sentence(course: Course, best: Course | None) -> Markup:
    parts = [_held(course), f"{_text(course.interval(violation))} s in violation"]
    parts.append(f"{_text(course.interval(lambda one: one.lost))} requests late, failed or not sent")
    cpus = f"{_text(course.interval(reserved))} CPU-seconds reserved"
    if best is not None and course is not best:
        cpus += f", {_beside(course, best)} of the best that stood still ({name(best)})"
    parts.append(cpus)
    if best is course:
        parts.append("the best of those that stood still")
    return Markup("<strong>{}</strong>: {}.").format(name(course), "; ".join(parts))


def _held(course: Course) -> str:
    broken = sum(one.not_restored for one in course.trials)
    if broken:
        return f"the objective did not hold again in {broken} of {len(course.trials)} trials"
    found = course.interval(lambda one: one.restored_s)
    if found is not None and not found.estimate and not found.high:
        return "the objective was never broken"
    return f"the objective held again after {_text(found)} s"


def _beside(course: Course, best: Course) -> str:
    mine, other = course.by_block(reserved), best.by_block(reserved)
    if not mine.keys() & other.keys():
        return "an unknown part"
    found = ratio_interval(mine, other, seed=course.group.seed)
    if found.low is None or found.high is None:
        return f"{found.estimate:.2f} (a hint: too few blocks for an interval)"
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"


def _text(found: Interval | None) -> str:
    """The median with its range where there are trials enough for one."""
    if found is None:
        return "not known"
    shown = _number(found.estimate)
    known = found.low is not None and found.high is not None and found.low < found.high
    return shown if not known else f"{shown} ({_number(found.low)} to {_number(found.high)})"  # type: ignore[arg-type]  # both are known


def _number(value: float) -> str:
    """Four digits, and all of a number that has more before its point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def numbers(contest: Contest) -> Markup:
    """All measures as a table."""
    names = ["system", "objective held again (s)", "in violation (s)", "late, failed or not sent", "CPU-s reserved"]
    names += ["CPU-s used", "actions", "trials"]
    rows = [
        [
            name(course),
            "did not" if any(one.not_restored for one in course.trials) else _text(course.interval(_restored)),
            _text(course.interval(violation)),
            _text(course.interval(lambda one: one.lost)),
            _text(course.interval(reserved)),
            _text(course.interval(used)),
            _text(course.interval(lambda one: float(one.found.actions))),
            len(course.trials),
        ]
        for course in contest.courses
    ]
    return table(heads([(one, place > 0) for place, one in enumerate(names)]), rows, range(1, len(names)))


def _restored(one: Measured) -> Number:
    return one.restored_s


def objective_words(view: View) -> str:
    """What was to hold; why nothing is told of it where there is no objective."""
    found = objective_us(view.results)
    if found is not None:
        return f"The objective is a p99 of {duration(found)} in each second, with no more than 1 % failed or not sent."
    return "The sweep names no objective, so nothing is said of when it held: the timelines show the p99 latency."
