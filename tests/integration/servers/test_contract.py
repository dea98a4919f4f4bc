"""What every model must do, whatever its concurrency: one suite, run against a real process of each."""

import os
import random
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil
import pytest

from servers.models import SERVERS
from tests.integration.servers.running import Client, Running, server
from tests.integration.servers.suite import ROOM, family, skip_sequential
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("model", SERVERS)]


def test_echo_split_coalesced_and_directives(model: str) -> None:
    with server(model) as running, running.connect() as client:
        assert client.ask(b"hello its first\n") == b"hello its first\n"
        assert client.ask(b"\n") == b"\n"
        assert (
            client.ask(b"bytes \xff\xfe\x00 are echoed as they are\r\n")
            == b"bytes \xff\xfe\x00 are echoed as they are\r\n"
        )
        for byte in b"single bytes\n":
            client.send(bytes([byte]))
        assert client.line() == b"single bytes\n"
        requests = [b"one\n", b"!sleep=1000 two\n", b"!nothing\n", b"three\n", b"!spin=10 four\n", b"five\n"]
        client.send(b"".join(requests) + b"be")
        replies = [client.line() for _ in requests]
        assert [replies[0], replies[1], *replies[3:]] == [requests[0], requests[1], *requests[3:]]
        assert replies[2] == b"!error unknown directive 'nothing': allowed are sleep, spin, hash, read, write, send\n"
        assert client.ask(b"gun\n") == b"begun\n"
        client.close()
        running.stop()
        assert running.totals() == {"accepted": 1, "served": 10, "refused": 0, "errors": 1}


def test_random_payloads_come_back_byte_for_byte(model: str) -> None:
    generator = random.Random(1)
    with server(model) as running, running.connect() as client:
        for size in (1, 1_000, 65_536, 131_072):
            payload = generator.randbytes(size).replace(b"\n", b"?").replace(b"!", b"?")
            assert client.ask(payload + b"\n") == payload + b"\n"


def test_sleep_is_waited_and_spin_and_hash_are_worked_before_the_reply(model: str) -> None:
    with server(model) as running, running.connect() as client:
        start = time.monotonic()
        assert client.ask(b"!sleep=100000 x\n") == b"!sleep=100000 x\n"
        assert time.monotonic() - start >= 0.1
        process = psutil.Process(running.pid)
        family = [process, *process.children(recursive=True)]
        # Some 200 ms of work each, as the kernel counts CPU time in ticks of 10 ms; an echo alone takes less than one.
        for line in (b"!spin=200000\n", b"!hash=500000\n"):
            before = sum(each.cpu_times().user for each in family)
            assert client.ask(line) == line
            assert sum(each.cpu_times().user for each in family) - before >= 0.05


def test_a_bad_directive_is_answered_and_the_connection_stays(model: str) -> None:
    with server(model) as running, running.connect() as client:
        for line in (b"!sleep=x\n", b"!sleep=10000001\n", b"!spin=-1 x\n", b"!\xff\n", b"!crash=segv\n"):
            assert client.ask(line).startswith(b"!error ")
            assert client.ask(b"still here\n") == b"still here\n"


def test_a_too_long_line_is_refused_and_closed_after_what_came_before_it(model: str) -> None:
    with server(model, MAX_LINE="100") as running:
        with running.connect() as client:
            assert client.ask(b"x" * 100 + b"\n") == b"x" * 100 + b"\n"
            client.send(b"before\n" + b"x" * 101 + b"\n")
            assert client.line() == b"before\n"
            assert client.line() == b"!error line is longer than 100 bytes\n"
            assert client.at_end()
        with running.connect() as client:
            assert client.ask(b"next\n") == b"next\n"
        running.wait_for_line(r"sent a line of more than 100 bytes")


def test_beyond_max_connections_a_client_is_told_and_counted(model: str) -> None:
    skip_sequential(model)
    with server(model, MAX_CONNECTIONS="3", **ROOM) as running:
        with ExitStack() as stack:
            for _ in range(3):
                assert stack.enter_context(running.connect()).ask(b"in\n") == b"in\n"
            for _ in range(5):
                with running.connect() as refused:
                    assert refused.line() == b"!error server is full: 3 connections\n"
                    assert refused.at_end()

        def served_again() -> bool:
            with running.connect() as client:
                try:
                    return client.ask(b"room again\n") == b"room again\n"
                except ConnectionError:
                    return False

        wait_until(served_again, "room for a client once others have left")
        running.stop()
        totals = running.totals()
        assert totals["accepted"] == 4
        assert totals["served"] == 4
        assert totals["refused"] >= 5


def test_a_refused_client_that_has_sent_already_sees_the_reason_and_an_orderly_end(model: str) -> None:
    skip_sequential(model)
    with server(model, MAX_CONNECTIONS="1", **ROOM) as running, running.connect() as first:
        assert first.ask(b"in\n") == b"in\n"
        everyone = family(running)
        for process in everyone:
            process.suspend()
        refused = [running.connect() for _ in range(3)]
        for client in refused:
            client.send(b"x" * 50_000 + b"\n")
        for process in everyone:
            process.resume()
        for client in refused:
            assert client.line() == b"!error server is full: 1 connections\n"
            assert client.sock.recv(1) == b""  # not a reset, which could overtake the line
            client.close()


def test_a_client_that_sends_on_after_a_too_long_line_sees_the_reason_and_an_orderly_end(model: str) -> None:
    with server(model, MAX_LINE="100") as running, running.connect() as client:
        assert client.ask(b"in\n") == b"in\n"
        everyone = family(running)
        for process in everyone:
            process.suspend()
        client.send(b"x" * 300_000)
        for process in everyone:
            process.resume()
        assert client.line() == b"!error line is longer than 100 bytes\n"
        assert client.sock.recv(1) == b""


def test_packets_are_logged_on_request(model: str) -> None:
    with server(model, PACKET_LOG="1") as running, running.connect() as client:
        assert client.ask(b"hello\n") == b"hello\n"
        for direction in ("RECV", "SEND"):
            running.wait_for_line(rf"^\[PACKET\] {direction}: 68 65 6c 6c 6f 0a$")
            running.wait_for_line(rf"^\[PACKET\] {direction} \(ASCII\): hello$")


def test_nothing_is_logged_per_request_otherwise(model: str) -> None:
    with server(model) as running:
        with running.connect() as client:
            assert client.ask(b"hello\n") == b"hello\n"
        running.stop()
        assert [line for line in running.lines if not line.startswith("[INFO] ")] == running.lines[-2:-1]
        assert len(running.lines) == 5


def test_a_broken_log_does_not_stop_it(model: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "servers", model],
        env={**os.environ, "HOST": "127.0.0.1", "PORT": "0", "PACKET_LOG": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        started = next(line for line in process.stdout if "Server started" in line)
        process.stdout.close()
        with Client(int(started.split()[-1])) as client:
            assert client.ask(b"a\n") == b"a\n"
            assert client.ask(b"b\n") == b"b\n"
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_is_one_clear_line(model: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        running = Running(model, {"PORT": str(port)})
        try:
            assert running.finished() == 2
            (line,) = running.errors
            assert line.startswith(f"servers: PORT={port}: already in use on {host}; stop what listens there or choose")
        finally:
            running.discard()
