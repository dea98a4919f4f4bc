"""A cell without what means nothing in it, so that two that are the same are one. Pure."""

from dataclasses import replace

from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.plan.fields import CACHES, RESILIENT
from testbed.plan.pools import with_pools
from testbed.plan.profile import STEADY, mean_rps


def settled(cell: Cell, window_s: float) -> Cell:
    """The cell without the values that mean nothing in it, so that they do not make two cells of one."""
    if cell.profile != STEADY:
        cell = replace(cell, rate_rps=mean_rps(cell.profile, window_s))
    if cell.protocol != "http":
        cell = replace(cell, cache_control="none", method="post")
    if not _asks_for_work(cell):
        cell = replace(cell, spinners=0)
    return with_pools(with_front(_with_store(cell)))


def _asks_for_work(cell: Cell) -> bool:
    """Whether requests with their work and bare echoes are two kinds, and the only ones."""
    plain = cell.what_is_behind is None and not cell.has_services and cell.method == "post"
    return plain and bool(cell.sleep_us or cell.spin_us or cell.hash_us)


def _with_store(cell: Cell) -> Cell:
    """Without what only a store has, where there is none; a broker is sent keys, and stores no values."""
    stands = cell.what_is_behind
    if stands is None or stands.kind != "store":
        drawn = stands is not None or cell.method == "get"
        keys, zipf = (cell.keys, cell.zipf) if drawn else (0, 0.0)
        return replace(cell, keys=keys, zipf=zipf, reads=1.0, scans=0.0, value_bytes=0)
    return cell if stands.needs_all else replace(cell, scans=0.0)


def with_front(cell: Cell) -> Cell:
    """With what its front has, and without what only others have."""
    fronts = cell.fronts if cell.front in CACHES else 1
    cell = replace(
        cell,
        replica_cpus=cell.replica_cpus if cell.replicas > 1 else "split",
        fronts=fronts,
        # The one name of several fronts has the addresses of all.
        dns=(cell.dns or "each") if cell.front == "dns" else "all" if fronts > 1 else "once",
    )
    if cell.front not in RESILIENT:
        cell = replace(cell, front_timeout_us=0, retries=0, breaker=0, eject=0)
    cell = replace(
        cell,
        eject_for_us=cell.eject_for_us if cell.eject else 0,
        sidecar_cpus=cell.sidecar_cpus if cell.sidecar != NO_SIDECAR else 0.0,
    )
    if not cell.is_gateway:
        cell = replace(cell, rate_limit_rps=0.0, auth="none")
    return cell if cell.is_proxied else replace(cell, front_cpus=0.0, balance="none", queue="none")
