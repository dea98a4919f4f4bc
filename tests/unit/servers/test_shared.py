"""One count of all: nothing that processes and threads add at once is lost, whoever adds it."""

import os
import threading

from servers.shared import SharedCount

EACH = 5_000
WORKERS = 4


def test_what_processes_and_threads_add_at_once_is_all_there() -> None:
    count = SharedCount()

    def adds() -> None:
        for _ in range(EACH):
            count.add(2)

    children = []
    for _ in range(WORKERS):
        if not (pid := os.fork()):
            adds()
            os._exit(0)
        children.append(pid)
    threads = [threading.Thread(target=adds) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * WORKERS
    assert count.value == 2 * EACH * 2 * WORKERS


def test_two_servers_count_apart() -> None:
    one, other = SharedCount(), SharedCount()
    one.add(1)
    assert (one.value, other.value) == (1, 0)
