"""The result file of one run: merged from the workers' final reports, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.client import FAILURES
from loadtests.histogram import RELATIVE_ERROR, Histogram
from loadtests.options import Options

SCHEMA_VERSION = 1
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


def supported_percentile(histogram: Histogram, fraction: float) -> int | None:
    """None where the sample is too small to have one: p99 takes 100 values, p99.9 takes 1000."""
    if histogram.count * (1 - fraction) < 1 - 1e-9 and fraction > 0.5:
        return None
    return histogram.percentile(fraction)


def merge(
    options: Options, trial_id: str, started_unix: float, opens_unix: float, finals: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The content of the result file from one final report per worker (recorder.Recorder.to_wire)."""
    slices = [piece for final in finals for piece in final["slices"]]
    window = [piece for piece in slices if piece["in_window"]]
    latency = _histogram(window)
    # Workers close an open-ended window when the stop reaches them, some milliseconds apart.
    duration_s = max(0.0, sum(final["closes_s"] for final in finals) / len(finals)) if finals else 0.0
    ok, failures = _sum(window, "ok"), _failures(window)
    mean = latency.mean
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial_id,
        "target": options.target,
        "options": options.as_dict(),
        "started_unix": started_unix,
        "window": {"opens_unix": opens_unix, "closes_unix": opens_unix + duration_s, "duration_s": duration_s},
        "workers": len(finals),
        "users": _sum(finals, "users"),
        "users_starved": _sum(finals, "users_starved"),
        "in_flight": _sum(finals, "in_flight"),
        "ok": ok,
        "failed": sum(failures.values()),
        "failures": failures,
        "connections_opened": _sum(window, "connections"),
        # An echo is as long as its request; bytes of failed requests are not counted.
        "bytes_sent": _sum(window, "bytes"),
        "bytes_received": _sum(window, "bytes"),
        "throughput_rps": ok / duration_s if duration_s else 0.0,
        "latency_us": {
            "min": latency.minimum,
            "mean": None if mean is None else round(mean, 3),
            **{name: supported_percentile(latency, fraction) for name, fraction in PERCENTILES.items()},
            "max": latency.maximum,
        },
        "histogram": {
            "unit": "us",
            "relative_error": RELATIVE_ERROR,
            "buckets": [list(bucket) for bucket in latency.buckets()],
        },
        "slices": _merged_slices(slices),
        "totals": {
            "ok": _sum(slices, "ok"),
            "failed": sum(_failures(slices).values()),
            "failures": _failures(slices),
            "in_flight": _sum(finals, "in_flight_at_end"),
        },
    }


def _merged_slices(slices: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Slices of the same second and the same side of the window's closing, added over the workers."""
    groups: dict[tuple[int, bool], list[Mapping[str, Any]]] = {}
    for piece in slices:
        second = math.floor(piece["start_s"] + 1e-6)
        groups.setdefault((second, not piece["in_window"]), []).append(piece)
    merged = []
    for group in sorted(groups.values(), key=lambda pieces: min(piece["start_s"] for piece in pieces)):
        start_s = min(piece["start_s"] for piece in group)
        latency = _histogram(group)
        merged.append(
            {
                "start_s": round(start_s, 6),
                "duration_s": round(max(piece["end_s"] for piece in group) - start_s, 6),
                "ok": _sum(group, "ok"),
                "failed": sum(_failures(group).values()),
                "p50_us": supported_percentile(latency, 0.5),
                "p99_us": supported_percentile(latency, 0.99),
            }
        )
    return merged


def _sum(items: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(item[key]) for item in items)


def _failures(slices: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    totals = dict.fromkeys(FAILURES, 0)
    for piece in slices:
        for kind, count in piece["failures"].items():
            totals[kind] += count
    return totals


def _histogram(slices: Iterable[Mapping[str, Any]]) -> Histogram:
    merged = Histogram()
    for piece in slices:
        merged.merge(Histogram.from_wire(piece["latency_us"]))
    return merged


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader finds all of it or no file, even after a crash. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o644)
            json.dump(content, file, separators=(",", ":"))
            file.write("\n")
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
