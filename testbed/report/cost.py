"""What the work of a request really cost, beside what was asked. Pure."""

from collections import defaultdict
from statistics import median
from typing import Any

from testbed.plan.axes import FIELDS
from testbed.report.source import Row
from testbed.report.view import View, duration

_WORK = ("spin_us", "hash_us")


def told(view: View) -> str:
    """CPU time per request as measured beside what was asked; less that of a bare echo where one was measured.

    Empty where nothing was asked, or nothing measured.
    """
    asked: dict[float, list[Row]] = defaultdict(list)
    bare: dict[Any, float] = {}
    for group in view.groups:
        for row in group.good:
            cost, held, free = row.get("cpu_us_per_request"), row.get("spin_us"), row.get("hash_us")
            # Where some users send bare echoes, the cost is that of neither kind of request.
            if cost is None or held is None or free is None or row.get("spinners"):
                continue
            if held + free:
                asked[held + free].append(row)
            else:
                bare[_without_work(row)] = float(cost)
    return "; ".join(_line(amount, rows, bare) for amount, rows in sorted(asked.items()))


def _without_work(row: Row) -> tuple[Any, ...]:
    """What a trial without the work must have in common: its block, and all of its cell but the work."""
    return row["block"], *(row[name] for name in FIELDS if name not in _WORK)


def _line(amount: float, rows: list[Row], bare: dict[Any, float]) -> str:
    costs = [float(row["cpu_us_per_request"]) for row in rows]
    line = f"asked: {duration(amount)}, used: {_range(costs)} per request, the model's own work included"
    own = [float(row["cpu_us_per_request"]) - bare[key] for row in rows if (key := _without_work(row)) in bare]
    if own:
        line += f"; {_range(own)} more than a request without that work"
    return line


def _range(values: list[float]) -> str:
    middle = duration(median(values))
    return middle if len(values) == 1 else f"{middle} ({duration(min(values))} to {duration(max(values))})"
