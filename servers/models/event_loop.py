"""One process, one thread, one asyncio loop: every connection is served by callbacks of the loop."""

import asyncio

from servers.aio import LineProtocol, drained, loop_factory, stop_requested
from servers.server import Server


def serve(server: Server) -> None:
    with asyncio.Runner(loop_factory=loop_factory(server.model)) as runner:
        runner.run(accept(server))


async def accept(server: Server) -> None:
    loop = asyncio.get_running_loop()
    acceptor = await loop.create_server(
        lambda: LineProtocol(server), sock=server.listener, backlog=server.config.backlog
    )
    await stop_requested(server)
    acceptor.close()
    await drained(server)
