"""How every model stops: what is in flight is answered, nothing is left over, nothing holds it up."""

import signal
import time
from functools import partial

import psutil
import pytest

from servers.models import SERVERS
from tests.integration.servers.running import Running, server
from tests.integration.servers.suite import CONCURRENT, ROOM, SLEEP
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("model", SERVERS)]


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
