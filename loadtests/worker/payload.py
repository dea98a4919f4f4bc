"""What the requests of one user carry."""

from __future__ import annotations

import random
import string

_ALPHABET = (string.ascii_letters + string.digits).encode()
_PRINTABLE = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))

RING_BYTES = 64 * 1024
"""A user's ring is as long as its alphabet or fills this much memory, whichever is less (two payloads at the least)."""


def words(sleep_us: int = 0, spin_units: int = 0, hash_rounds: int = 0) -> list[bytes]:
    """What the server is told to do before it answers; none for a plain echo."""
    asked = (("sleep", sleep_us), ("spin", spin_units), ("hash", hash_rounds))
    return [f"{name}={amount}".encode() for name, amount in asked if amount]


def ring(rng: random.Random, payload_bytes: int) -> list[bytes]:
    """Payloads that all differ, to be sent round and round.

    None equals the one before it, so a stale reply cannot pass for the right one. They are made before the load starts
    because making one costs more than sending it. The first character differs in every one; none starts with `!`, which
    would be a directive.
    """
    payloads = min(len(_ALPHABET), max(2, RING_BYTES // payload_bytes))
    first = rng.sample(_ALPHABET, payloads)
    return [bytes([letter]) + rng.randbytes(payload_bytes - 1).translate(_PRINTABLE) for letter in first]
