"""Context switches of the whole server, also of threads and processes that have ended, against its own getrusage."""

import signal
import threading
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from probe.ended import Ended, Memory
from probe.growth import Late, total
from probe.proc import Task, parse_task
from tests.integration.servers.running import Client, Running, server
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
CONNECTIONS = 1000


def switches(running: Running, directory: Path, late: Late | None = None) -> tuple[int, Ended]:
    """Of all its tasks so far, as the probe counts them; `late`: what it has seen before."""
    if not (directory / "1").exists():
        (directory / "1").symlink_to(f"/proc/{running.pid}")
    tasks: dict[int, Task] = {}
    owners: dict[int, int] = {}
    for process in [psutil.Process(running.pid), *running.children()]:
        with suppress(OSError):  # it ends meanwhile, and is in the counts that are read next
            for place in list(Path(f"/proc/{process.pid}/task").iterdir()):
                with suppress(OSError):
                    tasks[int(place.name)] = parse_task((place / "status").read_bytes(), b"")
                    owners[int(place.name)] = process.pid
    with closing(Memory(directory)) as memory:
        ended = memory.read()
    ended = (late or Late()).corrected(dict(tasks), owners, ended)
    use = total(tasks, owners, ended)
    assert use.voluntary is not None and use.involuntary is not None
    return use.voluntary + use.involuntary, ended


@pytest.mark.parametrize("model", ["spst", "spmt", "mpst", "mpmt", "thread-pool", "prefork"])
def test_the_growth_of_all_tasks_is_that_of_getrusage(model: str, tmp_path: Path) -> None:
    with server(model) as running:
        wait_until(lambda: running.port, "the start")
        if model in ("mpmt", "prefork"):
            wait_until(lambda: len(running.children()) == 2, "two workers")
        idle = running.shape()
        start, _ = switches(running, tmp_path)
        for number in range(CONNECTIONS):
            with running.connect() as client:
                assert client.ask(b"%d\n" % number) == b"%d\n" % number
        wait_until(lambda: running.shape() == idle, "the end of all connections' tasks")
        end, _ = switches(running, tmp_path)
        running.stop()
        usage = running.report()["rusage"]
    lived = sum(usage[who][f"{kind}voluntary_switches"] for who in ("self", "children") for kind in ("", "in"))
    # What the server did since, to stop, is in its own count alone.
    assert end - start == pytest.approx(lived - start, rel=0.02, abs=40)
    assert end - start > CONNECTIONS / 2


def test_a_killed_worker_is_counted_once_with_its_threads(tmp_path: Path) -> None:
    with server("mpmt") as running:
        wait_until(lambda: len(running.children()) == 2, "two workers")
        for number in range(100):
            with running.connect() as client:
                assert client.ask(b"%d\n" % number) == b"%d\n" % number
        wait_until(lambda: running.shape() == (3, [1, 1, 1]), "the end of the threads")
        before, _ = switches(running, tmp_path)
        workers = {child.pid for child in running.children()}
        for child in running.children():
            child.send_signal(signal.SIGKILL)
        wait_until(lambda: len({child.pid for child in running.children()} - workers) == 2, "two new workers")
        after, ended = switches(running, tmp_path)
        assert (ended.slots[0].count, ended.counts[1:]) == (2, (0, 0, 0))
        assert [slot.voluntary for slot in ended.slots[1:]] == [0, 0, 0]
        assert before <= after < before + 150
        running.stop()


def test_threads_that_come_and_go_beside_busy_ones_are_not_hidden_by_them(tmp_path: Path) -> None:
    over = threading.Event()

    def chat(client: Client) -> None:
        while not over.is_set():
            client.ask(b"x\n")

    with server("spmt") as running, running.connect() as one, running.connect() as other:
        start, _ = switches(running, tmp_path)
        late = Late()
        talkers = [threading.Thread(target=chat, args=(client,)) for client in (one, other)]
        for talker in talkers:
            talker.start()
        for number in range(CONNECTIONS):
            with running.connect() as client:
                assert client.ask(b"%d\n" % number) == b"%d\n" % number
            if number % 50 == 0:
                switches(running, tmp_path, late)
        over.set()
        for talker in talkers:
            talker.join()
        wait_until(lambda: running.shape() == (1, [3]), "the end of the other threads")
        end, _ = switches(running, tmp_path, late)
        running.stop()
        usage = running.report()["rusage"]["self"]
    lived = usage["voluntary_switches"] + usage["involuntary_switches"]
    assert end - start == pytest.approx(lived - start, rel=0.02, abs=40)
