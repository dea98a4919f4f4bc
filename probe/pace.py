"""How often a measurement may be made, so that measuring stays cheap. Pure."""


class Pace:
    """Measurements at least `interval_s` apart, and further if they would cost more than `share` of one core."""

    def __init__(self, interval_s: float, share: float) -> None:
        self._interval_s = interval_s
        self._share = share
        self._due_unix = 0.0
        self._began_unix = 0.0
        self.longest_s = interval_s

    def is_due(self, now_unix: float) -> bool:
        return now_unix >= self._due_unix

    @property
    def due_unix(self) -> float:
        return self._due_unix

    def slow_down(self, interval_s: float) -> None:
        """From the last measurement on, at least this far apart."""
        if interval_s > self._interval_s:
            self._due_unix = max(self._due_unix, self._began_unix + interval_s)
            self._interval_s = interval_s
            self.longest_s = max(self.longest_s, interval_s)

    def made(self, began_unix: float, cost_s: float) -> None:
        """A measurement began then and took this much CPU time."""
        self._began_unix = began_unix
        interval_s = max(self._interval_s, cost_s / self._share)
        self.longest_s = max(self.longest_s, interval_s)
        # On a grid while it can be kept: a sample that is late does not make all later ones late.
        on_time = 0 < began_unix - self._due_unix < interval_s
        self._due_unix = (self._due_unix if on_time else began_unix) + interval_s
