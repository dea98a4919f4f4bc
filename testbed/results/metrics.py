"""The measured columns of trials.csv, out of what the load and the boxes have to say. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from testbed.judge.boxes import Box
from testbed.plan.cell import Cell
from testbed.results import asked_behind
from testbed.results.nested import at
from testbed.results.rounding import rounded
from testbed.sums import most, total

# The roles of what stands behind the servers.
BEHIND = ("store", "broker", "consumer")


def metrics(cell: Cell, load: dict[str, Any] | None, boxes: Sequence[Box]) -> dict[str, Any]:
    """None where a source is missing. Of several servers, the sums, unless a column says otherwise."""
    servers, fronts = ([box for box in boxes if box.role == role] for role in ("server", "front"))
    ok = at(load, "ok")
    used_s = total(box.cpu_used_s for box in servers)
    return {
        # In an open loop users stand for requests in flight: one that was not needed is not starved.
        "users_starved": at(load, "users_starved") if cell.mode == "closed" else None,
        "throughput_rps": rounded(at(load, "throughput_rps"), 2),
        "latency_p50_us": at(load, "latency_us", "p50"),
        "latency_p90_us": at(load, "latency_us", "p90"),
        "latency_p99_us": at(load, "latency_us", "p99"),
        "latency_max_us": at(load, "latency_us", "max"),
        "echo_p50_us": at(load, "echo_us", "p50"),
        "echo_p99_us": at(load, "echo_us", "p99"),
        "service_time_p50_us": at(load, "service_time_us", "p50"),
        "service_time_p99_us": at(load, "service_time_us", "p99"),
        "send_lag_p99_us": at(load, "send_lag_us", "p99"),
        "dispatch_lag_p99_us": at(load, "dispatch_lag_us", "p99"),
        "holders_held": at(load, "idle_holders", "held_throughout"),
        "offered": at(load, "offered"),
        "missed": at(load, "missed"),
        "achieved_over_offered": rounded(at(load, "achieved_over_offered"), 4),
        "ok": ok,
        "failed": at(load, "failed"),
        "in_flight": at(load, "in_flight"),
        "cpu_used_s": rounded(used_s, 4),
        "cpu_us_per_request": _us_each(used_s, ok),
        "window_s": rounded(at(load, "window", "duration_s"), 3),
        "throttled_periods": total(box.throttled_periods for box in servers),
        "periods": total(box.periods for box in servers),
        "throttled_s": rounded(total(box.throttled_s for box in servers), 4),
        "memory_peak_bytes": total(box.memory_peak_bytes for box in servers),
        "pss_bytes": total(box.pss_bytes for box in servers),
        "oom_kills": total(box.oom_kills for box in servers),
        "voluntary_switches": total(box.voluntary_switches for box in servers),
        "involuntary_switches": total(box.involuntary_switches for box in servers),
        "accept_queue_max": most(box.accept_queue_max for box in servers),
        "listen_overflows": total(box.listen_overflows for box in servers),
        "imbalance": imbalance(servers),
        **_of_fronts(fronts, ok),
        **_of_sidecars([box for box in boxes if box.role == "sidecar"], ok),
        **_of_the_edge(load, ok),
        **_of_the_gateway(load),
        **_of_what_is_behind([box for box in boxes if box.role in BEHIND and not box.removed], ok),
        **asked_behind.columns(load),
        "generator_cpu_share": _generator_share(load),
        "probe_cpu_share": total(box.watching_cpu_share for box in servers),
        "server_served": total(box.served for box in servers),
    }


def _of_the_gateway(load: dict[str, Any] | None) -> dict[str, Any]:
    limited, ended = at(load, "limited"), total((at(load, "ok"), at(load, "failed"), at(load, "limited")))
    services = at(load, "by_service") or {}
    return {
        "limited": limited,
        "limited_share": rounded(limited / ended, 4) if limited is not None and ended else None,
        "service_rps": _each(services, lambda one: rounded(at(one, "ok") / at(load, "window", "duration_s"), 1)),
        "service_p50_us": _each(services, lambda one: at(one, "latency_us", "p50")),
        "service_p99_us": _each(services, lambda one: at(one, "latency_us", "p99")),
        "service_limited": _each(services, lambda one: at(one, "limited")) if limited else "",
    }


def _each(services: dict[str, Any], of: Callable[[dict[str, Any]], Any]) -> str:
    """`reads 3200, waits 21000`; what is not known of one is left out."""
    known = {name: of(one) for name, one in services.items()}
    return ", ".join(f"{name} {value:g}" for name, value in known.items() if value is not None)


def _of_fronts(fronts: Sequence[Box], ok: int | None) -> dict[str, Any]:
    used_s = total(box.cpu_used_s for box in fronts)
    return {
        "front_cpu_s": rounded(used_s, 4),
        "front_cpu_us_per_request": _us_each(used_s, ok),
        "front_connections": total(box.connections for box in fronts),
        "front_queue_max": most(box.queue_max for box in fronts),
    }


def _of_sidecars(sidecars: Sequence[Box], ok: int | None) -> dict[str, Any]:
    used_s = total(box.cpu_used_s for box in sidecars)
    return {"sidecar_cpu_s": rounded(used_s, 4), "sidecar_cpu_us_per_request": _us_each(used_s, ok)}


def _of_the_edge(load: dict[str, Any] | None, ok: int | None) -> dict[str, Any]:
    cached = at(load, "cached")
    return {
        "edge_hit_ratio": rounded(cached / ok, 5) if cached is not None and ok else None,
        "edge_cached": cached,
        "edge_age_max_s": at(load, "age_max_s"),
    }


def _of_what_is_behind(behind: Sequence[Box], ok: int | None) -> dict[str, Any]:
    used_s = total(box.cpu_used_s for box in behind)
    return {"behind_cpu_s": rounded(used_s, 4), "behind_cpu_us_per_request": _us_each(used_s, ok)}


def _us_each(used_s: float | None, requests: int | None) -> float | None:
    # Whole microseconds, as they were counted: what they come to per request does not depend on how they were added.
    return rounded(round(used_s * 1e6) / requests, 1) if used_s is not None and requests else None


def imbalance(servers: Sequence[Box]) -> float | None:
    """The most that one of them served over their mean, by their own counts over their lives: 1 to how many they are.

    None of a single one, with one unknown, and where one came or went while the load was on: then they served unlike
    times.
    """
    counts = [box.served for box in servers]
    every = total(counts)
    if len(servers) < 2 or not every or any(box.joined or box.removed for box in servers):
        return None
    return rounded((most(counts) or 0) * len(servers) / every, 3)


def _generator_share(load: dict[str, Any] | None) -> float | None:
    """The CPU share of the busiest load worker, of one core."""
    workers = at(load, "generator") or []
    shares = [
        used_s / one["window_s"] for one in workers if (used_s := worked_s(one)) is not None and one.get("window_s")
    ]
    return rounded(max(shares), 3) if shares else None


def worked_s(one: dict[str, Any]) -> float | None:
    """CPU time of a load worker without what its engine spun, which it would not have if it had been busy."""
    used = one.get("cpu_used_s")
    return None if used is None else float(used) - float(one.get("cpu_spun_s") or 0.0)
