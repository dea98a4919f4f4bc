"""One sweep at a time on a machine: two would measure each other."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import UserError

# Not where TMPDIR says: a user whose temporary files are elsewhere would find no lock, and remove what another's sweep
# is using.
PATH = Path("/tmp/threadmill.lock")
# A compose command that outlives its killed orchestrator keeps the lock until it has ended: a second or two.
PATIENCE_S = 5.0
RETRY_S = 0.1


@contextmanager
def only_sweep(run_id: str, path: Path | None = None, patience_s: float = PATIENCE_S) -> Iterator[int]:
    """Hold the machine's lock, which the kernel gives back however this process ends. Yields its file descriptor.

    A child that inherits the descriptor holds the lock too. UserError names the sweep that runs.
    """
    descriptor = _open(path or PATH)
    try:
        _take(descriptor, patience_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{run_id}, process {os.getpid()}".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def holder(path: Path = PATH) -> str | None:
    """Who holds the lock, as `<run id>, process <pid>`; None when nobody does. Never waits, and holds nothing itself
    for longer than it takes to ask."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # Shared: two that ask at once do not see each other, and a sweep that starts just then retries.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace")
    finally:
        os.close(descriptor)
    return None


def _open(path: Path) -> int:
    """The lock file, which any user of the machine may lock. Creating comes second: where it lies, the kernel lets only
    its owner open an existing file with O_CREAT."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        os.fchmod(descriptor, 0o666)
        return descriptor


def _take(descriptor: int, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace")
                raise UserError(f"another sweep runs on this machine ({holder}): wait for it or stop it") from None
            time.sleep(RETRY_S)
        else:
            return
