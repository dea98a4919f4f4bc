"""What the servers write of their ended tasks, the probe reads: found, whole, and each counted once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from probe import ended as probe_side
from probe.ended import Memory, NotKnown
from probe.processes import Processes
from servers import ended as server_side
from servers.counters import Counters
from tests.unit.probe.trees import add_process

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc whose PID 1 is this process, as far as its descriptors go."""
    monkeypatch.setattr(probe_side, "_HIGHEST_DESCRIPTOR", 4096)  # this process has many open already
    # What other tests have made is still there, perhaps.
    for side in (probe_side, server_side):
        monkeypatch.setattr(side, "NAME", tmp_path.name)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/fd").symlink_to("/proc/self/fd")
    return tmp_path


@contextmanager
def reading(proc: Path, *how: Callable[..., Any]) -> Iterator[Memory]:
    with closing(Memory(proc, *how)) as memory:
        yield memory


def test_both_sides_mean_the_same_layout() -> None:
    for name in ("NAME", "MAGIC", "LAYOUT", "SLOT", "STAMP_BITS", "_HEADER", "_RING"):
        assert getattr(probe_side, name) == getattr(server_side, name)


def test_a_thread_that_gives_its_use_is_read_with_its_number(proc: Path) -> None:
    counters = Counters(rows=3, visible=True)
    row, lock = counters.claim(), threading.Lock()
    counters.ended.has_threads(row, 77)
    numbers = []

    def work() -> None:
        os.sched_yield()
        with lock:
            counters.ended.this_thread(row)
        numbers.append(threading.get_native_id())

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    with reading(proc) as memory:
        found = memory.read()
    slot = found.of(77)
    assert slot is not None
    assert (slot.count, found.counts, found.threads) == (3, (0, 0, 3), frozenset(numbers))
    assert 0 <= slot.voluntary + slot.involuntary < 1000


def test_a_reaped_worker_is_counted_once_with_its_threads_and_its_row_starts_anew(proc: Path) -> None:
    counters = Counters(rows=3, visible=True)
    row = counters.claim()
    child = subprocess.Popen([sys.executable, "-c", ""])
    counters.ended.has_threads(row, child.pid)
    counters.ended.this_thread(row)
    with reading(proc) as memory:
        assert memory.counts() == (0, 0, 1)
        counters.ended.begin_reaping()
        _, child.returncode, used = os.wait4(child.pid, 0)
        counters.ended.process(child.pid, used, row)
        counters.ended.end_reaping()
        found = memory.read()
    assert (found.counts, found.processes) == ((1, 0, 0), frozenset([child.pid]))
    assert (found.slots[0].voluntary, found.slots[0].involuntary) == (used.ru_nvcsw, used.ru_nivcsw)
    assert found.of(child.pid) is None


def test_it_waits_for_a_server_in_mid_count_and_gives_up_with_a_reason(proc: Path) -> None:
    counters = Counters(rows=1, visible=True)
    now = [0.0]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds
        if len(pauses) == 3:
            counters.ended.end_reaping()

    with reading(proc, lambda: now[0], pause) as memory:
        counters.ended.begin_reaping()
        assert (memory.read().counts, len(pauses)) == ((0, 0), 3)
        counters.ended.begin_reaping()
        with pytest.raises(NotKnown, match="stopped, or too busy"):
            memory.read()


def test_memory_that_is_not_for_the_probe_is_not_found(proc: Path) -> None:
    counters = Counters(rows=1)
    with (
        reading(proc) as memory,
        pytest.raises(NotKnown, match="does not count what its ended threads and processes have used"),
    ):
        memory.read()
    assert counters.open() == 0


def test_another_layout_is_not_guessed_at(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_side, "LAYOUT", 2)
    counters = Counters(rows=1, visible=True)
    with reading(proc) as memory, pytest.raises(NotKnown, match=r"in another way \(layout 2, known: 1\)"):
        memory.read()
    assert counters.open() == 0


def test_a_number_that_ended_long_ago_may_belong_to_another_task(proc: Path) -> None:
    counters = Counters(rows=1, visible=True)
    counters.ended.this_thread(0)
    with reading(proc) as memory:
        assert memory.read().threads == {threading.get_native_id()}
    with reading(proc, lambda: time.monotonic() + 60) as late:
        assert late.read().threads == frozenset()


def test_a_worker_that_was_killed_and_not_reaped_yet_makes_the_moment_unknown(proc: Path) -> None:
    counters = Counters(rows=2, visible=True)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    counters.ended.has_threads(counters.claim(), child.pid)
    add_process(proc, 1, parent=0)
    (proc / str(child.pid)).symlink_to(f"/proc/{child.pid}")
    processes = Processes(proc, 1024)
    sample = processes.read()
    assert sample is not None and sample.use.voluntary is not None
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    sample = processes.read()
    assert sample is not None and sample.use.voluntary is None
    assert (
        processes.unavailable["voluntary_switches"] == f"the worker {child.pid} has just ended and was not reaped yet"
    )
    child.wait()
    assert child.stdin is not None
    child.stdin.close()
