"""A page of a part, asked over HTTP: what brokers, caches and proxies tell of themselves."""

import http.client
import io
import json
from typing import Any

from testbed.parts.asking import Asked, PartError


class _Answer:
    """What `http.client` reads a response from: all that came, since the connection is closed by then."""

    def __init__(self, text: str) -> None:
        self._text = text

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._text.encode())


def page(address: Asked, path: str, method: str = "GET") -> str:
    """The body of this page. PartError, one line, where it does not answer or answers that something is wrong."""
    # Envoy speaks no HTTP/1.0, and sends its pages in chunks.
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    answer = address.ask(f"{method} {path} HTTP/1.1\r\nHost: part\r\n{length}Connection: close\r\n\r\n")
    response = http.client.HTTPResponse(_Answer(answer))  # type: ignore[arg-type]
    try:
        response.begin()
        body = response.read().decode(errors="replace")
    except (http.client.HTTPException, ValueError):
        raise PartError(f"{address.name} answers {path} with {' '.join(answer.split())[:60] or 'nothing'}") from None
    if response.status != 200:
        raise PartError(f"{address.name} answers {path} with {response.status} {response.reason}")
    return body


def json_page(address: Asked, path: str) -> dict[str, Any]:
    """The same of a page that is one object of JSON."""
    try:
        found = json.loads(page(address, path))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PartError(f"{address.name} answers {path} with something that is no JSON")
    return found


def whole(found: Any) -> int | None:
    """A whole number, where it is one."""
    return found if isinstance(found, int) and not isinstance(found, bool) else None
