"""The password of a run: made anew, held by this process alone, and handed on by the environment of what it starts."""

import os
import secrets
from functools import cache

VARIABLE = "BEHIND_PASSWORD"
"""What every part and every server reads it from."""


@cache
def password() -> str:
    """The caller's own where the environment has one; else of 128 random bits, the same for all that this process
    starts."""
    return os.environ.get(VARIABLE) or secrets.token_hex(16)


def environment() -> dict[str, str]:
    """What a command needs besides its environment to start services that have secrets."""
    return {VARIABLE: password()}
