#!/usr/bin/env python3
"""How a client notices that a server's accept queue is full: not by an error. Standard library, Linux."""

import socket
import threading
import time

BACKLOG = 1
ACCEPT_AFTER_S = 0.3

# The kernel lets one more into the queue than the backlog says.
listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
waiting = [socket.create_connection(listener.getsockname()) for _ in range(BACKLOG + 1)]
print(f"{len(waiting)} clients are connected, none was accepted")

threading.Timer(ACCEPT_AFTER_S, listener.accept).start()
start = time.monotonic()
late = socket.create_connection(listener.getsockname())
took_ms = (time.monotonic() - start) * 1000
print(f"place for another after {ACCEPT_AFTER_S * 1000:.0f} ms; connected after {took_ms:.0f} ms")
