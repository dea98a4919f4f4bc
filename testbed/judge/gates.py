"""The gates of a verdict: what was found, what is allowed, in words with units. Pure.

A gate whose evidence is missing is `unknown`; it never passes for want of evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from testbed.judge.boxes import Box, are_known, of_which, said_of
from testbed.judge.evidence import Evidence, Thresholds

Status = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True)
class Gate:
    name: str
    status: Status
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found}; allowed: {self.allowed}"


def decide(name: str, passed: bool | None, found: str, allowed: str) -> Gate:
    return Gate(name, "unknown" if passed is None else "pass" if passed else "fail", found, allowed)


def unknown(name: str, what: str, allowed: str) -> Gate:
    return Gate(name, "unknown", f"not known: {what}", allowed)


# --- what makes a trial invalid ---


def completed(e: Evidence) -> Gate:
    found = e.failure or ("no load result" if e.ok is None or not e.window_s else "ran to its end")
    return decide("completed", found == "ran to its end", found, "the trial runs to its end and has a load result")


def verification(e: Evidence) -> Gate:
    allowed = "every check of the echo before the load passes"
    if e.verification_failures is None:
        return unknown("verification", "not run", allowed)
    return decide(
        "verification", not e.verification_failures, "; ".join(e.verification_failures) or "all passed", allowed
    )


def model_shape(e: Evidence) -> Gate:
    allowed = "the model's processes and threads"
    if e.shape_mismatch is None:
        return unknown("model_shape", "processes and threads not counted", allowed)
    return decide("model_shape", not e.shape_mismatch, e.shape_mismatch or "as the model says", allowed)


def server_survived(e: Evidence) -> Gate:
    """One that was removed on purpose may end, and one that was asked to crash too; what it has replaced until then
    counts as of the others, but for a worker for each crash."""
    allowed = "the server and its workers live until they are stopped"
    if lost := [box for box in e.servers if box.ended and not box.removed]:
        found = "; ".join(f"{box.ended}{_share_lost(e, box)}" for box in lost)
        return decide("server_survived", False, found, allowed)
    for box in e.servers:
        if (box.workers_replaced or 0) > box.crashes:
            found = f"{box.workers_replaced} of its workers died and were replaced"
            found += f", and it was asked for {box.crashes}" if box.crashes else ""
            return decide("server_survived", False, said_of(box, e.servers, found), allowed)
    if not are_known(e.servers, lambda b: b.ended):
        return unknown("server_survived", f"the container's state{of_which(e.servers, lambda b: b.ended)}", allowed)
    if not are_known(e.servers, lambda b: b.workers_replaced):
        which = of_which(e.servers, lambda b: b.workers_replaced)
        return unknown("server_survived", f"no exit report{which} tells of replaced workers", allowed)
    return decide("server_survived", True, "lived", allowed)


def _share_lost(e: Evidence, box: Box) -> str:
    """How many connections went to one that died, by the front's count; what it has served died with it."""
    handed = e.front_to_replicas or {}
    return f", with {handed[box.name]} of {sum(handed.values())} connections" if box.name in handed else ""


def front_survived(e: Evidence) -> Gate | None:
    """None where the load goes straight to the servers."""
    if not e.fronts:
        return None
    allowed = "the front lives until it is stopped"
    for box in e.fronts:
        if box.ended:
            return decide("front_survived", False, box.ended, allowed)
    if not are_known(e.fronts, lambda b: b.ended):
        return unknown("front_survived", "the container's state", allowed)
    return decide("front_survived", True, "lived", allowed)


def sidecar_survived(e: Evidence) -> Gate | None:
    """None without any."""
    if not e.sidecars:
        return None
    allowed = "every sidecar lives until it is stopped"
    for box in e.sidecars:
        if box.ended:
            return decide("sidecar_survived", False, box.ended, allowed)
    if not are_known(e.sidecars, lambda b: b.ended):
        return unknown("sidecar_survived", "the container's state", allowed)
    return decide("sidecar_survived", True, "lived", allowed)


def behind_survived(e: Evidence) -> Gate | None:
    """None where nothing stands behind the servers. A consumer that was killed on purpose is no fault."""
    if not e.behind:
        return None
    allowed = "what stands behind the servers lives until it is stopped"
    for box in e.behind:
        if box.ended and not box.removed:
            return decide("behind_survived", False, box.ended, allowed)
    if not are_known(e.behind, lambda b: b.ended):
        return unknown("behind_survived", "the container's state", allowed)
    return decide("behind_survived", True, "lived", allowed)


def oom(e: Evidence) -> Gate:
    allowed = "0 processes killed for want of memory"
    for box in e.measured:
        if (box.oom_kills or 0) > box.oom_asked:
            return decide("oom", False, said_of(box, e.measured, f"{box.oom_kills} killed"), allowed)
    if not are_known(e.measured, lambda b: b.oom_kills):
        lacking = [box for box in e.measured if box.oom_kills is None]
        # One that has died takes its probe with it: then nothing of it was read.
        are_read = any(box.cpu_used_s is not None for box in lacking)
        what = "this engine does not count them" if are_read else "nothing was read at the window's end"
        return unknown("oom", f"{what}{of_which(e.measured, lambda b: b.oom_kills)}", allowed)
    asked = sum(box.oom_kills or 0 for box in e.measured)
    return decide("oom", True, f"{asked} killed{', which was asked for' if asked else ''}", allowed)


def connection_tracking(e: Evidence) -> Gate | None:
    """None where no table is to be seen: the kernel tracks nothing, or it is another machine's."""
    if e.packets_dropped is None:
        return None
    found = f"{e.packets_dropped} packets dropped"
    # They may have been another program's: whoever keeps its connections needs none from a table that fills up later.
    unharmed = e.connection == "persistent" and not e.failure and bool(e.ok) and not e.failed
    if e.packets_dropped:
        found += f", the kernel's table of {e.tracked_limit} tracked connections was full"
    allowed = "0 dropped; make `warmup` and `duration` shorter or net.netfilter.nf_conntrack_max larger"
    return decide("connection_tracking", e.packets_dropped == 0 or unharmed, found, allowed)


def workers_present(e: Evidence) -> Gate:
    allowed = "every load worker, from start to end"
    if e.workers_throughout is None:
        return unknown("workers_present", "no report of the load workers", allowed)
    of = "" if e.workers_expected is None else f" of {e.workers_expected}"
    found = f"all{of}" if e.workers_throughout else f"not all{of}"
    return decide("workers_present", e.workers_throughout, found, allowed)


def replies(e: Evidence) -> Gate:
    allowed = "at least 1 verified reply in the window"
    if e.ok is None:
        return unknown("replies", "no load result", allowed)
    return decide("replies", e.ok > 0, f"{e.ok} verified replies", allowed)


def wrong_echo(e: Evidence) -> Gate:
    allowed = "0 replies that differ from their request"
    if e.total_failures is None:
        return unknown("wrong_echo", "no load result", allowed)
    wrong = e.total_failures.get("bad_echo", 0)
    return decide("wrong_echo", wrong == 0, f"{wrong} wrong", allowed)


def wrong_value(e: Evidence) -> Gate | None:
    """None where nothing stands behind the servers."""
    wrong = (e.total_failures or {}).get("wrong", 0)
    if not e.behind and not wrong:
        return None
    allowed = "0 values that are not those of their key and version"
    if e.total_failures is None:
        return unknown("wrong_value", "no load result", allowed)
    return decide("wrong_value", wrong == 0, f"{wrong} wrong", allowed)


# --- what the load generator lacked ---


def _share(worker: Box) -> float | None:
    """Its use of what one process of Python can use: one CPU, or its quota where that is less."""
    if worker.cpu_used_s is None or not worker.window_s:
        return None
    return worker.cpu_used_s / (worker.window_s * min(1.0, worker.cpu_limit or 1.0))


def generator_cpu(e: Evidence, t: Thresholds) -> Gate:
    allowed = f"at most {t.generator_cpu_share:.0%} of one core, or of its quota, in each load worker"
    shares = {worker.name: _share(worker) for worker in e.generator}
    if (worst := _worst(shares)) is None:
        return unknown("generator_cpu", "CPU time of the load workers", allowed)
    passed = _all_within(shares, t.generator_cpu_share)
    return decide("generator_cpu", passed, f"{shares[worst]:.0%} in load worker {worst}", allowed)


def generator_throttling(e: Evidence, t: Thresholds) -> Gate:
    allowed = f"each load worker throttled in at most {t.generator_throttled_share:.0%} of the window's quota periods"
    shares = {
        worker.name: None
        if worker.throttled_periods is None or not worker.window_s
        else worker.throttled_periods * t.quota_period_s / worker.window_s
        for worker in e.generator
    }
    if (worst := _worst(shares)) is None:
        return unknown("generator_throttling", "throttling of the load workers", allowed)
    passed = _all_within(shares, t.generator_throttled_share)
    return decide("generator_throttling", passed, f"{shares[worst]:.1%} in load worker {worst}", allowed)


def _worst(shares: Mapping[str, float | None]) -> str | None:
    """Who has the greatest share of those that are known; None where none is."""
    known = {name: share for name, share in shares.items() if share is not None}
    return max(known, key=lambda name: known[name]) if known else None


def _all_within(shares: Mapping[str, float | None], most: float) -> bool | None:
    """Whether none is above `most`. One that is decides, whatever is not known of the others."""
    if any(share is not None and share > most for share in shares.values()):
        return False
    return None if None in shares.values() else True


def send_lag(e: Evidence, t: Thresholds) -> Gate | None:
    if e.mode == "closed":
        return None
    allowed = f"99 % of the requests sent at most {t.dispatch_lag_p99_us / 1e3:g} ms after their time"
    if e.dispatch_lag_p99_us is None:
        return unknown("send_lag", "no 99th percentile of the lag", allowed)
    found = f"p99 = {e.dispatch_lag_p99_us / 1e3:.3g} ms"
    return decide("send_lag", e.dispatch_lag_p99_us <= t.dispatch_lag_p99_us, found, allowed)


def achieved_over_offered(e: Evidence, t: Thresholds) -> Gate | None:
    if e.mode == "closed":
        return None
    allowed = f"at least {t.achieved_over_offered:.0%} of the offered rate"
    if e.achieved_over_offered is None:
        return unknown("achieved_over_offered", "no load result", allowed)
    passed = e.achieved_over_offered >= t.achieved_over_offered
    return decide("achieved_over_offered", passed, f"{e.achieved_over_offered:.1%} achieved", allowed)


# --- what is shown, and changes no verdict ---


def disturbed(e: Evidence, t: Thresholds) -> Gate:
    most = t.steal_share + (t.steal_tick_s / e.window_s if e.window_s else 0.0)
    allowed = f"at most {most:.1%} of the window taken from the processors of server or generator by others"
    shares = {
        "the server's": _stolen(e.servers),
        "the sidecars'": _stolen(e.sidecars),
        "the front's": _stolen(e.fronts),
        "those behind": _stolen(e.behind),
        "the generator's": e.generator_steal_share,
    }
    told = [f"{share:.1%} of {whose}" for whose, share in shares.items() if share is not None]
    over = any(share is not None and share > most for share in shares.values())
    if not over and not (are_known(e.measured, lambda b: b.steal_share) and e.generator_steal_share is not None):
        return unknown("disturbed", "time stolen by a hypervisor", allowed)
    return decide("disturbed", not over, f"stolen: {', '.join(told)}", allowed)


def _stolen(boxes: tuple[Box, ...]) -> float | None:
    """Of the one from whose processors most was taken, of those of which it is known."""
    return max((box.steal_share for box in boxes if box.steal_share is not None), default=None)


def isolation(e: Evidence) -> Gate:
    allowed = "the server shares no core with the load generator or the rest"
    if e.isolated is None:
        return unknown("isolation", "CPU sets", allowed)
    return decide("isolation", e.isolated, "kept apart" if e.isolated else "cores are shared", allowed)
