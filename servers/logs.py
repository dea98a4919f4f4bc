"""Log lines on standard output, each written by one system call so that lines of many processes stay whole."""

import contextlib
import os

# A line of up to PIPE_BUF bytes (4096 on Linux) is written to a pipe in one piece; the hex form needs three per byte.
SHOWN_BYTES = 512
_STANDARD_OUTPUT = 1

_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


def info(message: str) -> None:
    _write(f"[INFO] {message}\n")


def last(report: str, message: str) -> None:
    """Log the exit report, one line of JSON, and a message: the last two lines, whatever other threads still do."""
    with contextlib.suppress(OSError):  # no descriptor left for it: then as good as can be
        kept, nowhere = os.dup(_STANDARD_OUTPUT), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STANDARD_OUTPUT)
        _write(f"[REPORT] {report}\n[INFO] {message}\n", kept)
        return
    _write(f"[REPORT] {report}\n[INFO] {message}\n")


def failure(what: str) -> None:
    """Log the exception that is being handled, on one line."""
    import traceback  # here, because what is never needed would be copied by every fork

    info(f"{what}: {' '.join(traceback.format_exc().split())}")


def packet(direction: str, data: bytes) -> None:
    """Log bytes that were received or sent, as hex and as ASCII."""
    _write("".join(f"[PACKET] {line}\n" for line in packet_lines(direction, data)))


def packet_lines(direction: str, data: bytes) -> tuple[str, str]:
    """The two forms of ``data``: hex with every byte, ASCII without the line's end; long data is cut and says so."""
    cut = f" ... ({len(data)} bytes)" if len(data) > SHOWN_BYTES else ""
    shown = data[:SHOWN_BYTES]
    text = shown.rstrip(b"\r\n").translate(_PRINTABLE).decode("ascii")
    return f"{direction}: {shown.hex(' ')}{cut}", f"{direction} (ASCII): {text}{cut}"


def _write(text: str, descriptor: int = _STANDARD_OUTPUT) -> None:
    with contextlib.suppress(OSError):  # nobody reads the log any more: serving goes on
        left = text.encode("utf-8", "backslashreplace")
        while left:  # a signal can cut a write that is longer than the pipe has room for
            left = left[os.write(descriptor, left) :]
