"""A thread per connection in fifteen lines: no framing, no counting, no limits, no drain."""

import contextlib
import socket
import threading

listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)


def serve(connection: socket.socket) -> None:
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            connection.sendall(data)


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
