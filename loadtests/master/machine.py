"""The machine that a run was made on, as its kernel tells it inside a container too. What it does not tell is None."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def facts(proc: Path = Path("/proc")) -> dict[str, Any]:
    """Processor, number of processors, memory in bytes and kernel: the fields that a sweep's manifest has."""
    model = _field(proc / "cpuinfo", "model name")
    memory = (_field(proc / "meminfo", "MemTotal") or "").removesuffix("kB").strip()
    return {
        "cpu_model": model,
        "cpus": os.cpu_count(),
        "memory_bytes": int(memory) * 1024 if memory.isdecimal() else None,
        "kernel": platform.release() or None,
    }


def _field(path: Path, name: str) -> str | None:
    """The first value of this name in a file of `name : value` lines."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name)
    return next(values, None)
