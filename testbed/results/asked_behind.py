"""The columns of what the load asked of what stands behind the servers, out of load.json. Pure; None is "not known"."""

from typing import Any

from testbed.results.nested import at
from testbed.results.rounding import rounded

_BACKEND = "backend "


def columns(load: dict[str, Any] | None) -> dict[str, Any]:
    """Without anything behind the servers all of it is empty, as of a load that did not count it yet."""
    stale, checked = at(load, "stale"), at(load, "reads_checked")
    failures = None if stale is None else _failures(load)
    return {
        "stale": stale,
        "reads_checked": checked,
        "stale_share": rounded(stale / checked, 5) if stale is not None and checked else None,
        **{f"{verb}_{name}_us": at(load, f"{verb}_us", name) for verb in ("read", "write") for name in ("p50", "p99")},
        "backend_errors": None if failures is None else sum(failures.values()),
        "backend_error_names": ", ".join(f"{count} {name}" for name, count in (failures or {}).items() if count),
    }


def _failures(load: dict[str, Any] | None) -> dict[str, int] | None:
    """Requests that failed behind the server, by the name it gave."""
    every = at(load, "failures")
    if every is None:
        return None
    return {kind.removeprefix(_BACKEND): count for kind, count in every.items() if kind.startswith(_BACKEND)}
