"""A page of a part, asked over HTTP: what brokers tell of themselves."""

import json
from typing import Any

from testbed.parts.asking import Asked, PartError


def page(address: Asked, path: str) -> str:
    """The body of this page. PartError, one line, where it does not answer or answers that something is wrong."""
    head, _, body = address.ask(f"GET {path} HTTP/1.0\r\nHost: part\r\n\r\n").partition("\r\n\r\n")
    status = head.partition("\r\n")[0].split(maxsplit=2)
    if len(status) < 2 or status[1] != "200":
        raise PartError(f"{address.name} answers {path} with {' '.join(status)[:60] or 'nothing'}")
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
