"""Worker processes made at start, each accepting on the shared socket and serving one connection at a time."""

from servers.models import spst
from servers.models.traits import ACCEPTS_AND_SERVES, WORKERS, Roles, Traits
from servers.pool import supervise
from servers.server import Server

TRAITS = Traits(
    place=6,
    port=8087,
    about=__doc__,
    roles=Roles("keeps its workers", child=ACCEPTS_AND_SERVES),
    processes=lambda size: 1 + size.workers,
    threads=lambda size: 1 + size.workers,
    slots=lambda size: size.workers,
    interpreters=lambda size: size.workers,
    pool=WORKERS,
)


def serve(server: Server) -> None:
    supervise(server, spst.serve)
