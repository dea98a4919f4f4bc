"""What the load generator beside the server sends, from its own page; asked in the background, since it may be busy."""

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from testbed.names import model_of

INTERVAL_S = 1.0
TIMEOUT_S = 2.0
# A worker reports its counts once a second: over fewer seconds a report more or less would show as a change of rate.
WINDOW_S = 5.0
# An answer older than this is no live figure any more.
FRESH_S = 5.0

Ask = Callable[[str], dict[str, Any]]
"""The answer of the page to GET of a path. OSError or ValueError where there is none."""


@dataclass(frozen=True)
class Load:
    """`requests_per_s` and `failures_per_s` are None until they are known. `trial_id` names the run under way, on
    `target`; `by_hand` if it was made from the page."""

    state: str
    trial_id: str
    target: str
    by_hand: bool
    users: int
    requests_per_s: float | None
    failures_per_s: float | None

    @property
    def is_running(self) -> bool:
        return self.state in ("spawning", "running")

    def is_of(self, *names: str) -> bool:
        """Whether the run is on a target of one of these names. A trial is on whatever server runs, by whatever name it
        is reached."""
        return not self.by_hand or bool({self.target, model_of(self.target)} & set(names))


class Rates:
    """Rates over the last WINDOW_S, out of counts that a run begins at zero."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, str, int, int]] = deque()

    def add(self, now: float, status: dict[str, Any]) -> Load:
        run, requests, failures = status["trial_id"], status["requests"], status["failures"]
        counts = self._counts
        if counts and (counts[-1][1] != run or counts[-1][2] > requests):
            counts.clear()
        counts.append((now, run, requests, failures))
        while len(counts) > 2 and counts[1][0] <= now - WINDOW_S:
            counts.popleft()
        first = counts[0]
        seconds = now - first[0]
        is_known = seconds > 0
        return Load(
            state=status["state"],
            trial_id=run,
            target=status["target"],
            by_hand=status["by_hand"],
            users=status["users"],
            requests_per_s=(requests - first[2]) / seconds if is_known else None,
            failures_per_s=(failures - first[3]) / seconds if is_known else None,
        )


def from_page(port: int, host: str = "127.0.0.1") -> Ask:
    """Asks the page at this port of this machine, or of another, over one connection."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def ask(path: str) -> dict[str, Any]:
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            connection.close()
            raise OSError(str(error)) from None
        except OSError:
            connection.close()
            raise
        return answer

    return ask


class LoadReader:
    """Context manager that keeps asking. Without anyone to `ask` it knows nothing."""

    def __init__(self, ask: Ask | None) -> None:
        self._ask = ask
        self._over = threading.Event()
        self._latest: tuple[float, Load] | None = None
        self._thread = threading.Thread(target=self._read, name="load", daemon=True)

    def __enter__(self) -> Self:
        if self._ask is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def latest(self) -> Load | None:
        """None where it is not known."""
        found = self._latest
        return found[1] if found is not None and time.monotonic() - found[0] < FRESH_S else None

    def _read(self) -> None:
        assert self._ask is not None
        rates = Rates()
        while not self._over.is_set():
            try:
                status = self._ask("/threadmill/status")
                now = time.monotonic()
                self._latest = now, rates.add(now, status)
            except (OSError, ValueError, KeyError):
                pass  # it starts, or is busy, or has gone: what was known becomes old
            self._over.wait(INTERVAL_S)
