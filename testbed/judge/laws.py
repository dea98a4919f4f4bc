"""The gates that hold a trial against arithmetic: Little's law, the utilisation law. Pure."""

from testbed.judge import shape
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate, decide, generator_cpu, generator_throttling, unknown


def generator_cores(e: Evidence) -> float | None:
    """CPUs that all load workers together used on average."""
    cores = [w.cpu_used_s / w.window_s for w in e.generator or () if w.cpu_used_s is not None and w.window_s]
    return sum(cores) if cores and len(cores) == len(e.generator or ()) else None


def held_by_workers(e: Evidence) -> float | None:
    """At most how many users are between a reply and the next send, on average; None where nothing is known of workers.

    A load worker is one thread that does not yield there, so it holds at most one user, for as long as it computes: the
    CPUs used. One that was throttled, or had to share its core with the server, held a user while it stood still.
    """
    workers = len(e.generator) if e.generator else e.workers_expected
    cores = generator_cores(e)
    undisturbed = e.isolated and all(worker.throttled_periods == 0 for worker in e.generator or ())
    if cores is None or not undisturbed:
        return workers
    return min(cores, float(len(e.generator or ())))


def littles_law(e: Evidence, t: Thresholds) -> Gate | None:
    """N = X (R + Z) in a closed loop, R from send to reply, with the connect where one is made. None in an open loop.

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
    if e.mode == "open":
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
    slots = shape.serving_slots(e.model, e.workers, e.threads) if shape.is_known(e.model) else None
    held_for_good = e.connection == "persistent" and slots is not None
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


def usable_cpus(e: Evidence) -> float:
    """At most how many CPUs the server can use: its limit, or one for each interpreter lock where there are fewer."""
    locks = shape.interpreters(e.model, e.workers) if shape.is_known(e.model) else None
    # Only where one process runs several threads can work that releases the lock use more CPUs.
    if locks is None or (e.hash_us and shape.serves_in_threads(e.model)):
        return e.cpus
    return min(e.cpus, float(locks))


def utilisation_law(e: Evidence, t: Thresholds) -> Gate:
    """U = X D, with D a lower bound of the true CPU time per request: its work at the machine's fastest moment.

    So X D <= U <= limit.

    A request that completes in the window may have spent its D before it, once per user.
    """
    name, x, window_s = "utilisation_law", e.throughput_rps, e.window_s
    demand_s = (e.spin_us + e.hash_us if e.least_cpu_us is None else e.least_cpu_us) / 1e6
    law = "X <= cpus/D and CPU used <= limit"
    if x is None or not window_s:
        return unknown(name, "throughput", law)
    if e.cpu_used_s is not None:
        most_s = e.cpus * (window_s + t.quota_period_s) * (1 + t.cpu_time_relative)
        found = f"{e.cpu_used_s:.3g} s CPU used in {window_s:.3g} s"
        allowed = f"at most {most_s:.3g} s under {e.cpus:g} CPUs"
        if e.cpu_used_s > most_s:
            return decide(name, False, found, allowed)
    if demand_s:
        used = e.cpus if e.cpu_used_s is None else min(e.cpus, e.cpu_used_s / window_s)
        most = min(used, usable_cpus(e)) * (1 + t.utilisation_relative) / demand_s + e.users / window_s
        found = f"X = {x:.4g}/s with D = {demand_s * 1e3:.3g} ms CPU per request"
        allowed = f"at most {most:.4g}/s on {min(used, usable_cpus(e)):.3g} CPUs"
        if x > most:
            return decide(name, False, found, allowed)
    if e.cpu_used_s is None:
        return unknown(name, "CPU time of the server", law)
    return decide(name, True, found, allowed)
