import os
import threading

import pytest

from servers.counters import Counters, Totals


def in_child(action: object) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert callable(action)
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_counts_of_children_survive_them() -> None:
    counters = Counters(rows=4)
    counters.add(0, accepted=3)
    for served in (5, 7):
        row = counters.claim()
        assert in_child(lambda row=row, served=served: counters.add(row, served=served, errors=1)) == 0
        counters.release(row)
    assert counters.totals() == Totals(accepted=3, served=12, errors=2)


def test_a_child_sees_what_its_siblings_have_open() -> None:
    counters = Counters(rows=3)
    first, second = counters.claim(), counters.claim()

    def see_both() -> None:
        counters.set_open(second, 2)
        assert counters.open() == 12

    assert in_child(lambda: counters.set_open(first, 10)) == 0
    assert in_child(see_both) == 0
    counters.release(first)
    assert counters.open() == 2


def test_rows_are_handed_on_and_running_out_is_an_os_error() -> None:
    counters = Counters(rows=2)
    row = counters.claim()
    with pytest.raises(OSError, match="no row left"):
        counters.claim()
    counters.release(row)
    assert counters.claim() == row


def test_threads_with_a_lock_lose_no_count() -> None:
    counters, lock = Counters(rows=1), threading.Lock()

    def count() -> None:
        for _ in range(5000):
            with lock:
                counters.add(0, accepted=1, refused=2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.totals() == Totals(accepted=20_000, refused=40_000)
