"""Faults that a client can ask for with ``!crash=NAME``, only where ALLOW_FAULTS=1: for tests of who notices them."""

import os

NAMES = ("segv", "exit", "raise", "oom", "lie")
EXIT_CODE = 13
# Above the limit of any server that is to be killed by it; a machine without a limit survives it.
OOM_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 20


class AskedForError(Exception):
    """The failure that a client wanted to see."""


def commit(name: str, request: bytes) -> bytes:
    """End or break this process as ``name`` says; returns the wrong echo for "lie"."""
    if name == "segv":
        import ctypes  # here, because what is never needed would be copied by every fork

        # A real one: the kernel keeps a container's first process from a signal that it sends itself.
        ctypes.string_at(0)
    elif name == "exit":
        os._exit(EXIT_CODE)
    elif name == "oom":
        fill_memory(OOM_BYTES)
        raise AskedForError(f"!crash=oom: {OOM_BYTES >> 20} MiB were to be had")
    elif name == "raise":
        raise AskedForError("!crash=raise")
    return lie(request)


def fill_memory(limit_bytes: int) -> None:
    """Use up to ``limit_bytes`` more. Raises MemoryError where an allocation fails before."""
    kept = []
    for _ in range(limit_bytes // _CHUNK_BYTES):
        kept.append(b"\1" * _CHUNK_BYTES)  # not zeros, which the kernel need not provide  # noqa: PERF401


def lie(request: bytes) -> bytes:
    """The request with its last byte before the end of the line changed."""
    end = len(request.rstrip(b"\r\n")) - 1
    return request[:end] + (b"!" if request[end : end + 1] == b"?" else b"?") + request[end + 1 :]
