"""The verdict on a trial: was it the server that was measured? Pure.

Precedence: invalid > client-bound > server-bound > not-saturated.

- `invalid`: a gate of INVALIDATING failed. The numbers do not mean what their columns say.
- `client-bound`: the generator was short of CPU (a gate of GENERATOR_SHORT failed), whatever the server did; or, with
  the server not saturated, it did not keep its schedule (a gate of SCHEDULE failed), or both shared a machine that was
  full. A saturated server makes requests late and missed by itself, so there the schedule accuses nobody.
- `server-bound`: the server used the CPU it can have, or all the connections it can serve at once were busy.
- `not-saturated`: neither. Also where the evidence for saturation is missing: only what is shown counts as capacity.

A gate of FLAGS is shown and changes no verdict: an unsteady trial is a measurement all the same, and dropping it would
select results by how well they look.
"""

from dataclasses import dataclass
from typing import Literal

from testbed.judge import laws, rules
from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate

__all__ = ["Box", "Evidence", "Gate", "Kind", "Thresholds", "Verdict", "judge"]

Kind = Literal["invalid", "client-bound", "server-bound", "not-saturated"]

INVALIDATING = rules.names("invalidates")
GENERATOR_SHORT = rules.names("generator short")
SCHEDULE = rules.names("off schedule")
FLAGS = rules.names("flag")


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    reasons: tuple[str, ...]
    """Why this kind, one line each; then one line for each flag that failed."""
    gates: tuple[Gate, ...]

    @property
    def unsteady(self) -> bool:
        return "steady_state" in self.failed

    @property
    def disturbed(self) -> bool | None:
        """Whether others had the machine's processors for too long; None where that is not known."""
        return None if "disturbed" in self.unknown else "disturbed" in self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the gates that failed."""
        return tuple(gate.name for gate in self.gates if gate.status == "fail")

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the gates whose evidence is missing."""
        return tuple(gate.name for gate in self.gates if gate.status == "unknown")


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """The verdict and every gate that applies to the load's mode, the ones that decide first."""
    t = thresholds or Thresholds()
    applied = [rule.check(evidence, t) for rule in rules.RULES]
    gates = tuple(one for one in applied if one is not None)
    kind, reasons = _decide(evidence, t, gates)
    return Verdict(kind, (*reasons, *_failed(gates, FLAGS)), gates)


def _failed(gates: tuple[Gate, ...], names: tuple[str, ...]) -> list[str]:
    return [str(gate) for gate in gates if gate.status == "fail" and gate.name in names]


def _decide(e: Evidence, t: Thresholds, gates: tuple[Gate, ...]) -> tuple[Kind, list[str]]:
    if reasons := _failed(gates, INVALIDATING):
        return "invalid", reasons
    if reasons := _failed(gates, GENERATOR_SHORT):
        return "client-bound", reasons
    if reasons := saturation(e, t):
        return "server-bound", reasons
    if reasons := _failed(gates, SCHEDULE):
        return "client-bound", reasons + _all_in_flight(e)
    if reasons := _machine_full(e, t):
        return "client-bound", reasons
    return "not-saturated", [_server_use(e)]


def _server_use(e: Evidence) -> str:
    if e.cpu_used_s is None or not e.window_s:
        return "not shown to be saturated: the server's CPU time is not known"
    usable = sum(laws.usable_cpus(e, server) for server in e.servers)
    who, they = ("the server", "it") if len(e.servers) == 1 else ("the servers", "they")
    return f"{who} used {e.cpu_used_s / e.window_s:.3g} of the {usable:g} CPUs {they} can use"


def saturation(e: Evidence, t: Thresholds) -> list[str]:
    """What shows that the server could not have done more; empty when nothing does."""
    full = [reason for server in e.servers for reason in _cpu_saturation(e, server, t)]
    return [*full, *_slot_saturation(e, t)]


def _cpu_saturation(e: Evidence, server: Box, t: Thresholds) -> list[str]:
    reasons: list[str] = []
    if not e.window_s:
        return reasons
    who = "the server" if len(e.servers) == 1 else f"the server {server.name}"
    if server.cpu_used_s is not None:
        usable, limit = laws.usable_cpus(e, server), laws.cpu_limit(e, server)
        share = server.cpu_used_s / (usable * e.window_s)
        if share >= t.server_cpu_share:
            which = "" if usable == limit else f" that its interpreters can use of {limit:g}"
            found = f"{who} used {share:.0%} of the {usable:g} CPUs{which}"
            reasons.append(f"{found}; saturated from {t.server_cpu_share:.0%}")
    if server.throttled_periods is not None:
        # The kernel counts only periods in which the group ran: an idle server's few would weigh too much.
        periods = max(server.periods or 0, e.window_s / t.quota_period_s)
        share = server.throttled_periods / periods
        if share >= t.server_throttled_share:
            found = f"{who} was throttled in {share:.0%} of its quota periods"
            reasons.append(f"{found}; saturated from {t.server_throttled_share:.0%}")
    return reasons


def _slot_saturation(e: Evidence, t: Thresholds) -> list[str]:
    """Whether all connections the model serves at once were busy while users waited.

    Either connections hold every slot and the other users get no reply at all; or the time that requests spent asleep
    and on a CPU adds up to the time of all slots. Only where more users come than there are slots; but where each
    worker has a queue of its own, users may wait behind another while a worker has none.
    """
    slots, at_once = laws.serving_slots(e), laws.surely_served(e)
    x = e.throughput_rps
    if slots is None or at_once is None or e.users <= at_once or x is None or not e.window_s:
        return []
    if e.users_starved is not None and e.users_starved >= max(e.users - slots, 1):
        served = e.users - e.users_starved
        return [f"{e.model} serves {slots} at once: {served} of {e.users} users hold it, {e.users_starved} only wait"]
    if e.users <= slots:
        return []
    computing = x * (e.spin_us + e.hash_us) / 1e6 if e.cpu_used_s is None else e.cpu_used_s / e.window_s
    busy = (x * e.sleep_us / 1e6 + computing) / slots
    if busy < t.slots_busy_share:
        return []
    found = f"{e.model} serves {slots} at once for {e.users} users: busy {busy:.0%} of the time"
    return [f"{found}; saturated from {t.slots_busy_share:.0%}"]


def _all_in_flight(e: Evidence) -> list[str]:
    """In an open loop that is late: whether it lacked users, not CPU."""
    if e.throughput_rps is None or e.service_time_mean_us is None:
        return []
    in_flight = e.throughput_rps * e.service_time_mean_us / 1e6
    if in_flight < 0.9 * e.users:
        return []
    return [f"{in_flight:.3g} of at most {e.users} requests were in flight on average: raise `load: users`"]


def _machine_full(e: Evidence, t: Thresholds) -> list[str]:
    """On shared cores neither side's own share shows that both together used all there was."""
    generator = laws.generator_cores(e)
    if e.isolated is not False or not e.machine_cpus or generator is None or e.cpu_used_s is None or not e.window_s:
        return []
    together = generator + e.cpu_used_s / e.window_s
    if together < t.machine_cpu_share * e.machine_cpus:
        return []
    found = f"server and load workers share cores and together used {together:.3g} of {e.machine_cpus} CPUs"
    return [f"{found}; full from {t.machine_cpu_share:.0%}"]
