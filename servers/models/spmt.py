"""One process, a thread per connection: the main thread accepts and starts a thread for each client."""

from servers.models.traits import SERVES_ONE, Roles, Traits, one, unlimited
from servers.server import Server

TRAITS = Traits(
    place=2,
    port=8082,
    about=__doc__,
    roles=Roles("accepts, starts threads", thread=SERVES_ONE),
    processes=one,
    threads=lambda size: 1 + size.connections,
    slots=unlimited,
    interpreters=one,
)


def serve(server: Server) -> None:
    for connection in server.connections():
        server.hand_over(connection, server.thread_to_handle)
