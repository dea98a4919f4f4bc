"""The file that a Valkey reads its values of when it starts, and which slot of a cluster a key is in. Pure.

Source: the RDB file format as Valkey 8.1 reads it (`rdb.c`), and the cluster specification. Standard library only.
"""

import binascii
from collections.abc import Iterable, Iterator

# Any version from 1 to its own can be read; of this one on nothing has changed for plain strings.
_HEAD = b"REDIS0009"
_STRING = b"\x00"
_DATABASE = b"\xfe\x00"
_END = b"\xff"
# Zeros stand for "not reckoned".
_NO_CHECKSUM = bytes(8)
_SLOTS = 16384


def items(keys: Iterable[int], value_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Each key as it is called in a store, with its value of version 0."""
    for key in keys:
        yield b"item:%d" % key, (b"%d:0:" % key).ljust(value_bytes, b"x")


def dump(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The file that holds these keys and values."""
    parts = [_HEAD, _DATABASE]
    for key, value in pairs:
        parts += [_STRING, _length(len(key)), key, _length(len(value)), value]
    return b"".join((*parts, _END, _NO_CHECKSUM))


def _length(of: int) -> bytes:
    """A length in 1, 2 or 5 bytes; the two highest bits of the first say in how many."""
    if of < 1 << 6:
        return bytes([of])
    if of < 1 << 14:
        return bytes([0x40 | of >> 8, of & 0xFF])
    return b"\x80" + of.to_bytes(4, "big")


def slot(key: bytes) -> int:
    """The slot of a key without braces: CRC-16/XMODEM modulo 16384."""
    return binascii.crc_hqx(key, 0) % _SLOTS
