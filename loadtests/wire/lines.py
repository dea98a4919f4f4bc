"""The protocol of lines: a request is a line, and its echo the same line."""

from __future__ import annotations

from collections.abc import Sequence

from loadtests.replies import ERROR, STALE, WRONG, Answer, BadEchoError, EndOfStreamError, WrongError, refused

_READ = b"!read="
_MOST_ERROR_BYTES = 4096

_ECHOED, _STALE = Answer(is_stale=False, is_last=False), Answer(is_stale=True, is_last=False)


class Lines:
    echoes_whole = True
    room = 1
    """A reply too long shows at once."""

    size = staticmethod(len)

    @staticmethod
    def request(payload: bytes, words: Sequence[bytes] = ()) -> bytes:
        return b"".join(b"!%s " % word for word in words) + payload + b"\n"

    rest = request

    @staticmethod
    def form(word: bytes) -> bytes:
        return b"!" + word + b" %s"

    @staticmethod
    def most_bytes(request: bytes) -> int:
        """One byte more than the echo has, or an error line."""
        return max(len(request) + 1, _MOST_ERROR_BYTES)

    def answer(self, request: bytes, received: bytes) -> Answer | None:
        """Raises EndOfStreamError, RefusedError, BackendError, WrongError, BadEchoError."""
        if received == request:
            return _ECHOED
        if not received:
            raise EndOfStreamError
        is_read = request.startswith(_READ)
        if is_read and received in (STALE, WRONG):
            if received == WRONG:
                raise WrongError
            return _STALE
        is_error = received.startswith(ERROR)
        if is_error and (received.endswith(b"\n") or len(received) >= self.most_bytes(request)):
            raise refused(received[len(ERROR) :].decode(errors="replace").strip())
        # `!err` may still grow into an error line, and a prefix of the echo into the echo.
        may_become = (request, ERROR, STALE, WRONG) if is_read else (request, ERROR)
        if not is_error and not any(whole.startswith(received) for whole in may_become):
            raise BadEchoError
        return None
