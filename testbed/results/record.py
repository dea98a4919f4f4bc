"""From what load, probe and server have left behind to the record of a trial: evidence, verdict, metrics. Pure."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from testbed.judge import steal
from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.judge.verdict import Verdict, judge
from testbed.parts.counts import FrontCounts, together
from testbed.parts.deliveries import Deliveries
from testbed.parts.part_counts import PartCounts
from testbed.plan.cell import Cell
from testbed.plan.profile import STEADY
from testbed.plan.scaling import NONE
from testbed.plan.service_cells import service_cells
from testbed.plan.trials import Trial
from testbed.results import behind_counts, fault_columns, front_counts, part_counts
from testbed.results.directory import SCHEMA_VERSION
from testbed.results.metrics import metrics, worked_s
from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.stack.cpus import CpuSets
from testbed.stack.services import Limits, Role, Service
from testbed.stack.system import server_names
from testbed.sums import total

REPORT_MARK = "[REPORT] "


@dataclass
class Seen:
    """What was found out about one measured service. What is None was not got."""

    name: str
    role: Role
    limits: Limits
    probe: dict[str, Any] | None = None
    """What its probe has written."""
    report: dict[str, Any] | None = None
    """Its exit report."""
    said: str = ""
    """What its log says of a connection it could not take."""
    ended: str = ""
    """How it ended before it was asked to, in words that name it; empty when it did not."""
    joined: bool = False
    """Whether it was started when the load was on already: then what it used is counted from its start."""
    removed: bool = False
    """Whether it was stopped on purpose while the load was on."""
    killed: bool = False
    """Whether it was killed on purpose while the load was on."""
    crashes: list[str] = field(default_factory=list)
    """How it was asked to crash, each time."""
    frozen: bool = False
    """Whether it stands still, on purpose."""

    @classmethod
    def of(cls, service: Service) -> "Seen":
        """Nothing yet."""
        return cls(service.name, service.role, service.limits)


@dataclass
class Findings:
    """What was found out about one trial. What is None was not got, for the reason in `failure` where there is one."""

    failure: str = ""
    boxes: list[Seen] = field(default_factory=list)
    verification: list[dict[str, str]] | None = None
    shape_mismatch: str | None = None
    other_echoes: int | None = 0
    """Requests the server echoed for readiness, verification and shape; None once that is not certain."""
    front_echoes: int | None = 0
    """Among them, those that came through the front; None as above."""
    perhaps_echoed: int = 0
    """Requests that reached a server and were given up on: it may have echoed them later."""
    direct_connections: int | None = 0
    """Connections that readiness, verification and shape made straight to single servers; None as above."""
    check_connections: int | None = 0
    """Those made through the front besides the load's; None as above."""
    sidecar_connections: int | None = 0
    """Those made to single sidecars, past the front; None as above."""
    fronts: dict[str, FrontCounts | None] = field(default_factory=dict)
    """What each front has counted when the load had ended, by its service; None where it did not say. Empty without one
    of its own."""
    sidecars: dict[str, FrontCounts] = field(default_factory=dict)
    """Likewise of each sidecar, by its service; those that did not say are not there."""
    ejections: list[dict[str, Any]] = field(default_factory=list)
    """When the front was seen to give a server nothing any more, and when to give it something again."""
    stood: dict[str, tuple[PartCounts, PartCounts]] = field(default_factory=dict)
    """What each part behind the servers has counted when the window opened, and when it closed."""
    deliveries: Deliveries | None = None
    """What became of the messages that servers sent, by the consumers' own notes; None without a broker."""
    actions: list[dict[str, Any]] = field(default_factory=list)
    """What was changed while the load was on, in its order."""
    provision: list[dict[str, Any]] = field(default_factory=list)
    """What there was to serve, from each moment at which that changed."""
    workers_expected: int | None = None
    load: dict[str, Any] | None = None
    packets_dropped: int | None = None
    tracked_limit: int | None = None
    least_cpu_us: float | None = None
    """CPU time below which no request's calibrated work can stay."""
    speed_drift: float | None = None
    """The processors' speed in the trial's block over that of the sweep's calibration."""
    phases_s: dict[str, float] = field(default_factory=dict)
    overhead_s: float = 0.0
    total_s: float = 0.0

    @property
    def front(self) -> FrontCounts | None:
        """What all fronts have counted together; None without one, and as soon as one did not say."""
        known = [counts for counts in self.fronts.values() if counts is not None]
        return together(known) if known and len(known) == len(self.fronts) else None


def exit_report(log: str) -> dict[str, Any] | None:
    """The server's exit report out of its log; None when it ended without one."""
    for line in reversed(log.splitlines()):
        if line.startswith(REPORT_MARK):
            report: dict[str, Any] = json.loads(line.removeprefix(REPORT_MARK))
            return report
    return None


def box_of(
    seen: Seen,
    window_s: float | None,
    front: FrontCounts | None = None,
    stood: tuple[PartCounts, PartCounts] | None = None,
) -> Box:
    """A measured service as the verdict and the record have it, over a window of that length. `front`, `stood`: what it
    has counted itself, where it is a front or a sidecar, or stands behind the servers."""
    probe = seen.probe
    # A control group and a network namespace of its own begin at zero, so what they have counted is what grew.
    grown = at(probe, "closed") if seen.joined else at(probe, "difference")
    return Box(
        name=seen.name,
        role=seen.role,
        cpu_limit=seen.limits.usable_cpus,
        memory_limit_bytes=seen.limits.memory_bytes,
        tasks_limit=seen.limits.tasks,
        window_s=window_s,
        cpu_used_s=_seconds(at(grown, "cpu_used_us")),
        periods=at(grown, "periods"),
        throttled_periods=at(grown, "throttled_periods"),
        throttled_s=_seconds(at(grown, "throttled_us")),
        steal_share=steal.share(probe, steal.processors(seen.limits)),
        memory_peak_bytes=at(probe, "closed", "memory_peak_bytes"),
        pss_bytes=at(probe, "closed", "pss_bytes"),
        oom_kills=at(probe, "closed", "oom_kills"),
        processes=at(probe, "closed", "processes"),
        tasks_max=at(probe, "max", "pids"),
        voluntary_switches=at(grown, "voluntary_switches"),
        involuntary_switches=at(grown, "involuntary_switches"),
        accept_queue_max=at(probe, "max", "accept_queue"),
        listen_overflows=at(grown, "listen_overflows"),
        watching_cpu_share=at(probe, "own_cost", "share_of_core"),
        served=at(seen.report, "served"),
        workers_replaced=at(seen.report, "replaced"),
        said=seen.said,
        ended=seen.ended,
        joined=seen.joined,
        # One that was asked to crash and has ended has done what it was asked.
        removed=seen.removed or seen.killed or bool(seen.crashes and seen.ended),
        crashes=len(seen.crashes),
        oom_asked=seen.crashes.count("oom"),
        **_own_counts(seen, front, stood),
    )


def _own_counts(seen: Seen, front: FrontCounts | None, stood: tuple[PartCounts, PartCounts] | None) -> dict[str, Any]:
    match seen.role:
        case "front":
            return front_counts.of_box(front)
        case "sidecar":
            return front_counts.of_sidecar(front)
        case "store" | "broker" | "consumer":
            return part_counts.of_box(stood)
        case _:
            return {"connections": _taken(seen.report)}


def _taken(report: dict[str, Any] | None) -> int | None:
    """Connections: one that a server turns away it has taken from its queue too."""
    return total((at(report, "accepted"), at(report, "refused")))


def _measured(found: Findings) -> list[Box]:
    window_s = at(found.load, "window", "duration_s")

    def counts(seen: Seen) -> FrontCounts | None:
        return (found.fronts if seen.role == "front" else found.sidecars).get(seen.name)

    every = [box_of(seen, window_s, counts(seen), found.stood.get(seen.name)) for seen in found.boxes]
    if not any(box.role == "sidecar" for box in every):
        return every
    # They are of a network namespace, in which a server and its sidecar both listen.
    return [replace(box, listen_overflows=None) if box.role in ("server", "sidecar") else box for box in every]


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
        boxes=(*_measured(found), *(_worker(one) for one in at(load, "generator") or ())),
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


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def _written(cpu_sets: CpuSets) -> dict[str, Any]:
    """As the record holds them: what is of several machines alone is only there with several."""
    return {name: value for name, value in asdict(cpu_sets).items() if name != "load_rest" or value is not None}


def record(trial: Trial, found: Findings, cpu_sets: CpuSets, machine_cpus: int) -> dict[str, Any]:
    """The content of trial.json."""
    known = evidence(trial.cell, found, cpu_sets, machine_cpus)
    verdict: Verdict = judge(known)
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial.trial_id,
        "block": trial.block,
        "canary": trial.canary,
        "search_id": trial.search_id,
        "step": trial.step,
        "redo_of": trial.redo_of,
        "seed": trial.seed,
        **asdict(trial.cell),
        "status": "failed" if verdict.kind == "invalid" else "ok",
        "verdict": verdict.kind,
        "unsteady": verdict.unsteady,
        "disturbed": verdict.disturbed,
        "reasons": list(verdict.reasons),
        **metrics(trial.cell, found.load, known.boxes),
        **front_counts.tried_again(found.front),
        **fault_columns.columns(found.load, found.actions, found.ejections, trial.cell.what_fails is not None),
        **behind_counts.columns(
            [seen.report for seen in found.boxes if seen.role == "server"],
            found.deliveries,
            [closed for _, closed in found.stood.values()],
        ),
        "speed_drift": rounded(found.speed_drift, 3),
        "server_steal_share": rounded(known.server_steal_share, 4),
        "generator_steal_share": rounded(known.generator_steal_share, 4),
        "overhead_s": round(found.overhead_s, 3),
        "gates": [asdict(gate) for gate in verdict.gates],
        "verification": found.verification,
        "cpu_sets": _written(cpu_sets),
        "boxes": [_shown(box) for box in known.boxes],
        "front_counts": None if found.front is None else asdict(found.front),
        "behind_counts": {name: [asdict(one) for one in both] for name, both in found.stood.items()},
        "deliveries": None if found.deliveries is None else asdict(found.deliveries),
        "check_connections": found.check_connections,
        "direct_connections": found.direct_connections,
        "sidecar_connections": found.sidecar_connections,
        "sidecar_counts": {name: asdict(counts) for name, counts in found.sidecars.items()},
        "ejections": found.ejections,
        "by_service": at(found.load, "by_service"),
        "actions": found.actions,
        "provision": found.provision,
        **_reports(found),
        "phases_began_s": {name: round(seconds, 3) for name, seconds in found.phases_s.items()},
        "total_s": round(found.total_s, 3),
    }


def _shown(box: Box) -> dict[str, Any]:
    """A box in trial.json, its times to the microsecond."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(box).items()}


def _reports(found: Findings) -> dict[str, Any]:
    """The exit report of the one server, or those of several by their names."""
    reports = {seen.name: seen.report for seen in found.boxes if seen.role == "server"}
    return {"exit_reports": reports} if len(reports) > 1 else {"exit_report": next(iter(reports.values()), None)}
