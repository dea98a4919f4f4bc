"""Worker processes made at start, each accepting on a socket of its own and serving one connection at a time."""

from servers.models import spst
from servers.models.traits import ACCEPTS_AND_SERVES, WORKERS, Roles, Traits
from servers.pool import supervise
from servers.server import Server

TRAITS = Traits(
    place=9,
    port=8090,
    about=__doc__,
    roles=Roles("keeps its workers", child=ACCEPTS_AND_SERVES),
    processes=lambda size: 1 + size.workers,
    threads=lambda size: 1 + size.workers,
    slots=lambda size: size.workers,
    interpreters=lambda size: size.workers,
    pool=WORKERS,
    sockets=lambda size: size.workers,
)


def serve(server: Server) -> None:
    supervise(server, spst.serve, own_sockets=True)
