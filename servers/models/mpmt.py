"""Worker processes made at start, each accepting on the shared socket, with a thread per connection."""

from servers.models import spmt
from servers.pool import supervise
from servers.server import Server


def serve(server: Server) -> None:
    supervise(server, spmt.serve)
