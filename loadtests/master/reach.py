"""Is a target there? One real echo, from where the load will come from."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import gevent

from loadtests.client import EchoClient, resolve
from loadtests.replies import ConnectError, EchoError, EndOfStreamError, ResetError, StatusError
from loadtests.wire import protocols
from loadtests.wire.lines import Lines

TIMEOUT_S = 1.0
_PAYLOAD = b"threadmill-check"
_CRASHING = b"threadmill-crash"
CRASHES = ("segv", "exit", "raise", "oom")
"""What a server may be asked to commit; as in servers/faults.py, without what is no crash."""
_GONE = ("502", "503", "504")


class Tried(NamedTuple):
    """One try for an echo."""

    error: str
    """Empty when the target echoed a request within the time; otherwise one line that says what to do."""
    connected: bool
    """Whether a connection was made, whatever came of it."""


def try_echo(target: str, host: str, port: int, protocol: str, timeout_s: float = TIMEOUT_S, key: str = "") -> Tried:
    """Connect, and have one request echoed; `key`: what a gateway is shown."""
    wire = protocols.of(protocol, target, key)
    reached = False
    client = None
    try:
        with gevent.Timeout(timeout_s):
            client = EchoClient(partial(resolve, host, port), wire, timeout_s)
            client.connect()
            reached = True
            client.round_trip(wire.request(_PAYLOAD))
        return Tried("", True)
    except (OSError, ConnectError, gevent.Timeout, EchoError) as error:
        if not reached:
            return Tried(f"{target} is not up: docker compose up {target}", False)
        reason = f"{error} ({error.detail})" if isinstance(error, EchoError) and error.detail else str(error)
        if isinstance(error, gevent.Timeout):
            reason = f"no reply within {timeout_s:g} s"
        return Tried(f"{target} is up but does not echo: {reason}", True)
    finally:
        if client is not None:
            client.close()


def crash(target: str, host: str, port: int, protocol: str, how: str, timeout_s: float = TIMEOUT_S) -> Tried:
    """Connect, and have the server that takes the connection commit this fault. `error` says what came of it; a
    connection that ended is what was asked for."""
    wire = protocols.of(protocol, target)
    reached = False
    client = None
    try:
        with gevent.Timeout(timeout_s):
            client = EchoClient(partial(resolve, host, port), wire, timeout_s)
            client.connect()
            reached = True
            client.round_trip(wire.request(_CRASHING, (b"crash=" + how.encode(),)))
        return Tried(f"{target} answered as if nothing had been asked of it", True)
    except (EndOfStreamError, ResetError):
        return Tried("", True)
    except StatusError as error:
        # What stands before it has found it gone.
        return Tried("" if error.detail[:3] in _GONE else f"{target} answered {error.detail}", True)
    except (OSError, EchoError, gevent.Timeout) as error:
        if not reached:
            return Tried(f"{target} takes no connection", False)
        if isinstance(error, gevent.Timeout):
            return Tried(f"{target} has not answered within {timeout_s:g} s: others may be before it", True)
        return Tried(f"{target}: {error} ({getattr(error, 'detail', '')})", True)
    finally:
        if client is not None:
            client.close()


def is_listening(host: str, port: int, timeout_s: float) -> bool:
    """Whether a connection can be made; nothing is sent."""
    client = None
    try:
        with gevent.Timeout(timeout_s):
            client = EchoClient(partial(resolve, host, port), Lines(), timeout_s)
            client.connect()
        return True
    except (OSError, EchoError, gevent.Timeout):
        return False
    finally:
        if client is not None:
            client.close()
