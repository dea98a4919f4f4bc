"""What Docker's client raises, told as this project's own errors."""

import contextlib
import time
from collections.abc import Callable, Iterator

import docker.errors
import requests
import urllib3

from testbed.errors import EngineError, EngineGone

_POLL_S = 0.1


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Around whatever talks to Docker: what its client raises becomes one EngineError. EngineGone: no answer at all."""
    try:
        yield
    except docker.errors.APIError as error:
        said = str(error.explanation or error).strip().splitlines()
        raise EngineError(f"Docker's engine reports: {said[-1] if said else type(error).__name__}") from error
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise EngineGone(f"Docker's engine does not answer any more: {_cause(error)}") from error


def wait_until_back(ping: Callable[[], None], patience_s: float) -> None:
    """Return as soon as `ping` raises no EngineError, by this many seconds in any case."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            ping()
        except EngineError:
            time.sleep(_POLL_S)
        else:
            return


def _cause(error: BaseException) -> str:
    """The system's own word for it, which the client's exceptions have wrapped several times."""
    pending: list[BaseException] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, OSError) and isinstance(one.errno, int) and one.strerror:
            return one.strerror
        pending += [inner for inner in (*one.args, one.__cause__, one.__context__) if isinstance(inner, BaseException)]
    return " ".join(str(error).split()) or type(error).__name__
