"""A bounded pool, for threads and for a loop: the same is asked of both."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from servers.behind.aio_pool import AioPool
from servers.behind.counts import Counts
from servers.behind.failures import EXHAUSTED, UNREACHABLE, BackendError
from servers.behind.pool import Pool
from tests.waiting import wait_until

LONG_S = 30.0


class Made:
    """Numbers for connections, in the order in which they are made; or a failure instead."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def __call__(self) -> int:
        if self.fails:
            raise BackendError(UNREACHABLE, "nobody")
        self.count += 1
        return self.count

    async def in_loop(self) -> int:
        return self()


@pytest.fixture
def counts() -> Counts:
    return Counts(1)


def counted(counts: Counts, name: str) -> Any:
    return counts.totals()[name]


def test_threads_get_what_was_used_last_and_no_more_than_there_may_be(counts: Counts) -> None:
    pool = Pool(Made(), 2, 0.01, counts.row(0))
    assert [pool.take(), pool.take()] == [1, 2]
    with pytest.raises(BackendError, match=r"exhausted: none of 2 connections was free within 0\.01 s"):
        pool.take()
    pool.give(1)
    pool.give(2)
    assert pool.take() == 2
    assert (counted(counts, "connects"), counted(counts, "waited")) == (2, 1)
    assert counted(counts, "waited_us") >= 10_000


@pytest.mark.parametrize("end", ["give", "drop"])
def test_a_thread_that_waits_is_handed_what_another_gives_back_or_makes_one_in_its_place(
    end: str, counts: Counts
) -> None:
    pool = Pool(Made(), 1, LONG_S, counts.row(0))
    first = pool.take()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(pool.take()))
    thread.start()
    wait_until(lambda: counted(counts, "waited") == 1 and pool._waiters, "somebody waits")
    pool.give(first) if end == "give" else pool.drop()
    thread.join(LONG_S)
    assert got == [1 if end == "give" else 2]


def test_a_connection_that_cannot_be_made_leaves_its_place_to_the_next(counts: Counts) -> None:
    made = Made()
    pool = Pool(made, 1, 0.01, counts.row(0))
    made.fails = True
    for _ in range(3):
        with pytest.raises(BackendError, match="unreachable"):
            pool.take()
    made.fails = False
    assert pool.take() == 1


def test_many_threads_never_have_more_than_the_pool_holds(counts: Counts) -> None:
    made = Made()
    pool = Pool(made, 3, LONG_S, counts.row(0))
    held: set[int] = set()

    def work() -> None:
        for _ in range(200):
            one = pool.take()
            assert one not in held
            held.add(one)
            held.remove(one)
            pool.give(one)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert made.count <= 3


def in_loop(script: Callable[[AioPool[int], Made], Any], size: int, wait_s: float, counts: Counts) -> None:
    async def run() -> None:
        made = Made()
        await script(AioPool(made.in_loop, size, wait_s, counts.row(0)), made)

    asyncio.run(run())


def test_requests_of_a_loop_get_what_was_used_last_and_no_more_than_there_may_be(counts: Counts) -> None:
    async def script(pool: AioPool[int], _: Made) -> None:
        assert [await pool.take(), await pool.take()] == [1, 2]
        with pytest.raises(BackendError) as caught:
            await pool.take()
        assert caught.value.name == EXHAUSTED
        pool.give(1)
        pool.give(2)
        assert await pool.take() == 2

    in_loop(script, 2, 0.01, counts)
    assert (counted(counts, "connects"), counted(counts, "waited")) == (2, 1)


@pytest.mark.parametrize("end", ["give", "drop"])
def test_a_request_that_waits_is_handed_what_another_gives_back(end: str, counts: Counts) -> None:
    async def script(pool: AioPool[int], _: Made) -> None:
        first = await pool.take()
        waits = asyncio.create_task(pool.take())
        await asyncio.sleep(0)
        pool.give(first) if end == "give" else pool.drop()
        assert await waits == (1 if end == "give" else 2)

    in_loop(script, 1, LONG_S, counts)


def test_a_loops_connection_that_cannot_be_made_leaves_its_place_to_the_next(counts: Counts) -> None:
    async def script(pool: AioPool[int], made: Made) -> None:
        made.fails = True
        for _ in range(3):
            with pytest.raises(BackendError, match="unreachable"):
                await pool.take()
        made.fails = False
        assert await pool.take() == 1

    in_loop(script, 1, 0.01, counts)
