"""`python -m benchmarks [NAME ...]`: run the benchmarks, print their tables, save them, and compare with the last time.

Saved under results/bench/ as JSON, one file a run. Only ratios within one run mean anything beyond this machine and
this moment; so a comparison with the last run says how far its figures lie from the range seen now, and no more.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common import Cell, Spread, Table, from_json, print_table, show
from testbed.files import write_json
from testbed.interrupt import interruptible
from testbed.results.manifest import host, project

SCHEMA_VERSION = 1
PLACE = Path(__file__).resolve().parent.parent / "results" / "bench"

BENCHMARKS = (
    "driving_cost",
    "bridge_cost",
    "open_loop_lag",
    "servers_echo",
    "held_connections",
    "network_path",
    "overlay_path",
    "front_endurance",
    "behind_cost",
    "http_cost",
    "http_peers",
    "trial_overhead",
    "many_workers",
    "cluster_costs",
    "counting_cost",
    "probe_cost",
    "watch_cost",
    "resize_latency",
    "report_size",
)


def _last(place: Path) -> dict[str, Any] | None:
    """The run before this one; None when there is none that can be read."""
    for path in sorted(place.glob("bench-*.json"), reverse=True):
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if found.get("schema_version") == SCHEMA_VERSION:
            return found
    return None


def _number(cell: Cell) -> float | None:
    if isinstance(cell, Spread):
        return cell.median
    return float(cell) if isinstance(cell, int | float) else None


def changes(now: Table, before: Table) -> list[str]:
    """One line for each figure that lies outside of the range of the same figure of the other run. Pure."""
    rows = {row[0]: row for row in before.rows}
    found = []
    for row in now.rows:
        for column, cell in zip(now.columns[1:], row[1:], strict=True):
            if row[0] not in rows or column not in before.columns:
                continue
            other = rows[row[0]][before.columns.index(column)]
            mine, its = _number(cell), _number(other)
            if mine is None or its is None or not isinstance(cell, Spread) or not isinstance(other, Spread):
                continue
            if cell.low > other.high or cell.high < other.low:
                ratio = f"{mine / its:.2f} times" if its else "from 0"
                found.append(f"{row[0]}, {column}: {show(cell)}, was {show(other)}: {ratio}")
    return found


def _compare(tables: dict[str, dict[str, Any]], before: dict[str, Any]) -> None:
    print(f"\nagainst the run of {before['started_utc']}, commit {str(before['project']['commit'])[:12]}")
    if before["host"]["cpu_model"] != host()["cpu_model"] or before["host"]["cpus"] != host()["cpus"]:
        print("  another machine: not compared")
        return
    common = [name for name in tables if name in before["tables"]]
    lines = [
        f"{name}: {line}"
        for name in common
        for line in changes(from_json(tables[name]), from_json(before["tables"][name]))
    ]
    for line in lines or [f"all ranges of {', '.join(common) or 'no common benchmark'} overlap"]:
        print(f"  {line}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; without: all")
    names = parser.parse_args().names or BENCHMARKS
    for name in names:
        if name not in BENCHMARKS:
            print(f"benchmarks: found {name!r}, allowed: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    started = datetime.now(UTC)
    before = _last(PLACE)
    tables: dict[str, dict[str, Any]] = {}
    failed = []
    for number, name in enumerate(names, 1):
        print(f"\n[{number}/{len(names)}] {name} ...", flush=True)
        began = time.monotonic()
        try:
            tables[name] = importlib.import_module(f"benchmarks.{name}").measure()
        except Exception:  # noqa: BLE001
            # One that cannot run here must not take the others' figures with it.
            traceback.print_exc()
            failed.append(name)
            continue
        print_table(from_json(tables[name]))
        print(f"  took {time.monotonic() - began:.0f} s", flush=True)
    if tables:
        PLACE.mkdir(parents=True, exist_ok=True)
        path = PLACE / f"bench-{started.strftime('%Y%m%dT%H%M%SZ')}.json"
        content = {
            "schema_version": SCHEMA_VERSION,
            "started_utc": started.isoformat(timespec="seconds"),
            "host": host(),
            "project": project(),
            "tables": tables,
        }
        write_json(path, content)
        if before is not None:
            _compare(tables, before)
        print(f"\nsaved: {path}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
