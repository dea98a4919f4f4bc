"""The result file of one run: merged from the workers' final reports, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.options import Options
from loadtests.record import hdr
from loadtests.record.counts import KINDS, VERBS
from loadtests.record.histogram import RELATIVE_ERROR, Histogram
from loadtests.replies import FAILURES, LimitedError

SCHEMA_VERSION = 5
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


def supported_percentile(histogram: Histogram, fraction: float) -> int | None:
    """None where the sample is too small to have one: p99 takes 100 values, p99.9 takes 1000."""
    if histogram.count * (1 - fraction) < 1 - 1e-9 and fraction > 0.5:
        return None
    return histogram.percentile(fraction)


def merge(
    options: Options,
    trial_id: str,
    started_unix: float,
    opens_unix: float,
    finals: Sequence[Mapping[str, Any]],
    workers_expected: int,
    replies_to_checks: int = 0,
) -> dict[str, Any]:
    """The content of the result file from one final report per worker (recorder.Recorder.to_wire and its costs)."""
    slices = [piece for final in finals for piece in final["slices"]]
    window = [piece for piece in slices if piece["in_window"]]
    histograms = _histograms(options, finals, window)
    asked = _asked(finals, VERBS) if options.behind != "none" and not options.services else {}
    services = _asked(finals, [part.name for part in options.parts])
    kinds = _asked(finals, KINDS) if options.spinners else {}
    # Workers close an open-ended window when the stop reaches them, some milliseconds apart.
    duration_s = max(0.0, sum(final["closes_s"] for final in finals) / len(finals)) if finals else 0.0
    speaks_http = options.protocol == "http"
    ok, failures, slots = _sum(window, "ok"), _failures(window), _slots(finals)
    in_window = [counts for (second, is_after), counts in slots.items() if second >= 0 and not is_after]
    offered, missed = (sum(counts[which] for counts in in_window) for which in (0, 1))
    every = histograms | {verb: histogram for verb, histogram in (asked | services | kinds).items() if histogram.count}
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial_id,
        "target": options.target,
        "options": options.as_dict(),
        "started_unix": started_unix,
        "window": {"opens_unix": opens_unix, "closes_unix": opens_unix + duration_s, "duration_s": duration_s},
        "workers": len(finals),
        "workers_present": {"expected": workers_expected, "throughout": len(finals) == workers_expected},
        "users": _sum(finals, "users"),
        "users_starved": _sum(finals, "users_starved"),
        "users_absent": round(sum(float(final["users_absent"]) for final in finals), 3),
        "in_flight": _sum(finals, "in_flight"),
        "ok": ok,
        "failed": sum(failures.values()),
        "failures": failures,
        # Answered 429 by a gateway, which is no failure of the server's; null without HTTP.
        "limited": _limited(window) if speaks_http else None,
        # By the service that they were for; null with one.
        "by_service": {name: _of_service(name, latency, finals) for name, latency in services.items()} or None,
        "connections_opened": _sum(window, "connections"),
        # Of those answered rightly; null with nothing behind the server.
        "asked": {verb: asked[verb].count for verb in asked} if asked else None,
        # A stale read was served, and is among `ok`. Only one that asked for a version can be found stale.
        "stale": _sum(window, "stale") if asked else None,
        "reads_checked": _sum(window, "checked") if asked else None,
        **{f"{verb}_us": _summary(asked[verb]) if asked else None for verb in VERBS},
        # Of users who ask for work and of those who send bare echoes beside them; null where all send the same.
        **{f"{kind}_us": _summary(kinds[kind]) if kinds else None for kind in KINDS},
        # Of those answered rightly, the replies that a cache gave without asking the server; null where none may.
        "cached": _sum(window, "cached") if options.gets else None,
        "age_max_s": _age_max(window) if options.gets else None,
        # An echo is as long as its request; bytes of failed requests are not counted, nor are the heads of HTTP.
        "bytes_sent": _sum(window, "bytes"),
        "bytes_received": _sum(window, "bytes"),
        "throughput_rps": ok / duration_s if duration_s else 0.0,
        "offered": offered if options.open_loop else None,
        "missed": missed if options.open_loop else None,
        "achieved_over_offered": ok / offered if offered else None,
        **{f"{name}_us": _summary(histogram) for name, histogram in histograms.items()},
        "histograms": {
            "unit": "us",
            "relative_error": RELATIVE_ERROR,
            **{name: [list(bucket) for bucket in histogram.buckets()] for name, histogram in every.items()},
        },
        "hdr": {name: hdr.encode(histogram) if histogram.count else None for name, histogram in every.items()},
        "slices": _merged_slices(slices, slots if options.open_loop else None, bool(asked), options),
        "generator": [final["generator"] for final in finals if final["generator"] is not None],
        # Of each worker, in the order in which they share the load; null where it did not know.
        "master_clocks": [final.get("master_clock") for final in finals],
        "idle_holders": _holders(finals),
        "connections": _connections(finals),
        "replies_to_checks": replies_to_checks,
        "sent": _sum(finals, "sent"),
        "totals": {
            "sent": _sum(finals, "sent"),
            "ok": _sum(slices, "ok"),
            "failed": sum(_failures(slices).values()),
            "failures": _failures(slices),
            "limited": _limited(slices) if speaks_http else None,
            "stale": _sum(slices, "stale") if asked else None,
            "cached": _sum(slices, "cached") if options.gets else None,
            "age_max_s": _age_max(slices) if options.gets else None,
            "in_flight": _sum(finals, "in_flight_at_end"),
        },
    }


def _histograms(
    options: Options, finals: Iterable[Mapping[str, Any]], window: Iterable[Mapping[str, Any]]
) -> dict[str, Histogram]:
    """In a closed loop a request starts when it is sent: latency is service time, and there is no lag."""
    latency = _merged(piece["latency_us"] for piece in window)
    service_time, send_lag, dispatch_lag = (
        _merged(final[name] for final in finals) for name in ("service_time_us", "send_lag_us", "dispatch_lag_us")
    )
    return {
        "latency": latency,
        "service_time": service_time if options.open_loop else latency,
        "send_lag": send_lag,
        "dispatch_lag": dispatch_lag,
    }


def _asked(finals: Sequence[Mapping[str, Any]], verbs: Iterable[str]) -> dict[str, Histogram]:
    """Latencies by what requests asked of what is behind the server, or by service."""
    return {verb: _merged(final["asked_us"][verb] for final in finals if verb in final["asked_us"]) for verb in verbs}


def _of_service(name: str, latency: Histogram, finals: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What became of the requests for one service in the window; `total_ok`: over the whole run."""
    fates = [final["fates"][name] for final in finals if name in final["fates"]]
    failures: Counter[str] = Counter()
    for one in fates:
        failures.update(one["failures"])
    limited = failures.pop(LimitedError.kind, 0)
    return {
        "ok": latency.count,
        "failed": failures.total(),
        "limited": limited,
        "total_ok": _sum(fates, "ok"),
        "latency_us": _summary(latency),
    }


def _summary(histogram: Histogram) -> dict[str, float | None]:
    mean = histogram.mean
    return {
        "min": histogram.minimum,
        "mean": None if mean is None else round(mean, 3),
        **{name: supported_percentile(histogram, fraction) for name, fraction in PERCENTILES.items()},
        "max": histogram.maximum,
    }


Slots = dict[tuple[int, bool], list[int]]
"""Offered and missed by second from the opening and side of the closing (schedule.SlotCounts)."""


def _slots(finals: Iterable[Mapping[str, Any]]) -> Slots:
    added: Slots = {}
    for final in finals:
        for second, is_after, offered, missed in final["slots"]:
            counts = added.setdefault((second, bool(is_after)), [0, 0])
            counts[0] += offered
            counts[1] += missed
    return added


def _merged_slices(
    slices: Iterable[Mapping[str, Any]], slots: Slots | None, asked: bool, options: Options
) -> list[dict[str, Any]]:
    """Slices of the same second and the same side of the window's closing, added over the workers."""
    groups: dict[tuple[int, bool], list[Mapping[str, Any]]] = {}
    for piece in slices:
        second = math.floor(piece["start_s"] + 1e-6)
        groups.setdefault((second, not piece["in_window"] and second >= 0), []).append(piece)
    offered = {key: [0, 0] for key in groups}
    for key, counts in (slots or {}).items():
        # The last slice of a very long run holds more than its second.
        place = key if key in offered else max((known for known in offered if known <= key), default=min(offered))
        offered[place] = [offered[place][which] + counts[which] for which in (0, 1)]
    merged = []
    for key, group in sorted(groups.items(), key=lambda item: min(piece["start_s"] for piece in item[1])):
        start_s = min(piece["start_s"] for piece in group)
        latency = _merged(piece["latency_us"] for piece in group)
        merged.append(
            {
                "start_s": round(start_s, 6),
                "duration_s": round(max(piece["end_s"] for piece in group) - start_s, 6),
                "in_window": bool(group[0]["in_window"]),
                "ok": _sum(group, "ok"),
                "failed": sum(_failures(group).values()),
                "limited": _limited(group) if options.protocol == "http" else None,
                "offered": None if slots is None else offered[key][0],
                "missed": None if slots is None else offered[key][1],
                "in_flight": _sum(group, "in_flight"),
                "stale": _sum(group, "stale") if asked else None,
                "cached": _sum(group, "cached") if options.gets else None,
                "age_max_s": _age_max(group) if options.gets else None,
                "p50_us": supported_percentile(latency, 0.5),
                "p99_us": supported_percentile(latency, 0.99),
                "max_us": latency.maximum,
            }
        )
    return merged


def _connections(finals: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many were made to each address, over the whole run, those of idle holders among them."""
    made: Counter[str] = Counter()
    for final in finals:
        made.update(final.get("connections", {}))
    return dict(sorted(made.items()))


_HOLDERS = ("wanted", "opened", "held_at_open", "held_at_close", "held_throughout", "dropped", "echoes", "unanswered")


def _holders(finals: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Null where a worker's window never opened."""
    each = [final["idle_holders"] for final in finals]
    added: dict[str, Any] = {}
    for name in _HOLDERS:
        values = [one.get(name, 0) for one in each]
        added[name] = None if None in values else sum(values)
    failures: dict[str, int] = {}
    for one in each:
        for kind, count in one.get("failures", {}).items():
            failures[kind] = failures.get(kind, 0) + count
    return {**added, "failures": failures, "said": next((one["said"] for one in each if one.get("said")), "")}


def _sum(items: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(int(item[key]) for item in items)


def _age_max(slices: Iterable[Mapping[str, Any]]) -> int:
    return max((int(piece["age_max_s"]) for piece in slices), default=0)


def _failures(slices: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    totals = dict.fromkeys(FAILURES, 0)
    for piece in slices:
        for kind, count in piece["failures"].items():
            totals[kind] += count
    # Those are counted apart.
    del totals[LimitedError.kind]
    return totals


def _limited(slices: Iterable[Mapping[str, Any]]) -> int:
    return sum(int(piece["failures"].get(LimitedError.kind, 0)) for piece in slices)


def _merged(wires: Iterable[Mapping[str, Any]]) -> Histogram:
    merged = Histogram()
    for wire in wires:
        merged.merge(Histogram.from_wire(wire))
    return merged


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader finds all of it or no file, even after a crash. Raises OSError."""
    write_text(path, json.dumps(content, separators=(",", ":")) + "\n")


def write_text(path: Path, text: str) -> None:
    """As `write_whole`, any text. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text)
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
