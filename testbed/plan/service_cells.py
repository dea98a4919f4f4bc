"""What the server of each service of a cell is, and is asked. Pure."""

from dataclasses import replace
from functools import cache

from testbed.plan import services
from testbed.plan.cell import Cell
from testbed.plan.pools import with_pools

# Of a service whose model has a pool of threads, where the cell's own has none: as the axis has it.
LEAST_THREADS = 16


@cache
def service_cells(cell: Cell) -> dict[str, Cell]:
    """By the name of each service, what its server is and is asked; empty where there is one for all paths."""
    parts = services.of_text(cell.services)
    return {
        part.name: with_pools(
            replace(
                cell,
                services=services.NONE,
                model=part.model or cell.model,
                # Those of the cell belong to its own model.
                workers=cell.workers if part.model in ("", cell.model) else 0,
                threads=cell.threads or LEAST_THREADS,
                cpus=cell.cpus / len(parts) if part.cpus is None else part.cpus,
                sleep_us=cell.sleep_us if part.sleep_us is None else part.sleep_us,
                spin_us=cell.spin_us if part.spin_us is None else part.spin_us,
                hash_us=cell.hash_us if part.hash_us is None else part.hash_us,
            )
        )
        for part in parts
    }
