"""The work a request can ask for. ``calibrate`` measures the very functions that ``!spin`` and ``!hash`` run."""

import hashlib

from servers.protocol import Work

# One unit is this many steps of a linear congruential generator: about 1 us on a machine of the 2020s.
STEPS_PER_UNIT = 14


def spin(units: int) -> int:
    """Do ``units`` of fixed, deterministic work in pure Python, so holding the GIL as application code does.

    Work, not time: under CPU contention it takes longer. Returns the generator's last value.
    """
    value = 1
    for _ in range(units * STEPS_PER_UNIT):
        value = (value * 16_807 + 11) & 0xFFFF
    return value


def hash_rounds(rounds: int) -> bytes:
    """Do ``rounds`` of PBKDF2 with SHA-256 in OpenSSL, which releases the GIL as a database driver or a codec does.

    Fixed, deterministic work like ``spin``. Returns the derived key.
    """
    return hashlib.pbkdf2_hmac("sha256", b"threadmill", b"salt", rounds) if rounds else b""


def do(work: Work) -> None:
    """All of a request's work but its wait, which models do in different ways."""
    if work.spin_units:
        spin(work.spin_units)
    if work.hash_rounds:
        hash_rounds(work.hash_rounds)
