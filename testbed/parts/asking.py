"""One question to a part over TCP, and its answer up to the end."""

import socket
from dataclasses import dataclass
from typing import Protocol

TIMEOUT_S = 2.0
_MOST_BYTES = 4 * 2**20


class PartError(OSError):
    """A part does not answer, or refuses. The message is one line."""


class Asked(Protocol):
    """What answers a question, however it is reached."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def ask(self, question: str) -> str:
        """What it answers. PartError, one line, where it does not."""


@dataclass(frozen=True)
class Address:
    """Where a part answers, and what it is called in messages."""

    name: str
    port: int
    host: str = "127.0.0.1"

    def ask(self, question: str) -> str:
        """What it answers before it closes the connection. PartError, one line, where it does not."""
        answer = bytearray()
        try:
            with socket.create_connection((self.host, self.port), TIMEOUT_S) as connection:
                connection.sendall(question.encode())
                while data := connection.recv(65536):
                    answer += data
                    if len(answer) > _MOST_BYTES:
                        raise OSError(f"more than {_MOST_BYTES} bytes")
        except OSError as error:
            raise PartError(f"{self.name} does not answer at {self.host}:{self.port}: {error}") from None
        return answer.decode(errors="replace")
