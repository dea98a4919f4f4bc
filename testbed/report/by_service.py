"""What each of several services behind a gateway answered, as a table of "Which system"."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from testbed.plan import services
from testbed.report import setups
from testbed.report.html import heads, table
from testbed.report.source import Row
from testbed.report.view import Group, View, duration

ABOUT = (
    "Medians of the valid trials. Requests/s, p50 and p99 are of what was answered rightly. Limited: of the requests "
    "for this service that were answered rightly or with 429, those with 429."
)
_COLUMNS = (
    *(("system", False), ("service", False), ("model", False), ("share asked", True)),
    *(("requests/s", True), ("p50", True), ("p99", True), ("limited", True), ("trials", True)),
)


def contests(view: View) -> list[dict[str, Any]]:
    """One for each set of services: its heading, what the numbers are, and a table of all systems that had it."""
    found: dict[str, list[Group]] = {}
    for group in view.groups:
        if (asked := str(group.rows[0].get("services") or services.NONE)) != services.NONE:
            found.setdefault(asked, []).append(group)
    return [
        {"heading": f"By service: {services.label(asked)}", "about": ABOUT, "table": _table(view, asked, groups)}
        for asked, groups in found.items()
    ]


def _table(view: View, asked: str, groups: Sequence[Group]) -> object:
    rows = [row for group in groups for row in _rows(view, asked, group)]
    numeric = [place for place, (_, is_number) in enumerate(_COLUMNS) if is_number]
    return table(heads(_COLUMNS), rows, numeric)


def _rows(view: View, asked: str, group: Group) -> list[list[object]]:
    parts = services.of_text(asked)
    every = sum(part.share for part in parts)
    told = setups.in_words(view, group.rows[0], ("services", "model"))
    return [
        [
            f"{group.series}, {told}" if told else group.series,
            part.name,
            part.model or group.model,
            f"{100 * part.share / every:.3g} %",
            _shown([one for row in group.good if (one := of(row, "service_rps", part.name)) is not None], "{:,.4g}"),
            *(_times(group.good, column, part.name) for column in ("service_p50_us", "service_p99_us")),
            _shown([one for row in group.good if (one := _limited_share(row, part.name)) is not None], "{:.3g} %"),
            len(group.good),
        ]
        for part in parts
    ]


def of(row: Row, column: str, name: str) -> float | None:
    """The value of one service in a column of all, such as `reads 320.5, waits 96`; None where it is not there."""
    for one in str(row.get(column) or "").split(", "):
        service, _, value = one.rpartition(" ")
        if service == name:
            return float(value)
    return None


def _times(rows: Sequence[Row], column: str, name: str) -> str:
    values = [one for row in rows if (one := of(row, column, name)) is not None]
    return duration(median(values)) if values else "not known"


def _limited_share(row: Row, name: str) -> float | None:
    """In per cent."""
    if row.get("limited") == 0:
        return 0.0
    limited, rate, window_s = of(row, "service_limited", name), of(row, "service_rps", name), row.get("window_s")
    if limited is None or rate is None or window_s is None:
        return None
    ended = limited + rate * window_s
    return 100 * limited / ended if ended else None


def _shown(values: Sequence[float], shape: str) -> str:
    return shape.format(median(values)) if values else "not known"
