"""One process, a thread per connection: the main thread accepts and starts a thread for each client."""

from threading import Thread

from servers.server import Server


def serve(server: Server) -> None:
    for connection in server.connections():
        with server.refuse_on_failure(connection):
            Thread(target=server.handle, args=(connection,), daemon=True).start()
