"""What each process and thread of a model is there for, in a few words."""

from servers.models import find


def role(model: str, is_first: bool, is_main_thread: bool) -> str:
    """Of a thread. Empty for a model that is not known here."""
    traits = find(model)
    if traits is None:
        return ""
    if not is_main_thread:
        return traits.roles.thread
    return traits.roles.first if is_first else traits.roles.child
