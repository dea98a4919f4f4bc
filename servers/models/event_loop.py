"""One process, one thread, one asyncio loop: every connection is served by callbacks of the loop."""

import asyncio

from servers.aio import LineProtocol, drained, stop_requested
from servers.server import Server


def serve(server: Server) -> None:
    asyncio.run(accept(server))


async def accept(server: Server) -> None:
    loop = asyncio.get_running_loop()
    acceptor = await loop.create_server(
        lambda: LineProtocol(server), sock=server.listener, backlog=server.config.backlog
    )
    await stop_requested(server)
    acceptor.close()
    await drained(server)
