import os
import signal
import subprocess
import sys

import pytest

from servers import logs
from servers.children import describe


def test_packet_lines_show_every_byte_and_readable_text() -> None:
    assert logs.packet_lines("RECV", b"hi \xff\n") == ("RECV: 68 69 20 ff 0a", "RECV (ASCII): hi .")


def test_a_long_packet_is_cut_to_what_a_pipe_takes_in_one_piece() -> None:
    lines = "".join(f"[PACKET] {line}\n" for line in logs.packet_lines("SEND", b"x" * 100_000))
    assert "(100000 bytes)" in lines
    assert len(lines) <= 4096


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        writes.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    logs.info("hello")
    logs.packet("RECV", b"a")
    assert writes == [b"[INFO] hello\n", b"[PACKET] RECV: 61\n[PACKET] RECV (ASCII): a\n"]


def test_a_line_that_is_written_in_parts_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    written = bytearray()

    def write(_: int, data: bytes) -> int:
        written.extend(data[:10])
        return len(data[:10])

    monkeypatch.setattr(os, "write", write)
    logs.info("accepted 1, served 2")
    assert written == b"[INFO] accepted 1, served 2\n"


_LAST_LINES = """
import resource
from servers import logs
logs.info("first")
if {full}:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
logs.last('{{"served": 1}}', "Server stopped")
logs.info("a thread that is still ending")
"""


def log_of(program: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


def test_nothing_is_logged_after_the_last_lines() -> None:
    assert log_of(_LAST_LINES.format(full=False)) == ["[INFO] first", '[REPORT] {"served": 1}', "[INFO] Server stopped"]


def test_the_last_lines_are_logged_without_a_descriptor_to_spare() -> None:
    assert log_of(_LAST_LINES.format(full=True))[:3] == [
        "[INFO] first",
        '[REPORT] {"served": 1}',
        "[INFO] Server stopped",
    ]


def test_a_broken_output_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", fail)
    logs.info("nobody reads this")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, ""),
        (3 << 8, "exited with code 3"),
        (int(signal.SIGKILL), "was killed by SIGKILL (out of memory?)"),
        (int(signal.SIGTERM), "was killed by SIGTERM"),
    ],
)
def test_a_death_is_described_with_its_likely_cause(status: int, words: str) -> None:
    assert describe(status) == words
