"""The exceptions that reach the user as a single line; what failed, in one; and steps that are all tried."""

import errno
import tempfile
import traceback
from collections.abc import Callable, Iterable


class UserError(Exception):
    """Something the user can put right. The message is one line: what was found, where, what is allowed, what helps."""


class Breakdown(Exception):
    """The testbed failed: neither the user's mistake nor what a trial has found. The message names what failed."""


class EngineError(Breakdown):
    """The container engine did not do what it was asked for."""


class EngineGone(EngineError):
    """The container engine does not answer, or was started afresh, which ends every container."""


# The machine's own doing, told whole by one line; any other exception may be a mistake of the program.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def attempt(*steps: Callable[[], object]) -> list[Exception]:
    """Try every step, whatever comes of those before it. Returns what failed, in order."""
    failed: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - handed back; what comes after has to be done all the same
            failed.append(error)
    return failed


def describe(error: BaseException) -> str:
    """One line: what failed, and where the traceback is of what nobody expected."""
    if isinstance(error, Breakdown | UserError):
        return "; ".join(str(error).splitlines())
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.strerror:
        line = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return line if error.errno in _NO_ROOM else line + _keep_traceback(error)
    told = str(error).strip().splitlines()
    return f"unexpected {type(error).__name__}{f': {told[0]}' if told else ''}{_keep_traceback(error)}"


def distinct(lines: Iterable[str]) -> list[str]:
    """Each line once, in order: a full disk or a dead engine is met at every step."""
    return list(dict.fromkeys(lines))


def _keep_traceback(error: BaseException) -> str:
    try:
        with tempfile.NamedTemporaryFile("w", prefix="threadmill-failure-", suffix=".txt", delete=False) as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return "; its traceback cannot be written"
    return f"; its traceback: {file.name}"
