"""Trials by what their columns of JSON say, and what a model costs by what it holds. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from testbed.claims.claim import Row
from testbed.claims.deciding import Unanswered, Where, chosen, each, series


def inside(column: str, *path: str, default: Any = None) -> Any:
    """What reads a value inside a column of JSON, such as `behind`; `default` where it is not there."""

    def read(row: Row) -> Any:
        text = row.get(column)
        value: Any = json.loads(text) if text and text != "none" else {}
        for key in path:
            value = value.get(key, default) if isinstance(value, dict) else default
        return value

    return read


def has(column: str, *path: str, value: Any) -> Where:
    """Whether that value is there."""
    read = inside(column, *path)
    return lambda row: bool(read(row) == value)


def slope(rows: Sequence[Row], model: str, column: str) -> dict[int, float]:
    """How much the column grows with each idle holder, by block: least squares over the numbers of holders that every
    block has. Unanswered with fewer than two numbers."""
    of_model = chosen(rows, model=model)
    numbers = sorted({int(row["idle_holders"]) for row in of_model})
    if len(numbers) < 2:
        raise Unanswered(f"{model}: fewer than two numbers of held connections, so no slope")
    by_number = [series(chosen(of_model, idle_holders=number), column, client=True) for number in numbers]
    return each(lambda *values: least_squares(numbers, values), *by_number)


def least_squares(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The slope of the line through these points."""
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    rise = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return rise / sum((x - x_mean) ** 2 for x in xs)
