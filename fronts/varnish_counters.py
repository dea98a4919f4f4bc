"""`python3 -m fronts.varnish_counters` answers HTTP on the page's port with what varnishstat tells of the Varnish that
runs beside it, once for each request. Between requests it sleeps."""

import subprocess
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from fronts.settings import PAGE_PORT
from fronts.varnish import WORKING_DIRECTORY

_TIMEOUT_S = 5
_COMMAND = ("varnishstat", "-1", "-j", "-n", WORKING_DIRECTORY)


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """All counters as JSON; 503 while there are none."""
        try:
            done = subprocess.run(_COMMAND, capture_output=True, timeout=_TIMEOUT_S, check=True)
            status, body = HTTPStatus.OK, done.stdout
        except (OSError, subprocess.SubprocessError) as error:
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, f"varnishstat: {error}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == HTTPStatus.OK else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: who asks knows."""


if __name__ == "__main__":
    HTTPServer(("", PAGE_PORT), Page).serve_forever()
