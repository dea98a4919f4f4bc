"""What every model must do, whatever its concurrency: one suite, run against a real process of each."""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest

from servers.models import SERVERS, TABLE, VARIANTS
from servers.models.traits import THREADS, WORKERS, Size
from tests.integration.servers.running import Client, Running, server
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("model", SERVERS)]

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
        assert replies[2] == b"!error unknown directive 'nothing': allowed are sleep, spin, hash\n"
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


def test_a_stop_answers_what_is_in_flight_and_ends_the_rest(model: str) -> None:
    with server(model, **ROOM) as running, running.connect() as busy:
        assert busy.ask(b"served\n") == b"served\n"
        idle = [running.connect() for _ in range(3)]
        for client in idle if model in CONCURRENT else []:
            assert client.ask(b"idle\n") == b"idle\n"
        busy.send(b"served\n" + SLEEP)
        assert busy.line() == b"served\n"
        start = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        running.process.send_signal(signal.SIGTERM)  # a second stop changes nothing
        assert busy.line() == SLEEP
        assert busy.at_end()
        assert all(client.at_end() for client in idle)
        assert running.stop() == 0
        assert time.monotonic() - start < 4  # it need not wait for DRAIN_TIMEOUT
        totals = running.totals()
        assert totals["served"] == (6 if model in CONCURRENT else 3)
        assert totals["errors"] == 0
        for client in idle:
            client.close()


@pytest.mark.parametrize("work", [b"!sleep=10000000 x\n", b"!spin=10000000 x\n"], ids=["sleeping", "spinning"])
def test_a_drain_is_bounded_and_loses_no_count(model: str, work: bytes) -> None:
    with server(model, DRAIN_TIMEOUT="0.1") as running, running.connect() as client:
        client.send(b"a\n" + work)
        assert client.line() == b"a\n"
        start = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - start < 5
        assert any("DRAIN_TIMEOUT of 0.1 s is over: 1 connections cut" in line for line in running.lines)
        assert running.totals() == {"accepted": 1, "served": 1, "refused": 0, "errors": 0}


def test_a_client_that_never_pauses_does_not_hold_up_the_drain(model: str) -> None:
    with server(model, DRAIN_TIMEOUT="20") as running, running.connect() as client:
        assert client.ask(b"x\n") == b"x\n"
        start = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        try:
            while client.ask(b"x\n"):
                pass
        except ConnectionError:
            pass
        assert running.stop() == 0
        assert time.monotonic() - start < 5


def test_a_second_of_churn_leaves_no_process_thread_or_descriptor(model: str) -> None:
    with server(model) as running:
        process = psutil.Process(running.pid)
        with running.connect() as client:
            client.ask(b"warm\n")
        wait_until(lambda: idle_shape(running), "the shape without clients")
        descriptors = process.num_fds()
        for _ in range(40):
            with running.connect() as client:
                assert client.ask(b"x\n") == b"x\n"
        wait_until(lambda: idle_shape(running), "no thread or child left over")
        assert running.zombies() == []
        wait_until(lambda: process.num_fds() <= descriptors, "descriptors closed")
        running.stop()
        assert running.totals() == {"accepted": 41, "served": 41, "refused": 0, "errors": 0}


def idle_shape(running: Running) -> bool:
    pool = TABLE[running.model].pool
    if pool == WORKERS:
        return running.shape() == (3, [1, 1, 1])
    return running.shape() == (1, [5 if pool == THREADS else 1])


def test_clients_that_break_off_leave_one_line_each_and_the_server_goes_on(model: str) -> None:
    with server(model) as running:
        with running.connect() as client:
            client.send(b"half a li")
        running.wait_for_line(r"left in the middle of a line, after 9 bytes of it")
        with running.connect() as client:
            assert client.ask(b"x\n") == b"x\n"
            client.reset()
        running.wait_for_line(r"broke off: Connection reset by peer")
        with running.connect() as client:
            assert client.ask(b"on\n") == b"on\n"
        running.stop()
        assert running.totals() == {"accepted": 3, "served": 2, "refused": 0, "errors": 2}
        assert sum("broke off" in line or "left in" in line for line in running.lines) == 2


def test_a_client_that_never_reads_is_closed_without_growth(model: str) -> None:
    with server(model, IDLE_TIMEOUT="0.3") as running, running.connect() as client:
        chunk = (b"x" * 1000 + b"\n") * 200
        client.sock.settimeout(20)
        with pytest.raises((ConnectionError, TimeoutError)) as failure:
            send_until(client, 2**30, chunk)
        assert not isinstance(failure.value, TimeoutError)
        running.wait_for_line(r"did not read its replies for 0.3 s")
        assert sum(process.memory_info().rss for process in family(running)) < 200 * 2**20
        with running.connect() as other:
            assert other.ask(b"on\n") == b"on\n"


def send_until(client: Client, limit_bytes: int, chunk: bytes) -> None:
    sent = 0
    while sent < limit_bytes:
        sent += client.sock.send(chunk)


def family(running: Running) -> list[psutil.Process]:
    return [psutil.Process(running.pid), *running.children()]


def test_an_idle_client_is_closed(model: str) -> None:
    with server(model, IDLE_TIMEOUT="0.1") as running, running.connect() as client:
        assert client.ask(b"x\n") == b"x\n"
        assert client.at_end()
        running.wait_for_line(r"sent nothing for 0.1 s: closed")


def test_many_silent_connects_do_not_stop_it(model: str) -> None:
    # A few hundred for the model that forks for each, which is as many as prove it.
    connects = 200 if model == "mpst" else 1000
    with server(model, MAX_CONNECTIONS="2000") as running:
        port = running.port
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(connects)]
        if model in BOUNDED:  # serves them in turn, as each leaves
            for sock in silent:
                sock.close()
        with running.connect() as client:
            assert client.ask(b"on\n") == b"on\n"
        for sock in silent:
            sock.close()
        wait_until(lambda: idle_shape(running), "no thread or child left over", 30)


def test_memory_does_not_grow_with_requests_or_connections(model: str) -> None:
    def churn() -> None:
        for _ in range(30):
            with running.connect() as client:
                client.send(b"x" * 60_000 + b"\n" + b"y\n" * 200)
                for _ in range(201):
                    client.line()

    def resident() -> int:
        return sum(process.memory_info().rss for process in family(running))

    with server(model) as running:
        churn()
        wait_until(lambda: idle_shape(running), "idle")
        before = resident()
        for _ in range(3):
            churn()
        wait_until(lambda: idle_shape(running), "idle")
        assert resident() - before < 4 * 2**20


def lowest_free_descriptor(pid: int) -> int:
    """The number that the process would get next."""
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in itertools.count() if number not in taken)


def test_out_of_descriptors_it_pauses_and_goes_on(model: str) -> None:
    skip_sequential(model)
    with server(model) as running:
        with running.connect() as client:  # everything that is needed to serve has been opened
            client.ask(b"x\n")
        wait_until(lambda: idle_shape(running), "idle")
        acceptors = running.children() or [psutil.Process(running.pid)]
        for process in acceptors:
            process.rlimit(psutil.RLIMIT_NOFILE, (lowest_free_descriptor(process.pid), 1024))
        with running.connect() as client:
            client.send(b"later\n")
            if model in VARIANTS:  # libuv turns it away at once instead, with a descriptor that it keeps for that
                assert client.at_end()
            else:
                running.wait_for_line(r"cannot accept|event loop: .*[Aa]ccept|Too many open files")
            for process in acceptors:
                process.rlimit(psutil.RLIMIT_NOFILE, (1024, 1024))
            if model not in VARIANTS:
                assert client.line() == b"later\n"
        with running.connect() as client:
            assert client.ask(b"on\n") == b"on\n"
        cpu = sum(sum(process.cpu_times()[:2]) for process in acceptors)
        assert cpu < 2


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


def test_a_stop_at_any_moment_of_the_start_ends_it(model: str) -> None:
    for delay_ms in range(0, 120, 20):
        running = Running(model, {})
        try:
            wait_until(partial(is_older, running, delay_ms), "the process to be that old")
            # Before the interpreter runs our first line, the kernel's default action ends the process.
            assert running.stop() in (0, -signal.SIGTERM)
            if running.process.returncode == 0:
                assert running.totals()["accepted"] == 0
            assert running.left_behind() == []
        finally:
            running.discard()


def is_older(running: Running, age_ms: float) -> bool:
    return 1000 * (time.time() - psutil.Process(running.pid).create_time()) >= age_ms


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
