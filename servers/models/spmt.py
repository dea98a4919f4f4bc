"""One process, a thread per connection: the main thread accepts and starts a thread for each client."""

from servers.server import Server


def serve(server: Server) -> None:
    for connection in server.connections():
        server.hand_over(connection, server.thread_to_handle)
