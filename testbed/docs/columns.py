"""What each column of the results means, by what it tells."""

from testbed.docs.markdown import table
from testbed.plan.cell import Cell
from testbed.results.columns import COLUMNS
from testbed.results.searches import CAPACITY_COLUMNS

# The columns that are neither a trial's name nor what was set, by what they tell. Each one that no line names comes
# under "Others".
_GROUPS: dict[str, tuple[str, ...]] = {
    "How it was judged": ("status", "verdict", "unsteady", "disturbed", "reasons"),
    "What users saw": (
        "users_starved",
        *("throughput_rps", "latency_p50_us", "latency_p90_us", "latency_p99_us", "latency_max_us"),
        *("echo_p50_us", "echo_p99_us"),
        *("service_time_p50_us", "service_time_p99_us", "send_lag_p99_us", "dispatch_lag_p99_us", "holders_held"),
        *("offered", "missed", "achieved_over_offered", "ok", "failed", "in_flight"),
    ),
    "What the server spent": (
        *("cpu_used_s", "cpu_us_per_request", "window_s", "throttled_periods", "periods", "throttled_s"),
        *("memory_peak_bytes", "pss_bytes", "oom_kills", "voluntary_switches", "involuntary_switches"),
        *("accept_queue_max", "listen_overflows", "imbalance", "server_served"),
    ),
    "What the front and the sidecars spent": (
        *("front_cpu_s", "front_cpu_us_per_request", "front_connections", "front_queue_max"),
        *("front_retries", "amplification", "breaker_refused", "sidecar_cpu_s", "sidecar_cpu_us_per_request"),
    ),
    "What a fault did": ("connections_lost", "outage_s", "outage_over", "ejected_after_s", "back_after_s"),
    "What a cache before the servers has answered": ("edge_hit_ratio", "edge_cached", "edge_age_max_s"),
    "What a gateway let through": (
        "limited",
        "limited_share",
        "service_rps",
        "service_p50_us",
        "service_p99_us",
        "service_limited",
    ),
    "What stands behind the servers": (
        *("behind_cpu_s", "behind_cpu_us_per_request", "cache_hit_ratio", "cache_fetches"),
        *("pool_waits", "pool_wait_mean_us"),
        *("messages_sent", "messages_waiting", "messages_done", "messages_repeated", "messages_lost", "messages_late"),
        *("stale", "reads_checked", "stale_share"),
        *("read_p50_us", "read_p99_us", "write_p50_us", "write_p99_us", "backend_errors", "backend_error_names"),
    ),
    "What measuring cost": (
        *("generator_cpu_share", "probe_cpu_share", "speed_drift", "server_steal_share", "generator_steal_share"),
        "overhead_s",
    ),
}


def _groups() -> dict[str, list[str]]:
    """Headings to the names of columns, every column once."""
    named = {column for columns in _GROUPS.values() for column in columns}
    free = [column for column in COLUMNS if column not in named]
    # What identifies a trial stands before the first axis.
    first = next(place for place, column in enumerate(free) if column in Cell.__annotations__)
    which, rest = free[:first], free[first:]
    groups = {"Which trial": which, "What was set": [column for column in rest if column in Cell.__annotations__]}
    groups |= {heading: [column for column in COLUMNS if column in columns] for heading, columns in _GROUPS.items()}
    others = [column for column in rest if column not in Cell.__annotations__]
    return groups | ({"Others": others} if others else {})


def trial_columns() -> str:
    """The columns of trials.csv, by what they tell."""
    parts = []
    for heading, columns in _groups().items():
        parts.append(f"### {heading}\n\n")
        parts.append(table(("column", "meaning"), ((f"`{name}`", COLUMNS[name]) for name in columns)))
        parts.append("\n")
    return "".join(parts)


def capacity_columns() -> str:
    """The columns of capacity.csv besides those of the combination."""
    return table(("column", "meaning"), ((f"`{name}`", meaning) for name, meaning in CAPACITY_COLUMNS.items()))
