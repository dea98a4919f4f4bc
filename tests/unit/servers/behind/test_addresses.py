"""Where a store is, asked by several threads at once."""

import socket
import threading
from typing import Any

import pytest

from servers.behind.addresses import Place
from servers.behind.failures import BackendError

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 5432))]


def test_who_asks_while_another_looks_up_gets_the_address_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Barrier(3), threading.Event()

    def slow(*_: Any) -> Any:
        looking.wait(10)
        go_on.wait(10)
        return FOUND

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    place, found = Place(("postgres", 5432)), []
    threads = [threading.Thread(target=lambda: found.append(place.ip())) for _ in range(2)]
    for thread in threads:
        thread.start()
    looking.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == ["192.0.2.7", "192.0.2.7"]


def test_a_name_that_is_not_found_is_said_and_not_looked_up_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def lacking(*_: Any) -> Any:
        asked.append(1)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lacking)
    place = Place(("postgres", 5432))
    for _ in range(3):
        with pytest.raises(BackendError, match="Name or service not known"):
            place.ip()
    assert len(asked) == 1
