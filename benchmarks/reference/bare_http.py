"""HTTP by httptools and a thread per connection: no bounds, no time-outs, no counting, no drain."""

import contextlib
import socket
import threading

import httptools

from benchmarks.reference.bare_http_requests import Requests

listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)


def serve(connection: socket.socket) -> None:
    requests = Requests()
    with connection, contextlib.suppress(ConnectionError, httptools.HttpParserError):
        while data := connection.recv(65536):
            connection.sendall(requests.feed(data))


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
