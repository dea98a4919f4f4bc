"""What decides a verdict."""

from testbed.docs.markdown import table
from testbed.judge import rules, thresholds
from testbed.units import format_us

_FOLLOWS: dict[rules.Role, str] = {
    "invalidates": "`invalid`",
    "generator short": "`client-bound`",
    "off schedule": "`client-bound`, unless server or front is saturated",
    "flag": "shown, changes no verdict",
}


def gates() -> str:
    """The gates in the order in which they decide."""
    lines = ((f"`{rule.name}`", rule.asks, _FOLLOWS[rule.role], rule.reason) for rule in rules.RULES)
    return table(("gate", "asks whether", "where it fails", "why"), lines)


def _value(limit: thresholds.Limit) -> str:
    match limit.unit:
        case "share":
            return f"{limit.value * 100:g} %"
        case "us":
            return format_us(limit.value)
        case "s":
            return f"{limit.value:g}s"
        case "seconds":
            return f"{limit.value:g} whole seconds"


def limits() -> str:
    """Every number a verdict depends on."""
    lines = ((f"`{one.name}`", _value(one), f"`{one.decides}`", one.reason) for one in thresholds.limits())
    return table(("threshold", "value", "decides", "why so much"), lines)
