"""Worker processes made at start, each accepting on the shared socket and serving one connection at a time."""

from servers.models import spst
from servers.pool import supervise
from servers.server import Server


def serve(server: Server) -> None:
    supervise(server, spst.serve)
