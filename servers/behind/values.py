"""The value that belongs to a key and a version: whoever reads one can tell whether it is that."""

# Knuth's multiplier: neighbouring keys end far from each other, and evenly.
_SPREAD, _MODULUS = 2_654_435_761, 1 << 32


def value_of(key: int, version: int, size: int) -> str:
    """``KEY:VERSION:`` and as many ``x`` as make it ``size`` bytes; never cut."""
    return f"{key}:{version}:".ljust(size, "x")


def version_in(value: str, key: int, size: int) -> int | None:
    """The version that a value of this key says it has; None where it is no value of it."""
    _, _, rest = value.partition(":")
    version = rest.partition(":")[0]
    if not (version.isascii() and version.isdigit() and len(version) <= 19):
        return None
    return int(version) if value == value_of(key, int(version), size) else None


def may_be_cached(key: int, share: float) -> bool:
    """Whether a key is among that share of all."""
    return share >= 1 or key * _SPREAD % _MODULUS < share * _MODULUS
