"""The exit report: what was counted and used, exact also where workers were killed."""

import resource
import signal
import threading
from contextlib import ExitStack, suppress

import psutil
import pytest

from servers.models import SERVERS, TABLE
from servers.models.traits import WORKERS, Size
from tests.integration.servers.running import server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
POOLS = tuple(name for name in SERVERS if TABLE[name].pool == WORKERS)


@pytest.mark.parametrize("model", SERVERS)
def test_the_report_agrees_with_the_totals_and_with_what_clients_got(model: str) -> None:
    with server(model) as running:
        for _ in range(3):
            with running.connect() as client:
                client.send(b"a\n!spin=20000 b\n!what\n" + b"c\n" * 50)
                assert [client.line() for _ in range(53)].count(b"c\n") == 50
        running.stop()
        report = running.report()
    assert (report["schema_version"], report["model"]) == (1, model)
    assert {name: report[name] for name in ("accepted", "served", "refused", "errors")} == running.totals()
    assert (report["accepted"], report["served"], report["errors"], report["replaced"]) == (3, 156, 3, 0)
    workers = report["workers"]
    assert len(workers) == {**dict.fromkeys(POOLS, 2), "thread-pool": 4}.get(model, 0)
    if workers:
        assert sum(worker["served"] for worker in workers) == 156
        assert sum(worker["accepted"] for worker in workers) == 3
        assert len({worker["thread" if model == "thread-pool" else "pid"] for worker in workers}) == len(workers)
    worked_in = "children" if model in (*POOLS, "mpst") else "self"
    usage = report["rusage"][worked_in]
    assert usage["user_s"] + usage["system_s"] > 0.02  # 60,000 units of spinning
    assert usage["max_rss_bytes"] > 2**20 and usage["minor_faults"] > 0 and usage["voluntary_switches"] > 0
    assert 0 < report["duration_s"] < 60


@pytest.mark.parametrize("model", [name for name in POOLS if TABLE[name].surely_served(Size(2)) != 1])
def test_what_a_killed_worker_had_served_on_an_open_connection_is_not_lost(model: str) -> None:
    with server(model) as running:
        wait_until(lambda: len(running.children()) == 2, "two workers")
        with ExitStack() as stack:
            clients = [stack.enter_context(running.connect()) for _ in range(2)]
            for client in clients:
                for _ in range(7):
                    assert client.ask(b"x\n") == b"x\n"
            workers = {child.pid for child in running.children()}
            for child in running.rested_children():
                child.send_signal(signal.SIGKILL)
            assert all(client.at_end() for client in clients)
        wait_until(lambda: len({child.pid for child in running.children()} - workers) == 2, "two new workers")
        with running.connect() as client:
            assert client.ask(b"y\n") == b"y\n"
        running.stop()
        report = running.report()
    assert (report["accepted"], report["served"], report["errors"], report["replaced"]) == (3, 15, 2, 2)
    assert len(report["workers"]) == 4
    assert sum(worker["served"] for worker in report["workers"] if worker["pid"] in workers) == 14


def test_a_worker_killed_under_load_loses_at_most_one_count_of_each_connection() -> None:
    """Between handing a reply to the kernel and counting it is the one moment in which a count can be lost."""
    with server("mpmt", WORKERS="1") as running:
        got = [0] * 4
        enough = threading.Barrier(len(got) + 1)

        def ask_on(number: int) -> None:
            with running.connect() as client, suppress(ConnectionError):
                while client.ask(b"x\n") == b"x\n":
                    got[number] += 1
                    if got[number] == 200:
                        enough.wait(20)

        threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(len(got))]
        for thread in threads:
            thread.start()
        enough.wait(20)
        running.children()[0].send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(20)
        wait_until(lambda: any(line.endswith("replaced in 0.2 s") for line in running.lines), "the new worker's line")
        running.stop()
        report = running.report()
    # What was counted and is on its way when the connection is reset does not reach the client.
    assert abs(report["served"] - sum(got)) <= len(got)
    assert report["served"] == report["workers"][0]["served"] >= 4 * 199


def test_what_a_killed_child_had_served_is_not_lost() -> None:
    with server("mpst") as running:
        with running.connect() as client:
            for _ in range(5):
                assert client.ask(b"x\n") == b"x\n"
            running.rested_children()[0].send_signal(signal.SIGKILL)
            assert client.at_end()
        running.stop()
        assert running.report()["served"] == 5


@pytest.mark.parametrize("model", ["spst", "spmt", "thread-pool", "event-loop", "prefork", "event-loop-uvloop"])
def test_replies_are_counted_to_the_last_one_when_the_drain_is_cut(model: str) -> None:
    """The client gets replies until it is cut off: as many as were counted, not one more or less."""
    for _ in range(3):
        with server(model, DRAIN_TIMEOUT="0") as running, running.connect() as client:
            client.send(b"x\n" + b"!sleep=1000 x\n" * 1000)
            replies = 1 if client.line() else 0
            running.process.send_signal(signal.SIGTERM)
            while client.line().endswith(b"\n"):
                replies += 1
            running.stop()
            assert running.report()["served"] == replies


@pytest.mark.parametrize("model", ["spmt", "thread-pool", "prefork", "event-loop", "event-loop-uvloop"])
def test_the_report_is_last_and_what_the_server_cuts_is_no_fault(model: str) -> None:
    with server(model, DRAIN_TIMEOUT="0", THREADS="100") as running, ExitStack() as clients:
        for _ in range(100):
            clients.enter_context(running.connect()).send(b"!sleep=500 x\n" * 1000)
        running.stop()
        assert running.report()["errors"] == 0
        assert not [line for line in running.lines if "broke off" in line]


def test_descriptors_are_bounded_by_the_hard_limit_only() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1), hard))  # inherited by the server
    try:
        with server("spst") as running:
            assert psutil.Process(running.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
