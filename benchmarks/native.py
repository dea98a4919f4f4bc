"""Programs in C that stand on the other side of what a benchmark measures: compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_SOURCES = Path(__file__).resolve().parent


@contextmanager
def compiled(name: str) -> Iterator[Path]:
    """The program out of `NAME.c` beside this file; gone at the end of the block. RuntimeError without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler here: apt-get install gcc")
    with TemporaryDirectory(prefix="threadmill-bench-") as directory:
        program = Path(directory) / name
        done = subprocess.run(
            [compiler, "-O2", "-o", str(program), str(_SOURCES / f"{name}.c")],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}.c does not compile: {done.stderr.strip()[-500:]}")
        # A container's user runs it as well.
        Path(directory).chmod(0o755)
        yield program
