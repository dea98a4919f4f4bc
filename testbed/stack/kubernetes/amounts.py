"""Amounts as Kubernetes writes them. Pure. Source: its API reference, Quantity."""

import math

from testbed.stack.services import Limits

_MIB = 2**20


def cpus(count: float) -> str:
    """In thousandths, the least there is: `250m`; whole ones without a unit, as the CPU manager wants them."""
    thousandths = max(1, round(count * 1000))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def memory(count: int) -> str:
    """In MiB where that is exact, else in bytes."""
    return str(count) if count % _MIB else f"{count // _MIB}Mi"


def processors(limits: Limits) -> str | None:
    """Processors of its own as so many whole CPUs; None without any."""
    usable = limits.usable_cpus if limits.cpus is None else None
    return None if usable is None else cpus(usable)


def is_whole(count: float) -> bool:
    return count == math.floor(count)


def is_exact(count: float) -> bool:
    """Whether thousandths say it."""
    return abs(count * 1000 - round(count * 1000)) < 1e-6


def seconds(us: int) -> int:
    """Whole ones, not less."""
    return math.ceil(us / 1e6)
