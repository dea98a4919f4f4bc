"""The verdict on a trial: was it the server that was measured? Pure.

Precedence: invalid > client-bound > front-bound > backend-bound > server-bound > not-saturated.

- `invalid`: a gate of INVALIDATING failed. The numbers do not mean what their columns say.
- `client-bound`: the generator was short of CPU (a gate of GENERATOR_SHORT failed), whatever the server did; or, with
  the server not saturated, it did not keep its schedule (a gate of SCHEDULE failed), or both shared a machine that was
  full. A saturated server makes requests late and missed by itself, so there the schedule accuses nobody.
- `front-bound`: the front, or a sidecar, used the CPU it can have, or had no room for more connections; whatever the
  servers did. What it could not hand on the servers were never asked for: a rate is their capacity only where what
  stands before them had something left. That a server was full as well is said.
- `backend-bound`: what stands behind the servers used the CPU it can have, or had no connection left for them. The
  reasons name the part. A server waits for its answers, so what it did is no capacity of its own, even where it was
  full as well, which is said.
- `server-bound`: a server used the CPU it can have, or all the connections they can serve at once were busy.
- `not-saturated`: none of these. Also where the evidence for saturation is missing: only what is shown counts as
  capacity.
- `transient`, in place of the last four: rate, limits or replicas were to change within the window, or one to
  fail, so that no one state is measured. See `_of_a_transient`.

A gate of FLAGS is shown and changes no verdict: an unsteady trial is a measurement all the same, and dropping it would
select results by how well they look.
"""

from dataclasses import dataclass
from typing import Literal

from testbed.judge import laws, rules, saturation
from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate

__all__ = ["Box", "Evidence", "Gate", "Kind", "Thresholds", "Verdict", "judge"]

Kind = Literal["invalid", "client-bound", "front-bound", "backend-bound", "server-bound", "not-saturated", "transient"]

NOT_THE_SERVERS: tuple[Kind, ...] = ("invalid", "client-bound", "front-bound", "backend-bound")
"""Verdicts of trials whose numbers are not what the servers can do."""

INVALIDATING = rules.names("invalidates")
GENERATOR_SHORT = rules.names("generator short")
SCHEDULE = rules.names("off schedule")
FLAGS = rules.names("flag")

# Of the schedule's gates, what is the generator's alone.
OWN_LATENESS = ("send_lag",)

_CHANGED = (
    "rate, limits or replicas were to change within the window, or one was to fail: its figures are means over that, "
    "and no capacity"
)


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
    if e.transient:
        return _of_a_transient(e, t, gates)
    before, servers, behind = saturation.fronts_full(e, t), saturation.servers_full(e, t), saturation.behind_full(e, t)
    if before:
        return "front-bound", [*before, *behind, *servers]
    if behind:
        return "backend-bound", [*behind, *servers]
    if servers:
        return "server-bound", servers
    if reasons := _failed(gates, SCHEDULE):
        return "client-bound", reasons + _all_in_flight(e)
    if reasons := saturation.machine_full(e, t):
        return "client-bound", reasons
    return "not-saturated", _use(e)


def _of_a_transient(e: Evidence, t: Thresholds, gates: tuple[Gate, ...]) -> tuple[Kind, list[str]]:
    """What was full over the whole window is said, and decides nothing: the question is what happened in its course.

    What was not achieved is what such a trial is there to show, so only the generator's own lateness accuses it.
    """
    full = [*saturation.fronts_full(e, t), *saturation.behind_full(e, t), *saturation.servers_full(e, t)]
    if not full and (reasons := _failed(gates, OWN_LATENESS)):
        return "client-bound", reasons
    if not full and (reasons := saturation.machine_full(e, t)):
        return "client-bound", reasons
    late = _failed(gates, SCHEDULE)
    return "transient", [_CHANGED, *(full or _use(e)), *late, *(_all_in_flight(e) if late else [])]


def _use(e: Evidence) -> list[str]:
    """What servers and front used, of what they can use."""
    if e.cpu_used_s is None or not e.window_s:
        return ["not shown to be saturated: the server's CPU time is not known"]
    usable = sum(laws.usable_cpus(e, server) for server in e.servers)
    who, they = ("the server", "it") if len(e.servers) == 1 else ("the servers", "they")
    used = [f"{who} used {e.cpu_used_s / e.window_s:.3g} of the {usable:g} CPUs {they} can use"]
    for box in e.sidecars:
        if box.cpu_used_s is None:
            used.append(f"not shown to be saturated: the CPU time of the sidecar {box.name} is not known")
        else:
            used.append(f"{box.name} used {box.cpu_used_s / e.window_s:.3g} of {laws.cpu_limit(e, box):g} CPUs")
    for front in e.fronts:
        who = saturation.called(e, front)
        if front.cpu_used_s is None:
            used.append(f"not shown to be saturated: {who}'s CPU time is not known")
        else:
            used.append(f"{who} used {front.cpu_used_s / e.window_s:.3g} of {laws.cpu_limit(e, front):g} CPUs")
    for box in e.behind:
        if box.cpu_used_s is None:
            used.append(f"not shown to be saturated: the CPU time of {box.name} is not known")
        else:
            used.append(f"{box.name} used {box.cpu_used_s / e.window_s:.3g} of {laws.cpu_limit(e, box):g} CPUs")
    return used


def _all_in_flight(e: Evidence) -> list[str]:
    """In an open loop that is late: whether it lacked users, not CPU."""
    if e.throughput_rps is None or e.service_time_mean_us is None:
        return []
    in_flight = e.throughput_rps * e.service_time_mean_us / 1e6
    if in_flight < 0.9 * e.users:
        return []
    return [f"{in_flight:.3g} of at most {e.users} requests were in flight on average: raise `load: users`"]
