"""What a model is, as one record beside its ``serve``: everything else in the tree that has to know reads it there."""

from collections.abc import Callable
from typing import NamedTuple

# Of a model's pool: what it consists of, and so which of WORKERS and THREADS counts.
WORKERS, THREADS = "workers", "threads"

# What threads are there for, where several models say the same.
ACCEPTS_AND_SERVES = "accepts and serves"
SERVES_ONE = "serves one connection"


class Size(NamedTuple):
    """What decides how many processes and threads there are. A pool that the model has not, or not known: 0."""

    workers: int = 0
    threads: int = 0
    connections: int = 0  # that are open, at least one of them served


class Roles(NamedTuple):
    """What each thread is there for, in a few words; empty where the model has none such.

    ``first`` and ``child``: the main threads of the first process and of those it forked; ``thread``: all others.
    """

    first: str
    child: str = ""
    thread: str = ""


def one(_: Size) -> int:
    return 1


def unlimited(_: Size) -> None:
    return None


class Traits(NamedTuple):
    """A model or variant. Not a dataclass, for the reason that ``config.Config`` is none.

    Its name is its file's, with a dash for each underscore; a variant's has a dash and its package behind that.
    """

    place: int  # in every list and every figure, from 1; a variant has its model's
    port: int  # of this machine, in docker-compose.yml
    about: str  # one line: what it is made of, a colon, who accepts and who serves
    roles: Roles
    processes: Callable[[Size], int]
    threads: Callable[[Size], int]  # of all processes together, main threads included
    slots: Callable[[Size], int | None]  # connections served at once, the next one waits; None: no such limit
    interpreters: Callable[[Size], int | None]  # that serve, each with a lock of its own; None: one per connection
    pool: str = ""  # WORKERS, THREADS or none
    sockets: Callable[[Size], int] = one  # that listen on the port, each with a queue of its own
    imports: tuple[str, ...] = ()  # modules that serving needs and describing does not, such as asyncio's
    package: str = ""  # of a variant: what it stands on that is not Python's
    base: str = ""  # of a variant: its model

    def on(self, package: str, port: int) -> "Traits":
        """The variant of this model that stands on another package."""
        about = self.about.replace("an asyncio", f"a {package}").replace("asyncio", package)
        return self._replace(port=port, about=about, imports=(*self.imports, package), package=package)

    @property
    def shares_a_process(self) -> bool:
        """Whether several threads of one process serve."""
        some = Size(2, 2, 2)
        return self.threads(some) > self.processes(some)

    def slots_of(self, size: Size) -> int | None:
        """Connections served at once; None where there is no such limit, or the pool's size is not known."""
        return self.slots(size) or None

    def surely_served(self, size: Size) -> int | None:
        """How many connections are served at once wherever the kernel puts them; None where all are.

        With several sockets on the port the kernel chooses by a hash of the addresses: two connections may wait for the
        same worker while another has none.
        """
        if self.slots(size) is None:
            return None
        return 1 if self.sockets(size) != 1 else self.slots_of(size)
