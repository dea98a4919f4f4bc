import os
import platform

from loadtests.master import machine


def test_the_machine_is_told_as_a_manifest_tells_it(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\n")
    (tmp_path / "meminfo").write_text("MemTotal:        2048 kB\nMemFree: 1 kB\n")
    assert machine.facts(tmp_path) == {
        "cpu_model": "Some CPU @ 2 GHz",
        "cpus": os.cpu_count(),
        "memory_bytes": 2048 * 1024,
        "kernel": platform.release(),
    }


def test_what_the_kernel_does_not_tell_is_none(tmp_path):
    found = machine.facts(tmp_path)
    assert (found["cpu_model"], found["memory_bytes"]) == (None, None)
