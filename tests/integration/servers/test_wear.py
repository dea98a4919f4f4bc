"""What every model withstands: clients that break off, never read or say nothing; churn; want of descriptors."""

import itertools
import socket
from pathlib import Path

import psutil
import pytest

from servers.models import SERVERS, VARIANTS
from tests.integration.servers.running import Client, server
from tests.integration.servers.suite import BOUNDED, family, idle_shape, skip_sequential
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("model", SERVERS)]


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


def test_every_request_is_added_to_the_one_count_of_all(model: str) -> None:
    with server(model, SHARED_COUNTER="1") as running:
        for _ in range(3):
            with running.connect() as client:
                for _ in range(5):
                    assert client.ask(b"x\n") == b"x\n"
        running.stop()
        assert running.totals()["served"] == 15
        assert "[INFO] Counted in common: 15" in running.lines


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
