"""Worker processes made at start, each accepting on the shared socket, with a thread per connection."""

from servers.models import spmt
from servers.models.traits import SERVES_ONE, WORKERS, Roles, Traits, unlimited
from servers.pool import supervise
from servers.server import Server

TRAITS = Traits(
    place=4,
    port=8084,
    about=__doc__,
    roles=Roles("keeps its workers", child="accepts, starts threads", thread=SERVES_ONE),
    processes=lambda size: 1 + size.workers,
    threads=lambda size: 1 + size.workers + size.connections,
    slots=unlimited,
    interpreters=lambda size: size.workers,
    pool=WORKERS,
)


def serve(server: Server) -> None:
    supervise(server, spmt.serve)
