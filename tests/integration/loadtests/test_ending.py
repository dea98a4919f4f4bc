"""A part of the load that is told to end does."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.loadtests.locust_stack import LOCUSTFILE, free_port
from tests.waiting import wait_until


def catches(pid: int, signum: signal.Signals) -> bool:
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (signum - 1) & 1)


def test_a_worker_without_a_master_ends_by_its_own_handler_as_a_containers_first_process_has_to() -> None:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--worker"]
    command += ["--master-host", "127.0.0.1", "--master-port", str(free_port())]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            wait_until(lambda: catches(worker.pid, signal.SIGTERM), "a handler")
            worker.terminate()
            assert worker.wait(20) == 128 + signal.SIGTERM
        finally:
            worker.kill()
