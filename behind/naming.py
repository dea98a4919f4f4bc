"""The addresses of the other containers, which are waited for: between machines a name takes a moment to be known."""

import socket
import time
from collections.abc import Sequence

from behind.settings import SettingsError

_INTERVAL_S = 0.05


def addresses(names: Sequence[str], deadline: float) -> dict[str, str]:
    """An IPv4 address for each name. SettingsError, by the names, for those that have none by then.

    `deadline` is of time.monotonic().
    """
    found: dict[str, str] = {}
    while True:
        for name in names:
            if name not in found and (address := _address(name)):
                found[name] = address
        if len(found) == len(names):
            return found
        if time.monotonic() >= deadline:
            raise SettingsError(f"no address for {', '.join(name for name in names if name not in found)}")
        time.sleep(_INTERVAL_S)


def _address(name: str) -> str | None:
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return None


def is_here(address: str) -> bool:
    """Whether this container has the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.bind((address, 0))
        except OSError:
            return False
    return True
