"""The one exception that reaches the user as a single line."""


class UserError(Exception):
    """Something the user can put right. The message is one line: what was found, where, what is allowed, what helps."""
