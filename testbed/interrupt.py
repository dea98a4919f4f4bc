"""Ctrl-C and SIGTERM: an interrupt while work is done, patience while it is tidied up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class _Deferral:
    active: bool = False
    pending: bool = False


_deferral = _Deferral()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if _deferral.active:
        _deferral.pending = True
        return
    # The first one ends the work; a second must not cut short what the first began to tidy up.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the first of SIGNALS raises KeyboardInterrupt; a single `finally` serves all. More are ignored."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, an interrupt waits until the end: nothing that was just started may be lost before it has a name."""
    _deferral.active = True
    try:
        yield
    finally:
        _deferral.active = False
        if _deferral.pending:
            _deferral.pending = False
            _interrupt(signal.SIGINT, None)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, SIGNALS are ignored, also the first one."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
