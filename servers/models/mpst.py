"""A process per connection: the parent accepts, forks a child for each client, and reaps it."""

from servers.server import Server


def serve(server: Server) -> None:
    for connection in server.connections():
        with server.refuse_on_failure(connection):
            server.fork_to_handle(connection)
