"""Which box was full: the front, the servers, what stands behind them, or a machine that all share. Pure.

Each function gives one line for each thing that shows it; none where nothing does, or where it is not known.
"""

from testbed.judge import laws
from testbed.judge.boxes import Box, has_no_room
from testbed.judge.evidence import Evidence, Thresholds
from testbed.sums import total


def fronts_full(e: Evidence, t: Thresholds) -> list[str]:
    """What shows that the front could not have handed on more. A queue in it shows nothing: it keeps connections for
    servers that have no slot for them. A sidecar is a front of one server."""
    named = [
        *((front, called(e, front)) for front in e.fronts),
        *((one, f"the sidecar {one.name}") for one in e.sidecars),
    ]
    return [line for box, who in named for line in [*_cpu(e, box, who, t), *_room(box, who)]]


def called(e: Evidence, front: Box) -> str:
    """The only front needs no name."""
    return "the front" if len(e.fronts) == 1 else front.name


def behind_full(e: Evidence, t: Thresholds) -> list[str]:
    """What shows that a store, a broker or a consumer could not have done more, by name."""
    return [line for box in e.behind for line in [*_cpu(e, box, box.name, t), *_taken(box)]]


def _taken(box: Box) -> list[str]:
    found = []
    if has_no_room(box):
        found.append(f"{box.name} had all {box.connection_limit} connections open that it may have")
    if box.queue_max:
        found.append(f"{box.queue_max} clients waited in {box.name} for a connection")
    return found


def servers_full(e: Evidence, t: Thresholds) -> list[str]:
    """What shows that the servers could not have done more; of one that is full beside others, also what these did."""
    of_each = [_cpu(e, server, _called(e, server), t) for server in e.servers]
    others = [server for server, lines in zip(e.servers, of_each, strict=True) if not lines]
    lines = [line for of_one in of_each for line in of_one]
    return [*lines, *(_others(e, others) if lines else []), *_slots(e, t)]


def _called(e: Evidence, server: Box) -> str:
    return "the server" if len(e.servers) == 1 else f"the server {server.name}"


def _cpu(e: Evidence, box: Box, who: str, t: Thresholds) -> list[str]:
    found: list[str] = []
    if not e.window_s:
        return found
    limit = laws.cpu_limit(e, box)
    if box.cpu_used_s is not None:
        usable = laws.usable_cpus(e, box) if box.role == "server" else limit
        share = box.cpu_used_s / (usable * e.window_s)
        if share >= t.server_cpu_share:
            which = "" if usable == limit else f" that its interpreters can use of {limit:g}"
            used = f"{who} used {share:.0%} of the {usable:g} CPUs{which}"
            found.append(f"{used}; saturated from {t.server_cpu_share:.0%}")
    if box.throttled_periods is not None:
        # The kernel counts only periods in which the group ran: an idle server's few would weigh too much.
        periods = max(box.periods or 0, e.window_s / t.quota_period_s)
        share = box.throttled_periods / periods
        if share >= t.server_throttled_share:
            throttled = f"{who} was throttled in {share:.0%} of its quota periods"
            found.append(f"{throttled}; saturated from {t.server_throttled_share:.0%}")
    return found


def _room(front: Box, who: str) -> list[str]:
    found = []
    if has_no_room(front):
        found.append(f"{who} had all {front.connection_limit} connections open that it may have")
    if front.dropped:
        found.append(f"{who} closed {front.dropped} connections for want of room")
    return found


def _others(e: Evidence, others: list[Box]) -> list[str]:
    """What the servers beside a full one did: the load was not spread as their limits are."""
    used_s = total(server.cpu_used_s for server in others)
    if used_s is None or not e.window_s:
        return []
    share = used_s / (sum(laws.usable_cpus(e, server) for server in others) * e.window_s)
    return [f"the other {len(others)} of {len(e.servers)} servers used {share:.0%} of the CPUs they can use"]


def _slots(e: Evidence, t: Thresholds) -> list[str]:
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


def machine_full(e: Evidence, t: Thresholds) -> list[str]:
    """On shared cores no side's own share shows that all together used all there was."""
    generator, used_s = laws.generator_cores(e), total(box.cpu_used_s for box in e.measured)
    if e.isolated is not False or not e.machine_cpus or generator is None or used_s is None or not e.window_s:
        return []
    together = generator + used_s / e.window_s
    if together < t.machine_cpu_share * e.machine_cpus:
        return []
    more = [
        *(["sidecars"] if e.sidecars else []),
        *(["front"] if e.fronts else []),
        *(["what is behind"] if e.behind else []),
    ]
    who = f"{', '.join(['server', *more])} and load workers"
    found = f"{who} share cores and together used {together:.3g} of {e.machine_cpus} CPUs"
    return [f"{found}; full from {t.machine_cpu_share:.0%}"]
