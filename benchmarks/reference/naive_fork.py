"""A process per connection with os.fork, and nothing else: no framing, no counting, no limits, no drain."""

import os
import signal
import socket

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)

while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        finally:
            os._exit(0)
    connection.close()
