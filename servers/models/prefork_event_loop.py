"""Worker processes made at start, each accepting on the shared socket with an asyncio loop for its connections."""

from servers.models import event_loop
from servers.models.traits import WORKERS, Roles, Traits, unlimited
from servers.pool import supervise
from servers.server import Server

TRAITS = Traits(
    place=8,
    port=8088,
    about=__doc__,
    roles=Roles("keeps its workers", child="loop: accepts and serves"),
    processes=lambda size: 1 + size.workers,
    threads=lambda size: 1 + size.workers,
    slots=unlimited,
    interpreters=lambda size: size.workers,
    pool=WORKERS,
    imports=event_loop.TRAITS.imports,
)
VARIANTS = (TRAITS.on("uvloop", port=8092),)


def serve(server: Server) -> None:
    supervise(server, event_loop.serve)
