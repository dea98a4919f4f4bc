import gc

import pytest

from loadtests.worker import generator
from loadtests.worker.generator import CollectorClock, Reading, Throttling


def write(directory, **files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def test_version_2_tells_periods_throttling_and_limit(tmp_path):
    stat = "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 40\nnr_throttled 7\nthrottled_usec 123\n"
    write(tmp_path, cpu__stat=stat, cpu__max="50000 100000\n")
    assert generator.read_throttling(tmp_path) == Throttling(40, 7, 0.5)


@pytest.mark.parametrize("directory", ["cpu", "cpu,cpuacct"])
def test_version_1_tells_the_same(tmp_path, directory):
    stat = "nr_periods 40\nnr_throttled 7\nthrottled_time 123000\n"
    write(tmp_path / directory, cpu__stat=stat, cpu__cfs_quota_us="150000\n", cpu__cfs_period_us="100000\n")
    assert generator.read_throttling(tmp_path) == Throttling(40, 7, 1.5)


@pytest.mark.parametrize(
    "files", [{"cpu__max": "max 100000\n"}, {"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, {}]
)
def test_no_limit_is_null(tmp_path, files):
    write(tmp_path, cpu__stat="nr_periods 0\nnr_throttled 0\n", **files)
    assert generator.read_throttling(tmp_path).cpu_limit is None


def test_what_the_kernel_does_not_tell_is_null_and_not_zero(tmp_path):
    write(tmp_path, cpu__stat="usage_usec 9\n")
    before = Reading(1.0, 2.0, 0.0, generator.read_throttling(tmp_path))
    found = generator.spent("w", before, Reading(3.0, 2.5, 0.25, generator.read_throttling(tmp_path)))
    assert found == {
        "worker": "w", "window_s": 2.0, "cpu_used_s": 0.5, "cpu_spun_s": 0.0, "cpu_share": 0.25,
        "cpu_limit": None, "periods": None,
        "throttled_periods": None, "gc_s": 0.25,
    }  # fmt: skip


def test_what_was_spun_is_no_work_and_never_more_than_was_used():
    nothing = Throttling(None, None, None)
    before, after = Reading(0.0, 1.0, 0.0, nothing, spun_s=0.5), Reading(2.0, 2.5, 0.0, nothing, spun_s=1.5)
    found = generator.spent("w", before, after)
    assert (found["cpu_used_s"], found["cpu_spun_s"], found["cpu_share"]) == (1.5, 1.0, 0.25)
    # Spinning is measured by the clock: a process that had to wait for its CPU meanwhile used less.
    late = Reading(2.0, 1.5, 0.0, nothing, spun_s=1.5)
    assert generator.spent("w", before, late)["cpu_share"] == 0.0


def test_counters_are_differences_over_the_window():
    before, after = Reading(0.0, 1.0, 0.0, Throttling(10, 3, 1.0)), Reading(5.0, 4.0, 0.0, Throttling(60, 13, 1.0))
    found = generator.spent("w", before, after)
    assert (found["periods"], found["throttled_periods"], found["cpu_limit"]) == (50, 10, 1.0)


def test_collecting_garbage_is_noticed():
    collector = CollectorClock()
    try:
        gc.collect()
        assert generator.read(collector).gc_s > 0
    finally:
        gc.callbacks.remove(collector._tick)
