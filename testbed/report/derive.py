"""Columns that a report adds to those of trials.csv, from the same row or from the trial's own files."""

from typing import Any

from testbed.report.source import Results, Row
from testbed.results.boxes import exit_reports, server_files
from testbed.results.nested import at
from testbed.sums import total

# Heading and unit of each, for who reads the table of numbers.
DERIVED = {
    "pss_per_process_bytes": "PSS of all processes by their number, at the window's end",
    "voluntary_per_request": "voluntary context switches by verified replies",
    "involuntary_per_request": "involuntary context switches by verified replies",
    "throttled_percent": "time stopped by the CPU limit by the window's length",
    "throttled_periods_percent": "quota periods in which it was stopped, of those in which it wanted to run",
}


def derive(results: Results) -> None:
    """Add the columns to every row; None where one of their parts is not known."""
    for row in results.rows:
        row["pss_per_process_bytes"] = _ratio(row["pss_bytes"], _processes(results, row) if row["pss_bytes"] else None)
        row["voluntary_per_request"] = _ratio(row["voluntary_switches"], row["ok"])
        row["involuntary_per_request"] = _ratio(row["involuntary_switches"], row["ok"])
        row["throttled_percent"] = _ratio(row["throttled_s"], row["window_s"], 100)
        # Without any period nothing had to be stopped.
        periods = _ratio(row["throttled_periods"], row["periods"], 100)
        row["throttled_periods_percent"] = 0.0 if row["periods"] == 0 else periods


def exit_workers(results: Results, row: Row) -> list[dict[str, Any]]:
    """What each worker process of a pool accepted and served over its life; empty for models without a pool."""
    reports = exit_reports(results.file(row["trial_id"], "trial.json") or {})
    return [one for report in reports.values() for one in report.get("workers") or () if isinstance(one, dict)]


def _processes(results: Results, row: Row) -> int | None:
    """Of all servers, at the window's end."""
    record = results.file(row["trial_id"], "trial.json") or {}
    probes = [results.file(row["trial_id"], name) for name in server_files(record, "probe.json").values()]
    return total(at(probe, "closed", "processes") for probe in probes)


def _ratio(a: float | None, b: float | None, times: float = 1.0) -> float | None:
    return None if a is None or not b else times * a / b
