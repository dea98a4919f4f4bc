"""The request lines of one user."""

from __future__ import annotations

import random
import string

_ALPHABET = (string.ascii_letters + string.digits).encode()
_PRINTABLE = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))

RING_BYTES = 64 * 1024
"""A user's ring is as long as its alphabet or fills this much memory, whichever is less (two lines at the least)."""


def directives(sleep_us: int = 0, spin_units: int = 0, hash_rounds: int = 0) -> bytes:
    """What the server is told to do before it answers, with the space that ends it; empty for a plain echo."""
    words = []
    if sleep_us:
        words.append(f"!sleep={sleep_us}")
    if spin_units:
        words.append(f"!spin={spin_units}")
    if hash_rounds:
        words.append(f"!hash={hash_rounds}")
    return "".join(word + " " for word in words).encode()


def ring(
    rng: random.Random, payload_bytes: int, sleep_us: int = 0, spin_units: int = 0, hash_rounds: int = 0
) -> list[bytes]:
    """Request lines that all differ, to be sent round and round.

    No request equals the one before it, so a stale reply cannot pass for the right one. Lines are made before the load
    starts because making one costs more than sending it. The first character of the payload differs in every line; no
    payload starts with `!`, which would be a directive.
    """
    prefix = directives(sleep_us, spin_units, hash_rounds)
    lines = min(len(_ALPHABET), max(2, RING_BYTES // payload_bytes))
    first = rng.sample(_ALPHABET, lines)
    return [
        prefix + bytes([letter]) + rng.randbytes(payload_bytes - 1).translate(_PRINTABLE) + b"\n" for letter in first
    ]
