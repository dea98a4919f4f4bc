"""A real HTTP request to what was started by hand, and the command that a person sends one with."""

import http.client
import time

from testbed.errors import UserError

# Python under a small CPU limit takes seconds to start.
TIMEOUT_S = 30.0
_INTERVAL_S = 0.2
_BODY = b"hello"
KEY_HEADER = "X-Api-Key"


def why_not(host: str, port: int, key: str = "") -> str:
    """Empty where a request comes back as it should; else what came of it. `key`: what a gateway is shown."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        # Without it a server of one connection at a time would wait for the next request.
        connection.request("POST", "/", _BODY, {"Connection": "close", **({KEY_HEADER: key} if key else {})})
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if (reply.status, body) == (200, _BODY) else f"{reply.status} {reply.reason}, {body[:80]!r}"


def until_it_answers(address: str, what: str, key: str = "") -> None:
    """Ask until a request comes back. UserError, one line that begins with `what`, where none does in time. `key`: as
    of `why_not`."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + TIMEOUT_S
    while reason := why_not(host, int(port), key):
        if time.monotonic() > deadline:
            raise UserError(f"{what}: {reason}")
        time.sleep(_INTERVAL_S)


def curl(address: str, query: str = "sleep=500", key: str = "") -> str:
    """What a person types to see it at work. Pure."""
    shown = f"-H '{KEY_HEADER}: {key}' " if key else ""
    return f"curl -i {shown}-d hello '{address}/?{query}'"
