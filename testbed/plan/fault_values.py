"""The values of `fault` in a sweep file, read from what people write or from their canonical text; and what they do not
go with. Pure."""

from functools import cache
from typing import Annotated, get_args

from testbed.plan.behind_values import expanded
from testbed.plan.fault import NONE, OF_SIDECARS, Fault, How, Kind, text, written
from testbed.plan.fields import MAX_REPLICAS, Reader, not_allowed, not_allowed_at
from testbed.plan.mapping import Mapping, number, one_of, quantity
from testbed.plan.scaling import MAX_DELAY_US, duration
from testbed.units import parse_duration_us

_KEYS = {
    "stopped": ("is", "replica", "at", "for"),
    "failing": ("is", "replica", "at", "for", "share"),
    "slow": ("is", "replica", "at", "for", "share", "by"),
    "crashed": ("is", "replica", "at", "for", "how", "every"),
}
# A crash is a request of its own, asked for by who watches the trial.
MIN_EVERY_US = 100_000
ALLOWED = (
    "`none`, `{is: stopped, replica: 1, at: 3s, for: 4s}` (or failing, slow), or `{is: crashed, at: 3s, how: segv}` "
    "(or exit, raise, oom)"
)


def read(given: object) -> Fault | None:
    """The record of one value of the sweep file; None for `none`. PydanticCustomError says where what is allowed."""
    if given == NONE:
        return None
    if not isinstance(given, dict):
        raise not_allowed(ALLOWED)
    every = dict.fromkeys(key for keys in _KEYS.values() for key in keys)
    kind: Kind = Mapping(given, (), tuple(every)).take("is", one_of(*_KEYS), ", ".join(get_args(Kind)))
    for key in given:
        if key not in _KEYS[kind]:
            raise not_allowed_at((key,), f"nothing with is {kind}, which has {', '.join(_KEYS[kind][1:])}")
    one = Mapping(given, (), _KEYS[kind])
    times = quantity(parse_duration_us, 1_000, MAX_DELAY_US), "a duration from 1ms to 60m, such as 4s"
    every_us = one.take(
        "every",
        quantity(parse_duration_us, MIN_EVERY_US, MAX_DELAY_US),
        "a duration from 100ms to 60m, such as 500ms",
        default=0,
    )
    if kind == "crashed" and "for" in given and not every_us:
        raise not_allowed_at(("for",), "nothing without every: one crash is over at once")
    return Fault(
        kind,
        one.take("at", quantity(parse_duration_us, 0, MAX_DELAY_US), "a duration from 0 to 60m, such as 3s"),
        int(one.take("replica", number(1, MAX_REPLICAS, whole=True), f"a number from 1 to {MAX_REPLICAS}", default=1)),
        one.take("for", *times, default=0),
        float(one.take("share", _share, "a share of the requests in whole percents, 0.01 to 1", default=1.0)),
        one.take("by", *times, default=Fault.by_us),
        one.take("how", one_of(*get_args(How)), ", ".join(get_args(How)), default=Fault.how),
        every_us,
    )


def _share(value: object) -> float:
    """Envoy's runtime has whole percents. ValueError as of `number`."""
    share = number(0.01, 1)(value)
    if abs(100 * share - round(100 * share)) > 1e-9:
        raise ValueError
    return share


def _text(given: object) -> str:
    return text(read(given))


Faults = Annotated[str, Reader(_text, allowed=ALLOWED, expands=expanded)]
"""One value of `fault`, as its canonical text."""


@cache
def of_text(canonical: str) -> Fault | None:
    """The record of a canonical text; None for `none`."""
    return read(written(canonical))


def label(canonical: str) -> str:
    """It in a few words for tables, such as `replica 2 stopped at 3s for 4s`."""
    fault = of_text(canonical)
    if fault is None:
        return NONE
    words = [f"replica {fault.replica} {fault.kind}"]
    words += [f"by {duration(fault.by_us)}"] if fault.kind == "slow" else []
    words += [f"({fault.how})"] if fault.kind == "crashed" else []
    words += [f"{100 * fault.share:g} %"] if fault.share != 1 else []
    words += [f"at {duration(fault.at_us)}"]
    words += [f"every {duration(fault.every_us)}"] if fault.every_us else []
    words += [f"for {duration(fault.for_us)}"] if fault.for_us else []
    return " ".join(words)


def misfit_in_time(canonical: str, mode: str, window_us: int) -> str:
    """What is allowed of one value where the load and the window do not go with it; empty when they do."""
    fault = of_text(canonical)
    if fault is None:
        return ""
    if mode != "open":
        return f"none with mode {mode}: only an open loop goes on asking while a replica does not answer"
    if fault.at_us >= window_us or fault.ends_us > window_us:
        return f"within the duration, {duration(window_us)}"
    return ""


def misfit(canonical: str, replicas: int, scaling: str, sidecar: str, is_swarm: bool) -> str:
    """What is found and allowed where a value does not go with the trial it is for; empty when it does."""
    fault = of_text(canonical)
    if fault is None:
        return ""
    found, leave = label(canonical), "or leave the combination out by exclude"
    if is_swarm:
        return f"found {found}, allowed: none on a Swarm (its nodes are reached by the manager alone), {leave}"
    if fault.replica > replicas:
        return f"found {found} with {replicas} replicas, allowed: replica 1 to {replicas}, {leave}"
    if scaling != NONE:
        return f"found {found} and scaling, allowed: scaling none (who scales would answer the fault), {leave}"
    if fault.kind in OF_SIDECARS and sidecar == NONE:
        return f"found {found} without a sidecar, allowed: sidecar envoy (which does it), {leave}"
    return ""
