"""What the probe leaves behind: a series and a summary, each whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, TextIO


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


class Series:
    """One JSON object a line. The file has its name once it is closed; until then it is a hidden one beside it."""

    def __init__(self, path: Path, live: bool = False) -> None:
        """`live`: whoever reads the hidden file finds each line at once, whole. OSError if the directory cannot be
        written to."""
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._file: TextIO = self._partial.open("w", encoding="ascii", buffering=1 if live else -1)

    def add(self, line: dict[str, Any]) -> None:
        # Else buffered: the disk is only reached every few seconds, never for each sample.
        self._file.write(_compact(line) + "\n")

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write, sync, rename: whoever sees the name sees the whole."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="ascii") as file:
        file.write(json.dumps(content, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
