"""All claims by their names, in the order in which they are told."""

from testbed.claims import (
    broker_linear,
    cache_law,
    cache_lock,
    central_queue,
    central_queue_in_turn,
    cpu_metric,
    crash_isolated,
    exception_contained,
    forecast,
    forecast_halves,
    fork_per_connection,
    harness,
    head_of_line,
    hot_shard,
    hybrid,
    late_replica,
    loop_computes,
    loop_memory,
    loop_waits,
    pool_bound,
    pooler,
    prefork_balance,
    processes_compute,
    quota_at_once,
    rate_limit,
    read_replicas,
    remote_apply,
    scale_out,
    second_client,
    shards,
    shared_counter,
    stale_by_writes,
    stalls_show,
    stampede_lock,
    stopped_replica,
    switch_cost,
    switch_interval,
    ten_thousand,
    thread_memory,
    threads_wait,
    trigger_accept_queue,
    trigger_cpu,
    trigger_in_flight,
    work_queue,
)
from testbed.claims.claim import Claim

_MODELS = (
    second_client,
    threads_wait,
    loop_waits,
    processes_compute,
    loop_computes,
    head_of_line,
    switch_interval,
    hybrid,
    thread_memory,
    loop_memory,
    switch_cost,
    shared_counter,
    fork_per_connection,
    ten_thousand,
    prefork_balance,
    crash_isolated,
    exception_contained,
)
_SCALING = (
    scale_out,
    central_queue,
    central_queue_in_turn,
    late_replica,
    quota_at_once,
    pool_bound,
    trigger_accept_queue,
    trigger_in_flight,
    trigger_cpu,
    cpu_metric,
    forecast,
    forecast_halves,
)
_PATTERNS = (
    read_replicas,
    stale_by_writes,
    remote_apply,
    pooler,
    shards,
    hot_shard,
    cache_law,
    stampede_lock,
    cache_lock,
    broker_linear,
    work_queue,
    rate_limit,
    stopped_replica,
)
_HARNESS = (harness, stalls_show)

CLAIMS: dict[str, Claim] = {one.CLAIM.name: one.CLAIM for one in (*_MODELS, *_SCALING, *_PATTERNS, *_HARNESS)}


def decidable(processors: int) -> str:
    """In a line, which claims a machine with so many can decide."""
    lacking = [claim for claim in CLAIMS.values() if claim.processors > processors]
    said = f"claims: {len(CLAIMS) - len(lacking)} of {len(CLAIMS)} can be decided with {processors} processors"
    needs = ", ".join(f"{claim.name} needs {claim.processors}" for claim in lacking)
    return f"{said}; {needs}" if needs else said
