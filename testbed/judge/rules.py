"""The gates in the order in which they decide: what each asks, why, and what follows where it fails. Pure.

A verdict is made from this table, and docs/verdicts.md prints it. A new gate is a function that returns a `Gate` and a
line here; its numbers belong into `thresholds.Thresholds`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from testbed.judge import conservation, gateway, holding, laws
from testbed.judge import gates as gate
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate
from testbed.judge.steady import steady_state

Role = Literal["invalidates", "generator short", "off schedule", "flag"]
"""What follows where the gate fails. See verdict.py, which gives the precedence."""


@dataclass(frozen=True)
class Rule:
    """One gate. `check` returns None where the gate does not apply to the trial."""

    name: str
    role: Role
    asks: str
    reason: str
    check: Callable[[Evidence, Thresholds], Gate | None]


def _plain(check: Callable[[Evidence], Gate | None]) -> Callable[[Evidence, Thresholds], Gate | None]:
    """A gate without a threshold."""
    return lambda evidence, _: check(evidence)


RULES: tuple[Rule, ...] = (
    Rule(
        "completed",
        "invalidates",
        "the trial runs to its end and has a load result",
        "What was cut off has no window to speak of; the reason of the failure is what was found.",
        _plain(gate.completed),
    ),
    Rule(
        "verification",
        "invalidates",
        "before the load, the server echoes split, coalesced, random and parallel lines and refuses a bad directive; "
        "with something behind it, it reads, finds what it has written, knows no other keys, or sends",
        "A server that does not do the work is fast.",
        _plain(gate.verification),
    ),
    Rule(
        "model_shape",
        "invalidates",
        "with connections held, the server has the processes and threads of its model",
        "Otherwise another model was measured under this one's name.",
        _plain(gate.model_shape),
    ),
    Rule(
        "server_survived",
        "invalidates",
        "every server and its pool's workers live until they are stopped; one that the sweep's scaling takes out may "
        "end, and one that its fault crashes, or a worker of that for each crash",
        "A server that starts again, or a worker that is replaced, served only part of the window. Of several, the one "
        "that died is named: its count died with it, so no sum over them is known.",
        _plain(gate.server_survived),
    ),
    Rule(
        "front_survived",
        "invalidates",
        "the front lives until it is stopped; where there is one",
        "All connections went through it.",
        _plain(gate.front_survived),
    ),
    Rule(
        "sidecar_survived",
        "invalidates",
        "every sidecar lives until it is stopped; where there are any",
        "All that came for its server went through it.",
        _plain(gate.sidecar_survived),
    ),
    Rule(
        "behind_survived",
        "invalidates",
        "what stands behind the servers lives until it is stopped, but for a consumer that the sweep has killed; where "
        "there is anything",
        "Requests needed it.",
        _plain(gate.behind_survived),
    ),
    Rule(
        "oom",
        "invalidates",
        "no process is killed for want of memory, but by a fault that asks for that",
        "The users of a killed process are missing from every figure.",
        _plain(gate.oom),
    ),
    Rule(
        "connection_tracking",
        "invalidates",
        "the kernel drops no packet because its table of tracked connections is full; where it has such a table",
        "Dropped packets show as slow connections, and no model made them so. They may be another program's: users "
        "that keep their connections are not harmed by a table that fills up later.",
        _plain(gate.connection_tracking),
    ),
    Rule(
        "workers_present",
        "invalidates",
        "every load worker is there from start to end",
        "The users of one that is lost are missing, and the rate it was to send.",
        _plain(gate.workers_present),
    ),
    Rule(
        "held",
        "invalidates",
        "all idle holders are served when they come and held through the window; where the sweep asks for any",
        "Fewer silent connections than asked for is another experiment. The gate says what ran out.",
        _plain(holding.held),
    ),
    Rule(
        "replies",
        "invalidates",
        "at least one verified reply in the window",
        "From nothing no rate and no percentile follows.",
        _plain(gate.replies),
    ),
    Rule(
        "wrong_echo",
        "invalidates",
        "no reply differs from its request",
        "A reply that is somebody else's is a fault of the server, and no throughput.",
        _plain(gate.wrong_echo),
    ),
    Rule(
        "wrong_value",
        "invalidates",
        "no value that was read is another than that of its key and version; where something stands behind the servers",
        "A store that gives back what nobody wrote, or the value of another key, is broken, or was filled by somebody "
        "else. An old value is not wrong: it is counted as stale, and is a result.",
        _plain(gate.wrong_value),
    ),
    Rule(
        "conservation",
        "invalidates",
        "sent = ok + failed + in flight, exactly; and the server's own count is the clients'; of several servers, the "
        "sum of theirs; behind a cache, the servers' is what that has fetched, and of what it has fetched all but its "
        "refreshes are the clients' replies that are not out of the cache. Tries that a front gave up on may have been "
        "served or not",
        "Counts that were made apart: a request that is lost or counted twice shows. A cache that does not count its "
        "refreshes in the background has fetched at least as much as clients have waited for.",
        _plain(conservation.conservation),
    ),
    Rule(
        "limited",
        "invalidates",
        "a gateway has answered 429 as often as the clients have got it, and never without a rate limit; where there "
        "is either",
        "What is refused is not measured, so how much it is has to be certain.",
        _plain(gateway.limited),
    ),
    Rule(
        "routes",
        "invalidates",
        "each of several services has served at least what its clients got from it; where there are several",
        "A gateway that takes a path for another would still answer every request, and measure the wrong server.",
        _plain(gateway.routes),
    ),
    Rule(
        "connections",
        "invalidates",
        "the front has taken the connections that clients and checks made to it; and all servers together those that "
        "it made to them, and those that checks made past it; where there is a front; and likewise "
        "each with the sidecars in between. Not known of nginx as a cache, which does not count those that it makes",
        "Three counts that were made apart: a connection that is lost on the way, or that came from elsewhere, shows. "
        "Exact, but for requests that failed or had no reply when the load ended.",
        _plain(conservation.connections),
    ),
    Rule(
        "littles_law",
        "invalidates",
        "closed loop: users = throughput x (service time + think time); not of a transient trial",
        "It holds for any system; where it does not, a clock or a count is wrong.",
        laws.littles_law,
    ),
    Rule(
        "utilisation_law",
        "invalidates",
        "throughput x least CPU time per request is at most the CPU that the server can use, and what it used is at "
        "most its limit, likewise the front's; of a limit that was changed, the greatest",
        "Otherwise requests were answered without their work, or the limit was not in force.",
        laws.utilisation_law,
    ),
    Rule(
        "generator_cpu",
        "generator short",
        "no load worker uses too much of one core, or of its quota",
        "A busy generator adds its own queue to every latency.",
        gate.generator_cpu,
    ),
    Rule(
        "generator_throttling",
        "generator short",
        "no load worker is stopped by a quota of its own",
        "While it stands still it neither sends nor reads.",
        gate.generator_throttling,
    ),
    Rule(
        "send_lag",
        "off schedule",
        "open loop: requests are sent when they are due, those that found a user idle",
        "What is sent late was not the offered load. Waiting for a busy server is not counted here.",
        gate.send_lag,
    ),
    Rule(
        "achieved_over_offered",
        "off schedule",
        "open loop: the offered rate is answered",
        "Below it the trial shows another rate than the one in its name.",
        gate.achieved_over_offered,
    ),
    Rule(
        "steady_state",
        "flag",
        "throughput and median service time of the window's halves are alike, and the first second is no outlier; not "
        "of a transient trial",
        "A window that drifts is a mean of two states. It is a measurement all the same.",
        steady_state,
    ),
    Rule(
        "disturbed",
        "flag",
        "no hypervisor takes the processors of server, front or generator away",
        "The latency of those moments is the hypervisor's.",
        gate.disturbed,
    ),
    Rule(
        "isolation",
        "flag",
        "the server shares no core with the load generator or the rest",
        "On shared cores the two slow each other down.",
        _plain(gate.isolation),
    ),
)


def names(role: Role) -> tuple[str, ...]:
    """The gates of this role, in their order."""
    return tuple(rule.name for rule in RULES if rule.role == role)
