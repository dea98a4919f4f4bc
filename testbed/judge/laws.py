"""The gates that hold a trial against arithmetic: Little's law, the utilisation law. Pure."""

import math

from testbed.judge import shape
from testbed.judge.boxes import Box, of_which, said_of
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate, decide, generator_cpu, generator_throttling, unknown
from testbed.sums import total


def serving_slots(e: Evidence) -> int | None:
    """How many connections all servers together serve at once. None where there is no limit, or none is known; and
    where clients' connections are not the servers', because a front or a sidecar hands on requests."""
    if not e.is_direct:
        return None
    slots = shape.serving_slots(e.model, e.workers, e.threads) if shape.is_known(e.model) else None
    return None if slots is None else slots * max(1, len(e.servers))


def surely_served(e: Evidence) -> int | None:
    """How many connections are served at once wherever they land, be it all on one server; None as above."""
    if e.one_queue or not e.is_direct:
        return serving_slots(e)
    return shape.surely_served(e.model, e.workers, e.threads) if shape.is_known(e.model) else None


def generator_cores(e: Evidence) -> float | None:
    """CPUs that all load workers together used on average."""
    return total(
        None if worker.cpu_used_s is None or not worker.window_s else worker.cpu_used_s / worker.window_s
        for worker in e.generator
    )


def held_by_workers(e: Evidence) -> float | None:
    """At most how many users are between a reply and the next send, on average; None where nothing is known of workers.

    A load worker is one thread that does not yield there, so it holds at most one user, for as long as it computes: the
    CPUs used. One that was throttled, or had to share its core with the server, held a user while it stood still.
    """
    workers = len(e.generator) if e.generator else e.workers_expected
    cores = generator_cores(e)
    undisturbed = e.isolated and all(worker.throttled_periods == 0 for worker in e.generator)
    if cores is None or not undisturbed:
        return workers
    return min(cores, float(len(e.generator)))


def littles_law(e: Evidence, t: Thresholds) -> Gate | None:
    """N = X (R + Z) in a closed loop, R from send to reply, with the connect where one is made. None in an open loop,
    and where rate, limits or replicas were to change.

    Counting completions in a window of T seconds errs at its edges: each user's first cycle of R + Z began before it,
    and the last goes on after it. A user's sum is off by the difference of the two cycles' ages, which is less than
    the longest cycle C_max, so the sum of all is off by less than C_max/T of N. Users who wait in one queue, or for
    one throttled server, are all as old at an edge: with them the errors do not average out, so the bound is taken
    whole.

    Users may also be elsewhere than in R or Z. Starved ones are subtracted where connections that stay hold all slots
    of a model, so that the others wait outside for good. Where turns change hands instead, one that counts as served
    may have got its one reply just at an edge: a starved user then shows cycles longer than the window, and nothing
    can be told. Users that came while the window was open count by their share of it. Between a reply and the next
    send a user is in the hands of its worker, see `held_by_workers`. A pause ends late by up to timer_slack_us, or by
    an unknown time where the generator was short of CPU, which is its own gate's matter. Failed requests take users
    for a time nobody measures. Under either, a sum too small tells nothing; one too large still does.
    """
    if e.mode == "open" or e.transient:
        return None
    name, law = "littles_law", f"N = X(R+Z) within {t.little_relative:.0%}"
    x, r, window_s = e.throughput_rps, e.service_time_mean_us, e.window_s
    if not x or r is None or not window_s or e.users_starved is None or e.failed is None:
        return unknown(name, "throughput, service time or starved users", law)
    if e.service_time_max_us is None:
        return unknown(name, "the longest service time, which bounds what the window's edges cut", law)
    served = round(e.users - e.users_starved - e.users_absent, 3)
    if served <= 0:
        return unknown(name, "no user was served throughout", law)
    held_for_good = e.connection == "persistent" and serving_slots(e) is not None
    if e.users_starved and not held_for_good:
        return unknown(name, f"{e.users_starved} starved users show cycles that are longer than the window", law)

    cycle_s = (r + e.think_us) / 1e6
    longest_s = (e.service_time_max_us + e.think_us) / 1e6
    edge = longest_s / window_s
    if edge > t.little_most_edge:
        found = f"cycles of {cycle_s:.3g} s on average, {longest_s:.3g} s at most, in a window of {window_s:.3g} s"
        return unknown(name, f"too few cycles to tell ({found})", law)

    in_cycle = x * cycle_s
    tolerance = t.little_relative + edge
    high = served * (1 + tolerance)
    held = held_by_workers(e)
    late = x * t.timer_slack_us / 1e6 if e.think_us else 0.0
    low = served * (1 - tolerance) - (held or 0.0) - late
    found = f"X(R+Z) = {x:.4g}/s x {cycle_s * 1e3:.4g} ms = {in_cycle:.3g} users of {served:g} served"
    allowed = f"{max(low, 0.0):.3g} to {high:.3g}"
    if in_cycle > high:
        return decide(name, False, found, allowed)
    if in_cycle < low and e.failed:
        return unknown(name, f"{found}, but {e.failed} failed requests took users for a time not measured", allowed)
    if in_cycle < low and held is None:
        return unknown(name, f"{found}, but not how long the load workers held users", allowed)
    if in_cycle < low and e.think_us and _generator_short(e, t):
        return unknown(name, f"{found}, but the generator was too short of CPU to end pauses in time", allowed)
    return decide(name, in_cycle >= low, found, allowed)


def _generator_short(e: Evidence, t: Thresholds) -> bool:
    return "fail" in (generator_cpu(e, t).status, generator_throttling(e, t).status)


def cpu_limit(e: Evidence, box: Box) -> float:
    """CPUs that its container lets it use: without a limit, those of the machine."""
    return box.cpu_limit if box.cpu_limit is not None else float(e.machine_cpus or math.inf)


def usable_cpus(e: Evidence, server: Box) -> float:
    """At most how many CPUs a server can use: its limit, or one for each interpreter lock where there are fewer."""
    limit = cpu_limit(e, server)
    locks = shape.interpreters(e.model, e.workers) if shape.is_known(e.model) else None
    # Only where one process runs several threads can work that releases the lock use more CPUs.
    if locks is None or (e.hash_us and shape.serves_in_threads(e.model)):
        return limit
    return min(limit, float(locks))


def utilisation_law(e: Evidence, t: Thresholds) -> Gate:
    """U = X D, with D a lower bound of the true CPU time per request: its work at the machine's fastest moment. X is of
    what the servers have answered: what a cache before them has is none of their work.

    So X D <= U <= limit, the limit for each server and U over all of them. A front has a limit too, and no part in D.
    A limit that was changed within the window is the greatest that was in force.

    A request that completes in the window may have spent its D before it, once per user.
    """
    name, x, window_s = "utilisation_law", e.servers_rps, e.window_s
    demand_s = (e.spin_us + e.hash_us if e.least_cpu_us is None else e.least_cpu_us) / 1e6
    law = "X <= cpus/D and CPU used <= limit"
    if x is None or not window_s:
        return unknown(name, "throughput", law)
    longest_s = (window_s + t.quota_period_s) * (1 + t.cpu_time_relative)
    for box in e.measured:
        if box.cpu_used_s is not None and box.cpu_used_s > cpu_limit(e, box) * longest_s:
            found, allowed = _cpu_time(box.cpu_used_s, window_s, cpu_limit(e, box), longest_s)
            return decide(name, False, said_of(box, e.measured, found), allowed)
    if e.cpu_used_s is not None:
        limits = sum(cpu_limit(e, server) for server in e.servers)
        found, allowed = _cpu_time(e.cpu_used_s, window_s, limits, longest_s)
    if demand_s and e.servers:
        able = sum(_most_used(e, server, window_s) for server in e.servers)
        most = able * (1 + t.utilisation_relative) / demand_s + e.users / window_s
        found = f"X = {x:.4g}/s with D = {demand_s * 1e3:.3g} ms CPU per request"
        allowed = f"at most {most:.4g}/s on {able:.3g} CPUs"
        if x > most:
            return decide(name, False, found, allowed)
    if e.cpu_used_s is None:
        which = of_which(e.servers, lambda box: box.cpu_used_s)
        return unknown(name, f"CPU time of the server{which}", law)
    return decide(name, True, found, allowed)


def _cpu_time(used_s: float, window_s: float, cpus: float, longest_s: float) -> tuple[str, str]:
    found = f"{used_s:.3g} s CPU used in {window_s:.3g} s"
    return found, f"at most {cpus * longest_s:.3g} s under {cpus:g} CPUs"


def _most_used(e: Evidence, server: Box, window_s: float) -> float:
    """CPUs that can have run requests: those it used, where that is known, and never more than it can use."""
    usable = usable_cpus(e, server)
    return usable if server.cpu_used_s is None else min(usable, server.cpu_used_s / window_s)
