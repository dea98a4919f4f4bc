"""What unit tests have in common: they depend on nothing but the code."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where the system has a place there: made results are thousands of files, each of which would be waited
    for until it is on the disk, and that is not what these tests are about.
    """
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="threadmill-tests-", dir=MEMORY) as directory:
        yield Path(directory)
