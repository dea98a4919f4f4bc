"""Lines as the probe prints them, from made-up numbers."""

from typing import Any

from testbed.watch.target import Target

NOTHING_MORE = {
    "count": 0,
    "running": 0,
    "cpus": None,
    "voluntary_per_s": None,
    "involuntary_per_s": None,
    "rss_bytes": 0,
}


def thread(tid: int, cpus: float = 0.0, state: str = "S", name: str = "python3") -> dict[str, Any]:
    return {
        "tid": tid,
        "name": name,
        "state": state,
        "cpus": cpus,
        "voluntary_per_s": 100.0 * tid,
        "involuntary_per_s": 1.0,
    }


def process(pid: int, cpus: float = 0.0, threads: tuple[dict[str, Any], ...] = (), state: str = "S") -> dict[str, Any]:
    return {
        "pid": pid,
        "parent": 0 if pid == 1 else 1,
        "name": "python3",
        "state": state,
        "cpus": cpus,
        "voluntary_per_s": 100.0 * pid,
        "involuntary_per_s": 2.0,
        "rss_bytes": 12 * 2**20,
        "pss_bytes": 5 * 2**20,
        "threads_count": max(1, len(threads)),
        "threads": list(threads),
        "more_threads": dict(NOTHING_MORE),
    }


def tree(*processes: dict[str, Any]) -> dict[str, Any]:
    return {
        "processes_count": len(processes),
        "threads_count": sum(one["threads_count"] for one in processes),
        "cpus": sum(one["cpus"] for one in processes),
        "voluntary_per_s": 28_624.0,
        "involuntary_per_s": 2_345.0,
        "rss_bytes": 1,
        "pss_bytes": 1,
        "processes": list(processes),
        "more_processes": dict(NOTHING_MORE),
    }


def line(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """One second at half a CPU of a limit of half a CPU, throttled in seven of ten periods."""
    return {
        "schema_version": 2,
        "unix": 1000.0,
        "seconds": 1.0,
        "limits": {"cpus": 0.5},
        "cpus": 0.5,
        "memory_now_bytes": 32 * 2**20,
        "memory_peak_bytes": 40 * 2**20,
        "oom_kills": 0,
        "pids": 1,
        "established": 20,
        "listen_overflows": 5,
        "accept_queue": 512,
        "accept_queue_limit": 1024,
        "since_last": {
            "cpu_used_us": 500_000,
            "user_us": 100_000,
            "system_us": 400_000,
            "periods": 10,
            "throttled_periods": 7,
            "throttled_us": 268_000,
            "listen_overflows": 3,
        },
        "tree": found or tree(process(1)),
        "unavailable": {},
        **changes,
    }


def target(**changes: Any) -> Target:
    values: dict[str, Any] = {
        "container_id": changes.get("name", "abc"),
        "name": "threadmill-spmt-1",
        "model": "spmt",
        "user": "",
        "started_unix": 0.0,
        "cpus": 0.5,
        "memory_bytes": 128 * 2**20,
        **changes,
    }
    return Target(**values)
