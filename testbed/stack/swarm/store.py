"""A directory of a container on another machine: one file into it, some out of it. Whole or not at all."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker.errors

from testbed.files import write_atomically


def hand_in(container: Any, at: str, file: Path, user: str) -> None:
    """Have a file in this directory of a container, as a file of its user.

    It is written under another name first and gets its own by a link, so that a reader never finds half of it.
    """
    uid, gid = map(int, user.split(":"))
    data = file.read_bytes()
    whole = tarfile.TarInfo(f".{file.name}.partial")
    whole.size, whole.uid, whole.gid, whole.mode = len(data), uid, gid, 0o644
    named = tarfile.TarInfo(file.name)
    named.type, named.linkname = tarfile.LNKTYPE, whole.name
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(whole, io.BytesIO(data))
        archive.addfile(named)
    container.put_archive(at, buffer.getvalue())


def bring(container: Any, at: str, directory: Path, names: Sequence[str]) -> None:
    """Have these files of a container's directory in one of this machine; those that are not there are left out, and so
    is one that grew while it was read: the next time it is there."""
    for name in names:
        try:
            chunks, _ = container.get_archive(f"{at}/{name}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                _write(archive, directory / name)
        except (docker.errors.NotFound, tarfile.TarError):
            continue


def _write(archive: tarfile.TarFile, path: Path) -> None:
    for member in archive:
        if member.isfile() and (file := archive.extractfile(member)) is not None:
            data = file.read()
            if len(data) == member.size:
                write_atomically(path, data.decode())
