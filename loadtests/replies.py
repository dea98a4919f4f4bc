"""What a server may answer, what each answer means, and how a request can fail, by the names that are counted."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

ERROR = b"!error"
_OF_BEHIND = "backend "
"""With it begins why a server answers !error where what stands behind it failed."""

STALE = b"!stale\n"
"""The reply to a read that found a value older than it asked for. Such a request was served."""
WRONG = b"!wrong\n"
"""The reply to a read that found what was never written."""


class Answer(NamedTuple):
    """A reply that serves its request."""

    is_stale: bool
    """It is STALE; else the echo."""
    is_last: bool
    """The server closes the connection after it."""
    is_cached: bool = False
    """A cache before the server gave it, without asking the server for it."""
    age_s: int = 0
    """Of one from a cache: how long ago the server made it."""


class EchoError(Exception):
    """A request that got no right answer. `kind` is its name in every count; the text is constant for a kind.

    Locust keys its error table by the text, so nothing that varies (a port, a reason) may be in it; `detail` has that.
    """

    kind: ClassVar[str]
    text: ClassVar[str]
    answered: ClassVar[bool] = False
    """The server did say something, so its user is not starved."""
    keeps_connection: bool = False
    """All was read, so the connection is good for the next request. By HTTP's rules each reply tells that of itself."""
    is_undone: ClassVar[bool] = False
    """A write that failed so has certainly not been done, and never will be."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.kind}: {self.text}")
        self.detail = detail


class ConnectError(EchoError):
    kind, text, is_undone = "connect", "no connection to the server", True


class ResetError(EchoError):
    kind, text = "reset", "the server reset the connection"


class SilenceError(EchoError):
    kind, text = "timeout", "no reply in time"


class EndOfStreamError(EchoError):
    kind, text = "eof", "the server closed before it replied"


class BadEchoError(EchoError):
    kind, text, answered = "bad_echo", "the reply is not the request", True


class RefusedError(EchoError):
    kind, text, answered = "refused", "the server answered !error", True


class WrongError(EchoError):
    kind, text, answered, keeps_connection = "wrong", "a value that was never written", True, True


class StatusError(EchoError):
    """Of HTTP, and none of a server's own words: what a proxy says, such as 502 or 429."""

    kind, text, answered = "status", "another status than 200", True


class LimitedError(EchoError):
    """Of HTTP: what a gateway says that lets no more requests through than it is to (429). It is counted apart."""

    kind, text, answered, is_undone = "limited", "429: more requests than the gateway lets through", True, True


class FramingError(EchoError):
    """Of HTTP: nobody can tell where such a reply ends."""

    kind, text, answered = "framing", "no HTTP reply with a Content-Length", True


class BackendError(EchoError):
    """What stands behind the server failed; one class for each name that servers have for it."""

    answered, keeps_connection = True, True


class UnreachableError(BackendError):
    kind, text = "backend unreachable", "the server has no connection to what is behind it"


class BackendTimeoutError(BackendError):
    kind, text = "backend timeout", "no answer in time of what is behind the server"


class ExhaustedError(BackendError):
    kind, text, is_undone = "backend exhausted", "the server's pool of connections ran dry", True


class UnknownKeyError(BackendError):
    kind, text, is_undone = "backend unknown key", "there is no such key", True


class BackendRefusedError(BackendError):
    kind, text = "backend refused", "what is behind the server answered with an error"


_BACKEND: dict[str, type[BackendError]] = {
    error.kind.removeprefix(_OF_BEHIND): error
    for error in (UnreachableError, BackendTimeoutError, ExhaustedError, UnknownKeyError, BackendRefusedError)
}

BACKEND_FAILURES: tuple[str, ...] = tuple(error.kind for error in _BACKEND.values())
_OTHERS: tuple[type[EchoError], ...] = (
    *(ConnectError, ResetError, SilenceError, EndOfStreamError, BadEchoError, RefusedError),
    *(WrongError, StatusError, FramingError, LimitedError),
)
FAILURES: tuple[str, ...] = (*(error.kind for error in _OTHERS), *BACKEND_FAILURES)


def refused(reason: str) -> EchoError:
    """What a server's !error with this reason is, by what failed."""
    if reason.startswith(_OF_BEHIND):
        name, colon, _ = reason.removeprefix(_OF_BEHIND).partition(":")
        if colon and name in _BACKEND:
            return _BACKEND[name](reason)
    return RefusedError(reason)
