"""Files of a container on another machine: into it whole, and out of it those that are there."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors

from testbed.stack.swarm import store


class Container:
    """Its directory, as Docker's archives show it."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.put: list[tuple[str, bytes]] = []

    def put_archive(self, at: str, data: bytes) -> None:
        self.put.append((at, data))

    def get_archive(self, path: str) -> tuple[Iterator[bytes], Any]:
        name = path.rpartition("/")[2]
        if name not in self.files:
            raise docker.errors.NotFound("no such file")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(self.files[name])
            archive.addfile(member, io.BytesIO(self.files[name]))
        data = buffer.getvalue()
        return iter((data[:100], data[100:])), {}


def test_a_reader_never_finds_half_of_a_file_that_is_handed_in(tmp_path: Path) -> None:
    """It has its name from a link to what is there already, whole."""
    (tmp_path / "a.window.json").write_text('{"opens_unix": 1.0}')
    container = Container()
    store.hand_in(container, "/results/load", tmp_path / "a.window.json", "1000:1001")
    ((at, data),) = container.put
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        whole, named = archive.getmembers()
        content = archive.extractfile(whole)
        assert content is not None
        assert content.read() == b'{"opens_unix": 1.0}'
    assert at == "/results/load"
    assert (whole.uid, whole.gid, whole.isfile()) == (1000, 1001, True)
    assert whole.name != "a.window.json"
    assert (named.name, named.islnk(), named.linkname) == ("a.window.json", True, whole.name)


def test_what_is_there_is_brought_and_what_is_not_is_left_out(tmp_path: Path) -> None:
    store.bring(Container(**{"a.json": b"{}"}), "/results/load", tmp_path, ["a.json", "a.probe.json"])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": "{}"}
