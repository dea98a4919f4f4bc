"""The least a load generator in Python can do for an echo: no Locust, no histogram, no check but of the bytes.

python benchmarks/reference/epoll_client.py HOST PORT CONNECTIONS SECONDS BYTES
"""

import select
import socket
import sys
import time

host, port, count, seconds, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
line = b"x" * size + b"\n"
poller = select.epoll()
connections = {}
for _ in range(count):
    connection = socket.create_connection((host, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poller.register(connection, select.EPOLLIN)
    connections[connection.fileno()] = connection
    connection.sendall(line)
replies, latencies, cpu_s = 0, [], time.process_time()
began = now = time.perf_counter()
sent_at = dict.fromkeys(connections, began)
while now - began < seconds:
    for descriptor, _event in poller.poll(1.0, 64):
        connection = connections[descriptor]
        if connection.recv(len(line) + 1) != line:
            sys.exit("not the echo")
        now = time.perf_counter()
        latencies.append(now - sent_at[descriptor])
        sent_at[descriptor] = now
        connection.send(line)
    if len(latencies) > 10_000:
        replies += len(latencies)
        latencies.clear()
    now = time.perf_counter()
print(replies + len(latencies), 0, f"{now - began:.6f}", f"{time.process_time() - cpu_s:.6f}")
