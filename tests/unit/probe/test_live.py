"""Lines for a live view of a real server process: this test's own child, in no container."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probe.__main__ import BadArgument, parse
from probe.live import Live
from probe.sampler import Clock
from probe.server import WatchedServer
from probe.tree import parse_thread
from tests.unit.probe.trees import NETSTAT, SNMP, add_process, tcp_table, v1_proc, write
from tests.waiting import wait_until

PROJECT = Path(__file__).parents[3]


def run(proc: Path, looks: int, between: Any = lambda: None) -> list[dict[str, Any]]:
    """The lines of so many samples, two seconds apart."""
    now = [100.0]
    lines: list[dict[str, Any]] = []

    def wait(seconds: float) -> bool:
        now[0] += 2.0
        between()
        return len(lines) >= looks

    clock = Clock(unix=lambda: now[0], cpu_s=lambda: 0.0, wait=wait)
    Live(WatchedServer(8081, 1024, proc, parse_thread), clock, 8081, 1.0, lines.append).run()
    return lines


def made(proc: Path) -> Path:
    v1_proc(proc)
    add_process(proc, 1, parent=0)
    table = {"1/net/tcp": tcp_table(("1F91", "0A", 4)), "1/net/tcp6": tcp_table()}
    return write(proc, {**table, "1/net/netstat": NETSTAT, "1/net/snmp": SNMP})


def test_a_line_has_levels_at_once_and_rates_from_the_second_on(tmp_path: Path) -> None:
    made(tmp_path)
    group = tmp_path / "1/root/sys/fs/cgroup"

    def half_a_second_is_used() -> None:
        usage = group / "cpuacct/cpuacct.usage"
        usage.write_text(f"{int(usage.read_text()) + 500_000_000}\n")

    first, second = run(tmp_path, 2, half_a_second_is_used)
    assert (first["seconds"], first["cpus"], first["memory_now_bytes"]) == (None, None, 12_582_912)
    assert (second["seconds"], second["cpus"], second["since_last"]["cpu_used_us"]) == (2.0, 0.25, 500_000)
    assert second["limits"]["cpus"] == 0.5
    assert second["accept_queue"] == 4
    assert [one["pid"] for one in second["tree"]["processes"]] == [1]
    # Measured after a line, so that the line is never late.
    assert first["tree"]["pss_bytes"] is None
    assert second["tree"]["pss_bytes"] == 2048 * 1024


def test_every_line_is_json(tmp_path: Path) -> None:
    for line in run(made(tmp_path), 2):
        assert json.loads(json.dumps(line)) == line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--until-eof"], "--until-eof: given without --watch"),
        (["--live"], "--live: given without --name"),
        (["--watch", "--push", "http://a/", "--model", "spst"], "--push and --watch: both given"),
    ],
)
def test_what_cannot_be_had_together_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        parse(words)


def test_it_ends_when_whoever_wanted_the_lines_is_gone() -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "probe", "--watch", "--until-eof", "--interval", "0.1"],
        cwd=PROJECT,
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(reading)
        try:
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            wait_until(lambda: process.poll() is not None or (process.stdout and process.stdout.read()), "a first line")
            assert process.poll() is None
            os.close(writing)
            assert process.wait(20) == 0
        finally:
            process.kill()
