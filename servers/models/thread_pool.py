"""One process, threads made at start, each accepting on the shared socket and serving one connection at a time."""

from servers.models import spst
from servers.server import Server
from servers.threads import supervise


def serve(server: Server) -> None:
    supervise(server, spst.serve)
