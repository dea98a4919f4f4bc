"""What the proofs share: where they print, and a sweep that says that it runs."""

from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import sweeping
from benchmarks.sweeping import Row

CONSOLE = Console()


def sweep(directory: Path, **fields: Any) -> tuple[Path, list[Row]]:
    """As `benchmarks.sweeping.sweep`."""
    CONSOLE.print(f"sweep {fields['name']} ...", highlight=False)
    return sweeping.sweep(directory, **fields)
