"""A server and what stands beside it, on one core and asked in turns: how much CPU a request takes of each."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

import psutil

from benchmarks.servers_echo import started
from tests.waiting import wait_until

Ask = Callable[[socket.socket, BinaryIO, int], None]
"""Sends so many requests over the connection, one after the other, and reads each reply; RuntimeError for a wrong
one."""

_WARM_UP = 300


class Server(NamedTuple):
    command: Sequence[str]
    ask: Ask
    told: Mapping[str, str] = {}
    """In its environment."""


class _Asked:
    """A running server and one connection to it."""

    def __init__(self, port: int, pid: int, ask: Ask) -> None:
        self._pid = pid
        self._ask = ask
        self._own = socket.create_connection(("127.0.0.1", port))
        self._own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._own.makefile("rb")
        wait_until(lambda: _works(ask, self._own, self._replies), "its first right reply", 60)
        ask(self._own, self._replies, _WARM_UP)

    def request_us(self, requests: int) -> float:
        """CPU time of the server for one request, in microseconds."""
        before_ns = _used_ns(self._pid)
        self._ask(self._own, self._replies, requests)
        return (_used_ns(self._pid) - before_ns) / requests / 1_000

    def close(self) -> None:
        self._replies.close()
        self._own.close()


def in_turns(server: Server, beside: Server, rounds: int, requests: int, core: int) -> tuple[list[float], list[float]]:
    """What a request takes of a server and of what stands beside it, in microseconds of CPU time, once a round.

    The connections stay open, so that what is made for one is not measured.
    """
    with (
        started(server.command, core, more=server.told) as one,
        started(beside.command, core, more=beside.told) as other,
        closing(_Asked(*one, server.ask)) as mine,
        closing(_Asked(*other, beside.ask)) as its,
    ):
        found: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            for which in (0, 1) if number % 2 else (1, 0):
                found[which].append((mine, its)[which].request_us(requests))
        return found


def _works(ask: Ask, own: socket.socket, replies: BinaryIO) -> bool:
    try:
        ask(own, replies, 1)
    except RuntimeError:
        return False
    return True


def _used_ns(pid: int) -> int:
    """Of all threads of the process and its children, as the scheduler counted it."""
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    tasks = [task for each in pids for task in Path(f"/proc/{each}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
