"""The same as bare_reads in an event loop, by asyncio's streams.

python -m benchmarks.reference.bare_loop_reads postgres|valkey HOST PORT PASSWORD [uvloop]
"""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable

kind, host, port, password, *package = sys.argv[1:]


async def reader() -> Callable[[int], Awaitable[object]]:
    if kind == "postgres":
        import psycopg

        store = await psycopg.AsyncConnection.connect(
            host=host, port=port, user="threadmill", password=password, dbname="threadmill", autocommit=True
        )

        async def row(key: int) -> object:
            return await (await store.execute("SELECT version, value FROM tm_read(%s::int)", (key,))).fetchone()

        return row
    from valkey.asyncio import Valkey

    cache = Valkey(host=host, port=int(port), username="threadmill", password=password, decode_responses=True)

    async def value(key: int) -> object:
        return await cache.get(f"item:{key}")

    return value


async def main() -> None:
    read = await reader()

    async def serve(lines: asyncio.StreamReader, replies: asyncio.StreamWriter) -> None:
        while line := await lines.readline():
            await read(int(line.partition(b"=")[2]))
            replies.write(line)
            await replies.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


with asyncio.Runner(loop_factory=importlib.import_module(package[0]).new_event_loop if package else None) as runner:
    runner.run(main())
