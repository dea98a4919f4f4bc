"""One process, threads made at start, each accepting on the shared socket and serving one connection at a time."""

from servers.models import spst
from servers.models.traits import ACCEPTS_AND_SERVES, THREADS, Roles, Traits, one
from servers.server import Server
from servers.threads import supervise

TRAITS = Traits(
    place=5,
    port=8086,
    about=__doc__,
    roles=Roles("keeps its threads", thread=ACCEPTS_AND_SERVES),
    processes=one,
    threads=lambda size: 1 + size.threads,
    slots=lambda size: size.threads,
    interpreters=one,
    pool=THREADS,
)


def serve(server: Server) -> None:
    supervise(server, spst.serve)
