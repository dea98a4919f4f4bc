"""The same as bare_http in an event loop: `python -m benchmarks.reference.bare_http_loop [uvloop]`."""

import asyncio
import importlib
import sys
from typing import Any

from benchmarks.reference.bare_http_requests import Requests


class Connection(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.requests = Requests()

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.requests.feed(data))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


package = sys.argv[1:]
with asyncio.Runner(loop_factory=importlib.import_module(package[0]).new_event_loop if package else None) as runner:
    runner.run(main())
