"""The command lines: bad starts, and the client."""

import os
import subprocess
import sys

import pytest

from servers.models import SERVERS
from tests.integration.servers.running import server

pytestmark = pytest.mark.timeout(60)


def run(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        input=stdin,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("threads",), ("spst", "spmt"), ("event_loop",)])
def test_no_or_an_unknown_model_lists_the_models(arguments: tuple[str, ...]) -> None:
    done = run("servers", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert all(model in done.stderr for model in SERVERS)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "http", "servers: PORT='http': must be a whole number from 0 to 65535"),
        ("WORKERS", "0", "servers: WORKERS='0': must be a whole number from 1 to 1024"),
        ("SWITCH_INTERVAL_US", "5ms", "servers: SWITCH_INTERVAL_US='5ms': must be a whole number from 0 to 10000000"),
        ("PACKET_LOG", "on", "servers: PACKET_LOG='on': must be 0 or 1"),
        (
            "HOST",
            "203.0.113.7",
            "servers: HOST='203.0.113.7', PORT=8081: cannot listen: Cannot assign requested address",
        ),
    ],
)
def test_a_bad_variable_is_one_clear_line(name: str, value: str, line: str) -> None:
    done = run("servers", "spst", **{name: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line + "\n")


def test_client_shows_both_directions_of_each_text() -> None:
    with server("spmt") as running:
        done = run("servers.client", "127.0.0.1", str(running.port), "hello its first", "é")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "SEND: 68 65 6c 6c 6f 20 69 74 73 20 66 69 72 73 74 0a",
        "SEND (ASCII): hello its first",
        "RECV: 68 65 6c 6c 6f 20 69 74 73 20 66 69 72 73 74 0a",
        "RECV (ASCII): hello its first",
        "SEND: c3 a9 0a",
        "SEND (ASCII): ..",
        "RECV: c3 a9 0a",
        "RECV (ASCII): ..",
    ]


def test_client_reads_lines_from_standard_input() -> None:
    with server("spmt") as running:
        done = run("servers.client", "127.0.0.1", str(running.port), stdin="one\ntwo")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "ASCII" in line] == [
        "SEND (ASCII): one",
        "RECV (ASCII): one",
        "SEND (ASCII): two",
        "RECV (ASCII): two",
    ]


def test_client_without_a_server_says_so() -> None:
    with server("spst") as running:
        port = running.port
    done = run("servers.client", "127.0.0.1", str(port), "hello")
    assert done.returncode == 1
    assert done.stderr == f"client: 127.0.0.1:{port}: [Errno 111] Connection refused\n"


def test_client_says_when_the_server_hangs_up() -> None:
    with server("spst", MAX_LINE="16") as running:
        done = run("servers.client", "127.0.0.1", str(running.port), "x" * 50, "more")
    assert done.returncode == 1
    assert "!error line is longer than 16 bytes" in done.stdout
    assert done.stderr.startswith(f"client: 127.0.0.1:{running.port}: ")
