"""Which models the experiments are about, each found by what it is made of: none is known here by its name."""

from __future__ import annotations

from servers.models import MODELS, TABLE, VARIANTS
from servers.models.traits import THREADS, WORKERS, Size, Traits

_LARGE = 9


def _grows_in(traits: Traits) -> str:
    """What a model makes for each connection: "processes", "threads", or nothing."""
    few, many = Size(2, 2, 1), Size(2, 2, _LARGE)
    if traits.processes(few) != traits.processes(many):
        return "processes"
    return "threads" if traits.threads(few) != traits.threads(many) else ""


def _first(pool: str, grows_in: str, unlimited: bool) -> str:
    """The first model of this make. StopIteration without one."""
    return next(
        name
        for name in MODELS
        if TABLE[name].pool == pool
        and _grows_in(TABLE[name]) == grows_in
        and (TABLE[name].slots_of(Size(_LARGE, _LARGE)) is None) == unlimited
    )


SEQUENTIAL = _first("", "", unlimited=False)
THREAD_EACH = _first("", "threads", unlimited=True)
PROCESS_EACH = _first("", "processes", unlimited=True)
WORKERS_WITH_THREADS = _first(WORKERS, "threads", unlimited=True)
THREAD_POOL = _first(THREADS, "", unlimited=False)
PROCESS_POOL = _first(WORKERS, "", unlimited=False)
LOOP = _first("", "", unlimited=True)
LOOP_VARIANT = next(name for name, model in VARIANTS.items() if model == LOOP)
