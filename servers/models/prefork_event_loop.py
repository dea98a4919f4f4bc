"""Worker processes made at start, each accepting on the shared socket with an asyncio loop for its connections."""

from servers.models import event_loop
from servers.pool import supervise
from servers.server import Server


def serve(server: Server) -> None:
    supervise(server, event_loop.serve)
