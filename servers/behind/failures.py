"""How what is behind can fail, by the names that clients are told and that are counted."""

UNREACHABLE = "unreachable"  # no connection to be had, or it broke
TIMEOUT = "timeout"  # no answer within CALL_S
EXHAUSTED = "exhausted"  # all connections of the pool were taken for longer than BEHIND_WAIT
UNKNOWN_KEY = "unknown key"
REFUSED = "refused"  # it answered that it will not
NAMES = (UNREACHABLE, TIMEOUT, EXHAUSTED, UNKNOWN_KEY, REFUSED)

# How long a connection may take to be made, and any one call of a driver.
CALL_S = 2.0
# A farewell that is not answered: the request has failed already and is waited for.
CLOSE_S = 0.1
_SHOWN = 160


class BackendError(Exception):
    """A request could not be served by what is behind. ``name`` is one of NAMES."""

    def __init__(self, name: str, detail: str, broken: bool = True) -> None:
        """``broken``: the connection that it happened on is of no further use."""
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = " ".join(detail.split()).encode("ascii", "replace").decode()[:_SHOWN]
        self.broken = broken


def of_system(error: BaseException) -> BackendError:
    """What an error of sockets or of waiting means, whatever driver it came through."""
    if isinstance(error, TimeoutError):
        return BackendError(TIMEOUT, f"no answer within {CALL_S:g} s")
    if isinstance(error, OSError):
        return BackendError(UNREACHABLE, error.strerror or str(error) or type(error).__name__)
    return BackendError(REFUSED, f"{type(error).__name__}: {error}")
