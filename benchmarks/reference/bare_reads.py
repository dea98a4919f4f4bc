"""A line is a key: one connection, one driver, a blocking loop in twenty lines. No pool, bounds, counting or checks.

python -m benchmarks.reference.bare_reads postgres|valkey HOST PORT PASSWORD
"""

import socket
import sys

kind, host, port, password = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
if kind == "postgres":
    import psycopg

    store = psycopg.connect(
        host=host, port=port, user="threadmill", password=password, dbname="threadmill", autocommit=True
    )

    def read(key: int) -> object:
        return store.execute("SELECT version, value FROM tm_read(%s::int)", (key,)).fetchone()
else:
    import valkey

    cache = valkey.Valkey(host, int(port), username="threadmill", password=password, decode_responses=True)

    def read(key: int) -> object:
        return cache.get(f"item:{key}")


while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            read(int(line.partition(b"=")[2]))
            connection.sendall(line)
