"""The machine and the server's start, from psutil. Imported once the window has closed: importing takes time."""

from typing import Any

import psutil


def machine() -> dict[str, Any]:
    load_1m, _, _ = psutil.getloadavg()
    return {
        "cpus": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "boot_unix": psutil.boot_time(),
        "load_average_1m": round(load_1m, 2),
        "server_started_unix": _started_unix(),
    }


def _started_unix() -> float | None:
    try:
        return round(psutil.Process(1).create_time(), 2)
    except psutil.Error:
        return None
