"""The images that the trials of a sweep need, by their names. Pure."""

from testbed.names import front_image
from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.plan.cells import cells
from testbed.plan.schema import Sweep
from testbed.plan.service_cells import service_cells


def proxies(sweep: Sweep) -> list[str]:
    """The fronts of the sweep that are containers of their own, and its sidecars, by the names of their images."""
    every = cells(sweep)
    fronts = {front_image(cell.front) for cell in every if cell.is_proxied}
    return sorted(fronts | {cell.sidecar for cell in every if cell.sidecar != NO_SIDECAR})


def server_images(sweep: Sweep) -> list[str]:
    """The servers of the sweep by the names of their images; by the model's where another stands in for that."""
    every = [one for cell in cells(sweep) for one in service_cells(cell).values() or (cell,)]
    return list(dict.fromkeys(_image(one, sweep) for one in every))


def _image(cell: Cell, sweep: Sweep) -> str:
    stands_in = cell.model in sweep.images and cell.image not in sweep.images
    return cell.model if stands_in else cell.image


def parts_behind(sweep: Sweep) -> list[str]:
    """What stands behind servers in the sweep is made of, by the names of images."""
    stands = [cell.what_is_behind for cell in cells(sweep)]
    return sorted({name for one in stands if one for name in one.images})
