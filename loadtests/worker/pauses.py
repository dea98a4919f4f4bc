"""How long users wait after failures."""

SHORTEST_BACKOFF_S = 0.01
LONGEST_BACKOFF_S = 0.5
"""After failures a user waits before it connects again: a dead server must not be hammered, nor its return missed."""


def longer(pause_s: float) -> float:
    """The pause after one more failure in a row; 0 when the last request was answered."""
    return min(2 * pause_s or SHORTEST_BACKOFF_S, LONGEST_BACKOFF_S)
