"""A process per connection: the parent accepts, forks a child for each client, and reaps it."""

from servers.server import Server


def serve(server: Server) -> None:
    for connection in server.connections():
        server.hand_over(connection, server.fork_to_handle)
