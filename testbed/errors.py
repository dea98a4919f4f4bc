"""The exceptions that reach the user as a single line."""


class UserError(Exception):
    """Something the user can put right. The message is one line: what was found, where, what is allowed, what helps."""


class Breakdown(Exception):
    """The testbed failed: neither the user's mistake nor what a trial has found. The message names what failed."""


class EngineError(Breakdown):
    """The container engine did not do what it was asked for."""


class EngineGone(EngineError):
    """The container engine does not answer, or was started afresh, which ends every container."""
