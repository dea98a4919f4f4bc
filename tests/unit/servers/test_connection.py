"""Counting: exactly the requests whose replies were handed to the kernel to their last byte."""

import itertools
import socket

import pytest

from servers.config import read_config
from servers.connection import Connection, whole_lines
from servers.counters import Counters
from servers.face import LINES
from servers.listener import open_listener
from servers.server import Server


@pytest.mark.parametrize(("sent", "whole"), [(0, 0), (2, 0), (3, 1), (4, 1), (5, 2), (9, 2), (10, 3)])
def test_a_line_is_sent_when_its_last_byte_is(sent: int, whole: int) -> None:
    assert whole_lines([b"ab\n", b"c\n", b"defg\n"], sent) == whole


class ShortSocket(socket.socket):
    """Takes a few bytes at a time, then fails."""

    def __init__(self, *args: object, fails_after: int) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.takes = itertools.chain([1] * fails_after)

    def send(self, data: bytes, *_: int) -> int:  # type: ignore[override]
        try:
            return next(self.takes)
        except StopIteration:
            raise ConnectionResetError(104, "Connection reset by peer") from None


def test_of_a_reply_batch_that_breaks_off_only_whole_replies_are_served() -> None:
    with open_listener("127.0.0.1", 0, 1) as listener, socket.create_connection(listener.getsockname()) as theirs:
        ours, _ = listener.accept()
        server = Server("spst", read_config({}, cpus=1.0), listener, Counters(rows=2), face=LINES)
        short = ShortSocket(ours.family, ours.type, 0, ours.detach(), fails_after=5)
        connection = Connection(short, "client")
        assert server.admit(connection)
        theirs.sendall(b"ab\ncd\nef\n")
        server.handle(connection)
        totals = server.counters.totals()
    assert (totals.served, totals.errors) == (1, 1)
