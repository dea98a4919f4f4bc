"""What servers and Locust's page are told where they speak HTTP; nothing where they speak lines. Pure."""

from dataclasses import replace

from testbed.plan.cell import Cell
from testbed.stack.services import Service

HTTP = "http"
NONE = "none"


def of_server(cell: Cell) -> dict[str, str]:
    """The environment of a server. An image that stands in for one of ours is told what ours brings along."""
    if cell.protocol != HTTP:
        return {}
    return {"FACE": HTTP, **({} if cell.cache_control == NONE else {"CACHE_CONTROL": cell.cache_control})}


def preset(master: Service, protocol: str) -> Service:
    """Locust's master, whose page offers this protocol first."""
    return replace(master, command=(*master.command, "--protocol", HTTP)) if protocol == HTTP else master
