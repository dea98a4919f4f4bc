"""A process per connection: the parent accepts, forks a child for each client, and reaps it."""

from servers.models.traits import SERVES_ONE, Roles, Traits, unlimited
from servers.server import Server

TRAITS = Traits(
    place=3,
    port=8083,
    about=__doc__,
    roles=Roles("accepts, forks", child=SERVES_ONE),
    processes=lambda size: 1 + size.connections,
    threads=lambda size: 1 + size.connections,
    slots=unlimited,
    interpreters=unlimited,
)


def serve(server: Server) -> None:
    for connection in server.connections():
        server.hand_over(connection, server.fork_to_handle)
