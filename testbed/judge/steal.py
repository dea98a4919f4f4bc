"""Which share of a window the hypervisor took from the processors of the server and of the generator. Pure."""

from collections.abc import Iterable
from typing import Any

from testbed.stack.cpus import CpuSets, parse_cpu_list
from testbed.stack.services import Limits


def share(probe: dict[str, Any] | None, processors: Iterable[int] | None) -> float | None:
    """Stolen time over all time of these processors between the probe's two readings; without them, of all.

    None where it is not known of every one of them. Also where no tick was stolen from any processor since the machine
    started: one without a hypervisor, or whose hypervisor does not say, cannot be told from one that is left alone.
    """
    before, after = (((probe or {}).get(edge) or {}).get("processor_ticks") for edge in ("opened", "closed"))
    if not after or not any(stolen for stolen, _ in after.values()):
        return None
    names = list(after) if processors is None else [str(one) for one in processors]
    if before is None or any(name not in before or name not in after for name in names):
        return None
    stolen, every = (sum(after[name][place] - before[name][place] for name in names) for place in (0, 1))
    return stolen / every if every > 0 else None


def processors(limits: Limits) -> list[int] | None:
    """Where a service may run. None: anywhere."""
    return None if limits.processors is None else list(parse_cpu_list(limits.processors))


def generator_processors(cpu_sets: CpuSets) -> list[int] | None:
    """Where the load workers may run. None: anywhere."""
    return None if cpu_sets.generator is None else list(parse_cpu_list(cpu_sets.generator))
