"""Is a target there? One real echo, from where the load will come from."""

from __future__ import annotations

import gevent

from loadtests.client import ConnectError, EchoClient, EchoError, resolve

TIMEOUT_S = 1.0
_LINE = b"threadmill-check\n"


def echo_error(target: str, host: str, port: int, timeout_s: float = TIMEOUT_S) -> str:
    """Empty when the target echoed a line within the time; otherwise one line that says what to do."""
    reached = False
    client = None
    try:
        with gevent.Timeout(timeout_s):
            client = EchoClient(resolve(host, port), timeout_s)
            client.connect()
            reached = True
            client.round_trip(_LINE)
        return ""
    except (OSError, ConnectError, gevent.Timeout, EchoError) as error:
        if not reached:
            return f"{target} is not up: docker compose up {target}"
        reason = f"{error} ({error.detail})" if isinstance(error, EchoError) and error.detail else str(error)
        if isinstance(error, gevent.Timeout):
            reason = f"no reply within {timeout_s:g} s"
        return f"{target} is up but does not echo: {reason}"
    finally:
        if client is not None:
            client.close()


def is_listening(host: str, port: int, timeout_s: float) -> bool:
    """Whether a connection can be made; nothing is sent."""
    client = None
    try:
        with gevent.Timeout(timeout_s):
            client = EchoClient(resolve(host, port), timeout_s)
            client.connect()
        return True
    except (OSError, EchoError, gevent.Timeout):
        return False
    finally:
        if client is not None:
            client.close()
