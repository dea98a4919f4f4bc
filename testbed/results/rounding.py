"""Numbers as tables hold them. None is "not known"."""


def rounded(value: float | None, digits: int) -> float | None:
    """It to so many decimals; None stays None."""
    return None if value is None else round(value, digits)
