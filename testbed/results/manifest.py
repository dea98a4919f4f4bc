"""manifest.json: on what, with what and from what a sweep's numbers came."""

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from testbed.names import COMPANIONS, image_name
from testbed.plan.images import parts_behind, proxies, server_images
from testbed.plan.schema import Sweep
from testbed.results.directory import SCHEMA_VERSION
from testbed.results.nested import at
from testbed.stack.engine import Engine
from testbed.stack.run import Run

PROJECT = Path(__file__).resolve().parent.parent.parent


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _version() -> str:
    """This project's version, whose one owner is pyproject.toml."""
    version: str = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    return version


def cpu_model() -> str | None:
    """The processor's name from /proc/cpuinfo, or None where the kernel gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def host() -> dict[str, Any]:
    """The machine."""
    return {
        "cpu_model": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_1m": round(os.getloadavg()[0], 2),
    }


def project() -> dict[str, Any]:
    """This project, as it is checked out; None where git does not tell."""
    changes = _git("status", "--porcelain")
    return {
        "version": _version(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
    }


def manifest(
    engine: Engine, run: Run, sweep: Sweep, calibration: dict[str, Any] | None, started_utc: str
) -> dict[str, Any]:
    """What two runs must agree on before their numbers may be compared, and what explains them when they do not."""
    images = (*server_images(sweep), *COMPANIONS, *proxies(sweep), *parts_behind(sweep))
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "started_utc": started_utc,
        "host": host(),
        "engine": engine.facts(),
        "cluster": engine.cluster(),
        "images": {name: engine.image_id(run.image(name)) for name in images},
        "threadmill": project(),
        "load": {"workers": run.workers},
        "calibration": calibration,
        "seed": sweep.order.seed,
    }


# What must be the same for trials to be of one sweep. Load and time of day differ always.
_GUARDED = ("host.cpu_model", "host.cpus", "host.memory_bytes", "host.kernel", "engine", "images", "threadmill.version")


def differences(begun: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Every guarded field in which two manifests differ, with both values in words. Empty when they may be mixed."""
    found = []
    for path in _GUARDED:
        before, after = at(begun, *path.split(".")), at(now, *path.split("."))
        if isinstance(before, dict) and isinstance(after, dict):
            names = [name for name in before | after if before.get(name) != after.get(name)]
            found += [f"{path}.{name} was {before.get(name)}, is {after.get(name)}" for name in names]
        elif before != after:
            found.append(f"{path} was {before}, is {after}")
    return found


def calibrate(engine: Engine, run: Run, model: str, kinds: Sequence[str], seconds: float) -> dict[str, Any]:
    """Work per millisecond of CPU time, measured without limits, on the servers' processors, with `kinds` in turn.

    Returns what `servers.calibrate` prints: typical and fastest speed of each kind, and its samples.
    """
    command = ["python3", "-m", "servers.calibrate", f"{seconds:g}", *kinds]
    calibration: dict[str, Any] = json.loads(
        engine.run_once(image_name(model), command, run.run_id, run.cpu_sets.server)
    )
    return calibration
