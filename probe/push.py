"""Telling someone else each line: a POST of JSON, from a thread of its own so that sampling never waits for it."""

import http.client
import json
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCHEMA_VERSION = 2
# Of an answer that refuses a line, so much is told.
_REASON_BYTES = 200


# The file that an engine gives each container, in the root directory of the first process of the one that is watched.
HOSTNAME_FILE = "/proc/{first}/root/etc/hostname"


class BadUrl(ValueError):
    """One line that says what was found and what is allowed."""


def parse_url(text: str) -> tuple[str, int, str]:
    """Host, port and path of `http://HOST[:PORT]/PATH`. BadUrl otherwise."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme != "http":
        raise BadUrl(f"found {text!r}, allowed: http://HOST[:PORT]/PATH")
    return host, 80 if port is None else port, parts.path or "/"


def host_name(file: Path) -> str | None:
    """What the watched container calls itself, by which several of one model are told apart; None where it cannot be
    read."""
    try:
        name = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) else None


def _complain(message: str) -> None:
    print(f"probe: {message}", file=sys.stderr, flush=True)


class Push:
    """Sends the newest line; one that is not sent yet when the next comes is dropped."""

    def __init__(
        self,
        url: str,
        model: str,
        timeout_s: float,
        complain: Callable[[str], None] = _complain,
        host: str | None = None,
    ) -> None:
        """`timeout_s` is for each step of a POST; `host`: which container it is whose lines these are. BadUrl."""
        self._url = url
        self._host, self._port, self._path = parse_url(url)
        self._timeout_s = timeout_s
        self._head = {
            "model": model,
            "schema_version": SCHEMA_VERSION,
            **({} if host is None else {"host": host}),
        }
        self._complain = complain
        self._failing = False
        self._changed = threading.Condition()
        self._waiting: dict[str, Any] | None = None
        self._over = False
        # A daemon: a probe that is told to stop does not wait for whoever does not answer.
        self._thread = threading.Thread(target=self._send_all, name="push", daemon=True)
        self._thread.start()

    def add(self, line: dict[str, Any]) -> None:
        """Never waits."""
        with self._changed:
            self._waiting = line
            self._changed.notify()

    def close(self) -> None:
        """Send no more; waits for what is being sent, so for as long as a POST may take."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._waiting is not None)
                line, self._waiting = self._waiting, None
                if self._over or line is None:
                    return
            self._tell(self._post(json.dumps({**line, **self._head}, separators=(",", ":"))))

    def _post(self, body: str) -> str:
        """Empty when it was taken, else why not."""
        # A connection for each: it ends well whatever happens on the other side in the second between two.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status < 300:
                return ""
            words = answer.read(_REASON_BYTES).decode(errors="replace").split()
            return " ".join([str(answer.status), answer.reason, *words])
        except (OSError, http.client.HTTPException) as error:
            return getattr(error, "strerror", None) or str(error) or type(error).__name__
        finally:
            connection.close()

    def _tell(self, failure: str) -> None:
        """The first failure and the first success after it, and nothing in between."""
        if bool(failure) != self._failing:
            self._failing = bool(failure)
            self._complain(f"{self._url}: {failure}; trying on" if failure else f"{self._url}: takes lines again")
