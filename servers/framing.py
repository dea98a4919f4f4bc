"""Lines out of a byte stream, without any input or output of its own."""


class LineSplitter:
    """Splits a byte stream into lines, each with its newline, holding at most ``max_line`` bytes back.

    However the stream is cut into pieces, the lines are the same. A line of more than ``max_line`` bytes (its newline
    not counted) ends the stream: ``too_long`` turns true and everything from that line on is dropped.
    """

    __slots__ = ("_held", "_max_line", "too_long")

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._held = bytearray()
        self.too_long = False

    @property
    def held_bytes(self) -> int:
        """Length of the unfinished line."""
        return len(self._held)

    def is_line(self, data: bytes) -> bool:
        """Whether ``data`` is a whole line and nothing else, so that ``feed`` would return just that."""
        return data.find(b"\n") == len(data) - 1 <= self._max_line and not self._held and not self.too_long

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, in order."""
        return [data] if data and self.is_line(data) else self._split(data)

    def _split(self, data: bytes) -> list[bytes]:
        lines: list[bytes] = []
        start = 0
        while not self.too_long:
            newline = data.find(b"\n", start)
            end = len(data) if newline < 0 else newline
            if len(self._held) + end - start > self._max_line:
                self.too_long = True
                self._held.clear()
            elif newline < 0:
                self._held += data[start:]
                break
            else:
                lines.append(bytes(self._held) + data[start : newline + 1])
                self._held.clear()
                start = newline + 1
        return lines
