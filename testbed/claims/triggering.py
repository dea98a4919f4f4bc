"""What the claims about triggers ask alike: whether a reading tells early, and only where more is needed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from testbed.claims.claim import Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, chosen, in_all
from testbed.report.readings import TRIGGERS
from testbed.report.triggers import is_level, is_ramp

SWEEP = "sweeps/claims/triggers.yaml"
# As long before the objective breaks, so that a replica may start in time.
LEAD_S = 2
QUESTION = "which reading is a good trigger"


def deciding(name: str) -> Callable[[Sequence[Row]], Finding]:
    """The predicate of one reading."""

    @answered
    def decide(rows: Sequence[Row]) -> Finding:
        ramps = chosen(rows, lambda row: is_ramp(row["profile"]))
        calm = chosen(rows, lambda row: is_level(row["profile"]))
        early = in_all(ramps, lambda row: _early(row, name), f"it fires {LEAD_S} s before the objective breaks")
        quiet = in_all(_held(calm), lambda row: _quiet(row, name), "it is silent under the steady load")
        leads = [row[f"lead_{name}_s"] for row in ramps if row.get(f"lead_{name}_s") is not None]
        found = replace(all_of(early, quiet), decided=f"{early.decided}; {quiet.decided}; {_ranked(ramps, calm)}")
        if not leads:
            return replace(found, figure="it fired in no ramp")
        low, middle, high = min(leads), median(leads), max(leads)
        shown = f"{middle:g} s before ({low:g} to {high:g})"
        return replace(found, figure=shown, estimate=middle, low=low, high=high, bound=float(LEAD_S))

    return decide


def _early(row: Row, name: str) -> bool | None:
    """Of a ramp that broke the objective. Unanswered for one that did not."""
    if row.get("broken_at_s") is None:
        raise Unanswered(f"{row.get('trial_id')}: the ramp is not known to have broken the objective")
    fired, lead = row.get(f"fired_{name}"), row.get(f"lead_{name}_s")
    if fired is False:
        return False
    return None if lead is None else bool(lead >= LEAD_S)


def _held(calm: Sequence[Row]) -> list[Row]:
    """The steady trials in which the objective held throughout: an alarm in another one may be true."""
    found = [row for row in calm if row.get("violation_s") == 0]
    if not found:
        raise Unanswered("the objective is not known to have held throughout under the steady load of any trial")
    return found


def _quiet(row: Row, name: str) -> bool | None:
    alarms = row.get(f"alarms_{name}")
    return None if alarms is None else alarms == 0


def _ranked(ramps: Sequence[Row], calm: Sequence[Row]) -> str:
    """All readings, those with the fewest false alarms first, of equals the longest median lead."""
    places = []
    for one in TRIGGERS:
        leads = [row.get(f"lead_{one.name}_s") for row in ramps]
        alarms = [row.get(f"alarms_{one.name}") for row in calm]
        known = [lead for lead in leads if lead is not None]
        told = [alarm for alarm in alarms if alarm is not None]
        if len(told) < len(alarms):
            places.append((1, 0, 0.0, f"{one.title} (not known)"))
            continue
        lead = median(known) if known else -float("inf")
        text = f"{lead:g} s" if known else "never fired"
        places.append((0, sum(told), -lead, f"{one.title} ({text}, {sum(told)} false alarms)"))
    return "in their order: " + ", ".join(text for *_, text in sorted(places))
