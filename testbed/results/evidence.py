"""What was found out about a trial, as the evidence that a verdict is made of. Pure."""

from typing import Any

from testbed.judge import steal
from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.plan.cell import Cell
from testbed.plan.profile import STEADY
from testbed.plan.scaling import NONE
from testbed.plan.service_cells import service_cells
from testbed.results import front_counts
from testbed.results.findings import Findings, Seen
from testbed.results.measured import measured
from testbed.results.metrics import worked_s
from testbed.results.nested import at
from testbed.stack.cpus import CpuSets
from testbed.stack.server_services import server_names
from testbed.sums import total


def evidence(cell: Cell, found: Findings, cpu_sets: CpuSets, machine_cpus: int) -> Evidence:
    """Everything the verdict needs to know."""
    load, totals = found.load, at(found.load, "totals")
    in_window = [one for one in at(load, "slices") or [] if one["in_window"] and one["duration_s"] >= 0.999]
    failed_checks = None
    if found.verification is not None:
        failed_checks = tuple(
            f"{check['name']}: {check['reason']}" for check in found.verification if check["status"] != "pass"
        )
    before_start = at(load, "replies_to_checks")
    known = found.other_echoes is not None and before_start is not None
    holders, made = at(load, "idle_holders"), at(load, "connections")
    return Evidence(
        # Of several services each has its own.
        model="services" if cell.has_services else cell.model,
        workers=cell.workers,
        threads=cell.threads,
        mode="closed" if cell.mode == "closed" else "open",
        users=cell.users,
        connection=cell.connection,
        think_us=cell.think_us,
        # Where some users send bare echoes, few requests have the work: no law can be had from it.
        sleep_us=0 if cell.spinners else cell.sleep_us,
        spin_us=0 if cell.spinners else cell.spin_us,
        hash_us=cell.hash_us,
        idle_holders=cell.idle_holders,
        one_queue=cell.queue == "front",
        transient=cell.profile != STEADY or cell.scaling != NONE or cell.what_fails is not None,
        boxes=(*measured(found), *(_worker(one) for one in at(load, "generator") or ())),
        least_cpu_us=0.0 if cell.spinners else found.least_cpu_us,
        # Every probe reads the processors of the whole machine.
        generator_steal_share=next(
            (share for seen in found.boxes if (share := _generator_steal(seen, cpu_sets)) is not None), None
        ),
        failure=found.failure,
        isolated=cpu_sets.isolated,
        machine_cpus=machine_cpus,
        verification_failures=failed_checks,
        shape_mismatch=found.shape_mismatch,
        workers_expected=found.workers_expected,
        workers_throughout=at(load, "workers_present", "throughout"),
        packets_dropped=found.packets_dropped,
        tracked_limit=found.tracked_limit,
        window_s=at(load, "window", "duration_s"),
        ok=at(load, "ok"),
        # Requests that were limited took their users for a time that is not measured, too.
        failed=total((at(load, "failed"), at(load, "limited") or 0)),
        users_starved=at(load, "users_starved"),
        users_absent=at(load, "users_absent") or 0.0,
        service_time_mean_us=at(load, "service_time_us", "mean"),
        service_time_max_us=at(load, "service_time_us", "max"),
        dispatch_lag_p99_us=at(load, "dispatch_lag_us", "p99"),
        achieved_over_offered=_answered_over_offered(load),
        slice_ok=tuple(one["ok"] for one in in_window) or None,
        slice_p50_us=tuple(one["p50_us"] for one in in_window) or None,
        holders_opened=at(holders, "opened"),
        holders_held=at(holders, "held_throughout"),
        holders_dropped=at(holders, "dropped"),
        holders_failures=at(holders, "failures"),
        holders_said=at(holders, "said") or "",
        holders_unanswered=at(holders, "unanswered") or 0,
        sent=at(totals, "sent"),
        total_ok=at(totals, "ok"),
        total_failures=at(totals, "failures"),
        total_in_flight=at(totals, "in_flight"),
        other_replies=found.other_echoes + before_start + (at(holders, "echoes") or 0) if known else None,
        perhaps_replied=found.perhaps_echoed,
        client_connections=None if made is None else sum(made.values()),
        check_connections=total((found.check_connections, front_counts.of_the_start(load))),
        direct_connections=found.direct_connections,
        sidecar_connections=found.sidecar_connections,
        front_to_replicas=front_counts.handed_on(found.front),
        front_failed=front_counts.failed(found.front),
        by_request=cell.by_request,
        cached=_cached(cell, at(load, "cached")),
        total_cached=_cached(cell, at(totals, "cached")),
        requests=None if found.front is None else found.front.requests,
        rate_limit_rps=cell.rate_limit_rps,
        limited=at(load, "limited") or 0,
        total_limited=at(totals, "limited") or 0,
        front_limited=None if found.front is None else found.front.limited,
        services_ok=_of_services(cell, load),
        front_replies=total((found.front_echoes, before_start, at(holders, "echoes") or 0)),
    )


def _of_services(cell: Cell, load: dict[str, Any] | None) -> dict[str, int | None] | None:
    """Verified replies of each of several services, by the name of its server; None with one."""
    if not cell.has_services:
        return None
    names = zip(server_names(cell), service_cells(cell), strict=True)
    return {server: at(load, "by_service", name, "total_ok") for server, name in names}


def _answered_over_offered(load: dict[str, Any] | None) -> float | None:
    """What is limited was sent and answered on time."""
    achieved, ok, limited = (at(load, name) for name in ("achieved_over_offered", "ok", "limited"))
    if achieved is None or not limited:
        return None if achieved is None else float(achieved)
    offered = at(load, "offered")
    return (ok + limited) / offered if offered else None


def _cached(cell: Cell, count: int | None) -> int | None:
    """Replies of a cache, as the load counts them; a body that is echoed is none."""
    return 0 if count is None and cell.method == "post" else count


def _generator_steal(seen: Seen, cpu_sets: CpuSets) -> float | None:
    return steal.share(seen.probe, steal.generator_processors(cpu_sets))


def _worker(one: dict[str, Any]) -> Box:
    return Box(
        name=str(one["worker"]),
        role="load worker",
        cpu_used_s=worked_s(one),
        window_s=one["window_s"],
        cpu_limit=one.get("cpu_limit"),
        throttled_periods=one.get("throttled_periods"),
    )
