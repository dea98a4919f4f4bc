"""One process, one thread: serves one connection at a time, the next client waits in the backlog."""

from servers.models.traits import ACCEPTS_AND_SERVES, Roles, Traits, one
from servers.server import Server

TRAITS = Traits(
    place=1,
    port=8081,
    about=__doc__,
    roles=Roles(ACCEPTS_AND_SERVES),
    processes=one,
    threads=one,
    slots=one,
    interpreters=one,
)


def serve(server: Server) -> None:
    for connection in server.connections():
        server.handle(connection)
