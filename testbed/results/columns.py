"""The columns of trials.csv: those of the axes come from their table, the others stand here."""

from typing import get_type_hints

from testbed.plan.axes import AXES
from testbed.plan.cell import Cell

_WHICH_TRIAL = {
    "trial_id": "the trial's directory under trials/",
    "block": "repetition; each block holds every combination once",
    "canary": "true for the extra trial that opens a block, always of the same cell",
    "search_id": "the search that asked for the trial, as in capacity.csv",
    "step": "its place among the trials of that search, from 1; empty for a trial at a share of what was found",
    "redo_of": "the disturbed trial that this one measures again",
}

_MEASURED = {
    "users_starved": "users without any reply inside the window",
    "status": "ok, or failed when the verdict is invalid",
    "verdict": "server-bound, not-saturated, front-bound, backend-bound, client-bound, transient or invalid",
    "unsteady": "true when throughput or latency drifted within the window",
    "disturbed": "true when a hypervisor took more of the processors than a measurement bears",
    "reasons": "why this verdict",
    "throughput_rps": "verified replies per second in the window",
    "latency_p50_us": "median from intended start to reply (closed loop: from sending, with connect where one is made)",
    "latency_p90_us": "90th percentile of the same",
    "latency_p99_us": "99th percentile; empty where the sample does not support it",
    "latency_max_us": "greatest latency",
    "echo_p50_us": "median latency of the bare echoes beside `spinners`; empty where all requests are alike",
    "echo_p99_us": "99th percentile of the same",
    "service_time_p50_us": "median from sending to reply",
    "service_time_p99_us": "99th percentile of the same",
    "send_lag_p99_us": "99th percentile from intended start to sending",
    "dispatch_lag_p99_us": "the same of requests that found a user idle: the generator's own lateness",
    "holders_held": "idle holders held from the window's opening to its closing without a break",
    "offered": "open loop: requests that were due in the window",
    "missed": "open loop: due in the window, not sent by its end",
    "achieved_over_offered": "open loop: verified replies per offered request",
    "ok": "verified replies in the window",
    "failed": "failed requests in the window",
    "in_flight": "requests without reply when the window closed",
    "connections_lost": "requests in the window whose connection ended before their reply; among `failed`",
    "outage_s": "with a fault: seconds from it to the end of the last second of the window in which more than 1 % of "
    "the requests that ended failed, or at whose end more waited than before; 0 without such a second",
    "ejected_after_s": "seconds from the fault until the front was seen to give its server nothing any more, looked at "
    "every 250 ms; empty where that did not come",
    "back_after_s": "seconds from the end of the fault until that server was no more ejected; empty where it never "
    "was, or still was when the window closed",
    "outage_over": "whether seconds followed that were served; false: the window closed before",
    "cpu_used_s": "CPU time of the server's container in the window; of several servers this and what follows are sums",
    "cpu_us_per_request": "the same per verified reply, be it the server's own or of a cache before it",
    "window_s": "length of the window",
    "throttled_periods": "quota periods in which the container was stopped",
    "periods": "quota periods in which the container wanted to run",
    "throttled_s": "time stopped, summed over CPUs",
    "memory_peak_bytes": "most memory charged to the container since its start",
    "pss_bytes": "proportional set size of all its processes at the window's end",
    "oom_kills": "processes killed for want of memory, since the container's start",
    "voluntary_switches": "context switches by waiting, in the window, of all tasks",
    "involuntary_switches": "context switches by preemption, likewise",
    "accept_queue_max": "most connections seen waiting to be accepted, in one server",
    "listen_overflows": "connections dropped because that queue was full",
    "imbalance": "the most that one replica served over their mean, over their lives; empty with one, and where one "
    "came or went while the load was on",
    "front_cpu_s": "CPU time of the front's container in the window",
    "front_cpu_us_per_request": "the same per verified reply",
    "front_connections": "connections that the front has taken, by its own count over its life",
    "front_queue_max": "most connections that waited in the front for a server, over its life; empty where it does not "
    "count them",
    "front_retries": "requests that the front sent to a server once more, by its own count over its life; empty where "
    "it does not count them",
    "amplification": "requests that it sent to servers by requests that it was sent, likewise",
    "breaker_refused": "requests that its circuit breaker let go to no server, likewise",
    "sidecar_cpu_s": "CPU time of all sidecars in the window",
    "sidecar_cpu_us_per_request": "the same per verified reply",
    "edge_hit_ratio": "verified replies in the window that a cache before the servers gave without asking them, by "
    "all; 0 with `method: get` and no cache, empty without that",
    "edge_cached": "how many those were",
    "edge_age_max_s": "the greatest age of those, in whole seconds, since a server had made it",
    "limited": "requests in the window that a gateway answered 429, because more came than it lets through; neither "
    "verified replies nor failed ones",
    "limited_share": "the same by all requests that ended in the window",
    "service_rps": "of several services: verified replies per second of each",
    "service_p50_us": "median latency of each",
    "service_p99_us": "99th percentile of the latency of each",
    "service_limited": "requests for each in the window that were answered 429; empty where none was",
    "behind_cpu_s": "CPU time in the window of all that stands behind the servers; consumers included",
    "behind_cpu_us_per_request": "the same per verified reply",
    "cache_hit_ratio": "reads that the cache answered by reads that asked it, by the servers' own counts over their "
    "lives",
    "cache_fetches": "reads of the database for want of an entry in the cache, likewise; with a lock fewer than the "
    "misses, as others wait for the one who fetches",
    "pool_waits": "requests that waited for a connection to what is behind, likewise",
    "pool_wait_mean_us": "how long they waited on average, those that got none in time included",
    "messages_sent": "messages that a broker has confirmed to the servers, over their lives",
    "messages_waiting": "messages in the broker when the window closed, those that consumers had and had not "
    "acknowledged included; of a work queue",
    "messages_done": "messages that consumers have done, by their own notes; twice where one was done twice",
    "messages_repeated": "of those, the ones that had been done before",
    "messages_lost": "sent and neither done nor left when the trial was over; of subscribers, deliveries that did not "
    "come; empty where the outcome of a message that was sent is not known",
    "messages_late": "those that were left in the broker, or not acknowledged, when the trial was over",
    "stale": "reads in the window whose value was older than one whose write was confirmed before they were sent",
    "reads_checked": "reads in the window that could be found stale: of a key that had been written by the same load "
    "worker",
    "stale_share": "stale by reads_checked",
    "read_p50_us": "median latency of reads of one key",
    "read_p99_us": "99th percentile of the same",
    "write_p50_us": "median latency of writes",
    "write_p99_us": "99th percentile of the same",
    "backend_errors": "requests in the window that failed behind the server; among `failed`",
    "backend_error_names": "how they failed: so many of each name",
    "generator_cpu_share": "CPU share of the busiest load worker, of one core, without what it spun",
    "probe_cpu_share": "CPU share of the probe, of one core",
    "speed_drift": "speed of the server's processors in this block, of that at the sweep's calibration",
    "server_steal_share": "share of the window that a hypervisor took from the server's processors",
    "generator_steal_share": "the same of the load workers' processors",
    "server_served": "replies by the server's own count, over its life",
    "overhead_s": "wall time of the trial beyond warm-up and window",
}

# Every column, in order, with its meaning. The unit is in the name. An empty field means "not known".
COLUMNS: dict[str, str] = {**_WHICH_TRIAL, **{axis.field: axis.meaning for axis in AXES}, **_MEASURED}

# Everything else is a number, true or false, or empty where it is not known.
TEXT_COLUMNS = frozenset(
    [
        "trial_id",
        "search_id",
        "redo_of",
        "status",
        "verdict",
        "reasons",
        "backend_error_names",
        "service_rps",
        "service_p50_us",
        "service_p99_us",
        "service_limited",
    ]
    + [name for name, kind in get_type_hints(Cell).items() if kind is str]
)

# What a column that came later stood at before it was there: with it, older results compare with newer ones.
EARLIER = {axis.field: axis.earlier for axis in AXES if axis.earlier is not None}
