"""One process, one thread: serves one connection at a time, the next client waits in the backlog."""

from servers.server import Server


def serve(server: Server) -> None:
    for connection in server.connections():
        server.handle(connection)
