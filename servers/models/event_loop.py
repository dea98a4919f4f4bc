"""One process, one thread, one asyncio loop: every connection is served by callbacks of the loop."""

from servers.models import traits_of
from servers.models.traits import Roles, Traits, one, unlimited
from servers.server import Server

TRAITS = Traits(
    place=7,
    port=8085,
    about=__doc__,
    roles=Roles("loop: accepts and serves"),
    processes=one,
    threads=one,
    slots=unlimited,
    interpreters=one,
    imports=("servers.aio", "servers.loop"),
)
VARIANTS = (TRAITS.on("uvloop", port=8091),)


def serve(server: Server) -> None:
    # Imported here, and before by load: asyncio takes long, and the table of models is read by every command.
    import asyncio

    from servers.loop import loop_factory

    with asyncio.Runner(loop_factory=loop_factory(traits_of(server.model).package)) as runner:
        runner.run(accept(server))


async def accept(server: Server) -> None:
    import asyncio

    from servers.loop import drained, stop_requested

    loop, backlog = asyncio.get_running_loop(), server.config.backlog
    acceptor = await loop.create_server(server.face.in_loop(server), sock=server.listener, backlog=backlog)
    await stop_requested(server)
    acceptor.close()
    await drained(server)
