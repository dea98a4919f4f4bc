"""Locust's module-level settings, set at import on every node because each node buckets its own response times."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import Any


def three_figures(response_time_ms: float) -> float:
    """Locust rounds to whole milliseconds, in which an echo over a local network always takes 0."""
    if response_time_ms < 1:
        return int(response_time_ms * 1000 + 0.5) / 1000
    if response_time_ms < 10:
        return int(response_time_ms * 100 + 0.5) / 100
    if response_time_ms < 100:
        return int(response_time_ms * 10 + 0.5) / 10
    return round(response_time_ms, 2 - len(str(int(response_time_ms))) + 1)


def patient(handle_message: Callable[..., None]) -> Callable[..., None]:
    """A run that is stopped while its users come up: a worker says that it has stopped, so that the master forgets it,
    and only then that its users have come up. Locust tells a worker that it does not know to quit, which takes one away
    that is about to register again."""

    @functools.wraps(handle_message)
    def handle(self: Any, client_id: str, msg: Any) -> None:
        late = msg.type in ("spawning", "spawning_complete") and msg.node_id not in self.clients
        if not late:
            handle_message(self, client_id, msg)

    return handle


def apply() -> None:
    # Here, because importing Locust patches the whole process.
    from gevent import pywsgi
    from locust import argument_parser, runners, stats

    class PromptServer(pywsgi.WSGIServer):  # type: ignore[misc]
        """An answer goes out in small writes: the second would wait 40 ms for the reader's delayed ACK of the first."""

        def init_socket(self) -> None:
            super().init_socket()
            # Accepted connections inherit it.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    pywsgi.WSGIServer = PromptServer

    stats.bucket_response_time = three_figures  # type: ignore[assignment]
    stats.PERCENTILES_TO_CHART = [0.5, 0.95, 0.99]
    stats.PERCENTILES_TO_STATISTICS = [0.95, 0.99, 0.999]
    # Locust's 3 s would leave the page and the progress of a short trial behind the truth.
    runners.WORKER_REPORT_INTERVAL = 1.0
    runners.MasterRunner.handle_message = patient(runners.MasterRunner.handle_message)  # type: ignore[method-assign]
    # A worker builds Locust's whole parser once for every option it is sent, which holds up its users by 0.3 s.
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
