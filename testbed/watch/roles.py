"""What each process and thread of a model is there for, in a few words. Pure."""

from dataclasses import dataclass

from servers.models import base

SERVES_ONE = "serves one connection"
ACCEPTS_AND_SERVES = "accepts and serves"


@dataclass(frozen=True)
class Roles:
    """Empty where the model has none. `first` and `child`: the main threads of PID 1 and of the processes it forked."""

    first: str
    child: str = ""
    thread: str = ""


ROLES = {
    "spst": Roles(ACCEPTS_AND_SERVES),
    "spmt": Roles("accepts, starts threads", thread=SERVES_ONE),
    "mpst": Roles("accepts, forks", child=SERVES_ONE),
    "mpmt": Roles("keeps its workers", child="accepts, starts threads", thread=SERVES_ONE),
    "thread-pool": Roles("keeps its threads", thread=ACCEPTS_AND_SERVES),
    "prefork": Roles("keeps its workers", child=ACCEPTS_AND_SERVES),
    "event-loop": Roles("loop: accepts and serves"),
    "prefork-event-loop": Roles("keeps its workers", child="loop: accepts and serves"),
}


def role(model: str, is_first: bool, is_main_thread: bool) -> str:
    """Of a thread. Empty for a model that is not known here."""
    # A variant does the same in another loop.
    roles = ROLES.get(base(model))
    if roles is None:
        return ""
    if not is_main_thread:
        return roles.thread
    return roles.first if is_first else roles.child
