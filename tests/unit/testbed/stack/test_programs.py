"""Programs that are run for us never outlive us."""

import os
import threading
from pathlib import Path

import pytest

from testbed.stack.programs import CommandFailed, Commands, Interrupted
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(30)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie that its new parent has not collected has ended too.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_lines_are_handed_over_as_they_come_and_the_exit_code_counts() -> None:
    seen: list[str] = []
    with pytest.raises(CommandFailed, match="failed with exit code 3: second") as failure:
        Commands().run(["sh", "-c", "echo first; echo second >&2; exit 3"], seen.append)
    assert seen == failure.value.lines == ["first", "second"]


def test_an_interrupt_ends_the_program_and_what_it_started_itself(tmp_path: Path) -> None:
    note = tmp_path / "pids"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Commands().run(["sh", "-c", f"sleep 600 & echo $$ $! >{note}; echo started; wait"], interrupt)
    for pid in map(int, note.read_text().split()):
        wait_until(lambda pid=pid: gone(pid), f"end of {pid}")


def test_stopping_ends_what_other_threads_run_and_starts_nothing_more() -> None:
    commands = Commands()
    running = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            commands.run(["sh", "-c", "echo running; exec sleep 600"], lambda line: running.set())
        except CommandFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(10)
    commands.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert len(failures) == 1
    with pytest.raises(Interrupted):
        commands.run(["true"])
