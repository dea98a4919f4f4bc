"""What the suites share that every model has to pass."""

import psutil
import pytest

from servers.models import SERVERS, TABLE
from servers.models.traits import THREADS, WORKERS, Size
from tests.integration.servers.running import Running

ROOM = {"WORKERS": "5", "THREADS": "5"}
_ROOM = Size(5, 5)
# Five clients are served at once, whoever they are. Not where a second may wait for the worker of the first.
CONCURRENT = tuple(name for name in SERVERS if TABLE[name].surely_served(_ROOM) != 1)
# As many clients as workers or threads, and no more: the next one waits until another leaves.
BOUNDED = tuple(name for name in SERVERS if TABLE[name].slots_of(_ROOM) is not None)
SLEEP = b"!sleep=150000 x\n"


def skip_sequential(model: str) -> None:
    if model not in CONCURRENT:
        pytest.skip("is sure to serve one connection at a time only; own sockets: test_reuseport.py")


def idle_shape(running: Running) -> bool:
    pool = TABLE[running.model].pool
    if pool == WORKERS:
        return running.shape() == (3, [1, 1, 1])
    return running.shape() == (1, [5 if pool == THREADS else 1])


def family(running: Running) -> list[psutil.Process]:
    return [psutil.Process(running.pid), *running.children()]
