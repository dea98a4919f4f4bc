"""A server with the shape of spmt and one fault, to be found out. In a container: `python3 rigged_server.py FAULT`.

Honest up to the fault: it speaks the protocol, does the work it is asked for, and reports what it has served. As
`FAULT@US ...` it has each fault from the first request on that asks for `!sleep=US`.
"""

import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, "/app")

from servers.work import spin

BY_SLEEP = {us.encode(): name for name, at, us in (one.partition("@") for one in sys.argv[1:]) if at}
STARTED = time.monotonic()
fault = "" if BY_SLEEP else sys.argv[1]
served = 0
hoard: list[bytes] = []
lock = threading.Lock()


def answer(line: bytes) -> bytes:
    global fault
    directives = dict(re.findall(rb"!(\w+)=(\S+)", line)) if line.startswith(b"!") else {}
    if any(name not in (b"sleep", b"spin") or not value.isdigit() for name, value in directives.items()):
        return line if fault == "no-errors" else b"!error refused\n"
    fault = BY_SLEEP.get(directives.get(b"sleep", b""), fault)
    time.sleep(int(directives.get(b"sleep", 0)) / 1e6)
    if fault != "no-work":
        spin(int(directives.get(b"spin", 0)))
    return line


def count() -> int:
    global served
    with lock:
        served += 1
        return served


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            reply = answer(line)
            if not reply.startswith(b"!error"):
                number = count()
                if fault == "lie" and number % 400 == 399:
                    reply = b"?" + line[1:]
                if fault == "deaf" and number > 200:
                    time.sleep(3600)
                if fault == "hungry" and number > 200:
                    # At once: short of a little, the kernel would throw out the program's own pages again and again.
                    hoard.append(b"x" * (1 << 30))
                if fault == "slower" and time.monotonic() - STARTED > float(sys.argv[2]):
                    time.sleep(0.02)
            connection.sendall(reply)


def serve_fast(listener: socket.socket) -> None:
    """All connections on one thread with next to no work of its own: faster than any generator in Python."""
    global served
    events, connections = select.epoll(), {}
    events.register(listener, select.EPOLLIN)
    while True:
        for descriptor, _ in events.poll():
            if descriptor == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                events.register(connection, select.EPOLLIN)
                continue
            data = connections[descriptor].recv(65536)
            if not data:
                events.unregister(descriptor)
                connections.pop(descriptor).close()
                continue
            reply = answer(data) if data.startswith(b"!") else data
            served += 0 if reply.startswith(b"!error") else reply.count(b"\n")
            connections[descriptor].sendall(reply)


def report(*_: object) -> None:
    told = served + 1 if fault == "miscount" else served
    print("[REPORT] " + json.dumps({"served": told, "replaced": 0}), flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, report)
listener = socket.create_server(("", 8081), backlog=1024)
if fault == "fast":
    serve_fast(listener)
while True:
    accepted, _ = listener.accept()
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
