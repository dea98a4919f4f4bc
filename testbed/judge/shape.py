"""What each concurrency model looks like from outside: processes, threads, and connections it serves at once. Pure."""

from dataclasses import dataclass

from servers.models import find, traits_of
from servers.models.traits import Size

# Connections that are echoed at once before the load, where the model serves as many.
MOST_CHECKED = 4


@dataclass(frozen=True)
class Shape:
    """How many processes a server consists of, and how many threads they have in total, main threads included."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{_counted(self.processes, 'process', 'processes')} with {_counted(self.threads, 'thread', 'threads')}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def is_known(model: str) -> bool:
    """Whether this is a model or a variant of one. A target of the web page may be any server at all."""
    return find(model) is not None


def serving_slots(model: str, workers: int, threads: int) -> int | None:
    """How many connections the model serves at once; the others wait in the backlog. None where it has no such limit,
    and where the size of its pool is given as 0: not known.

    KeyError for an unknown model.
    """
    return traits_of(model).slots_of(Size(workers, threads))


def surely_served(model: str, workers: int, threads: int) -> int | None:
    """How many connections are served at once wherever the kernel puts them: less than `serving_slots` where each
    worker has a queue of its own. None where there is no limit, or it is not known. KeyError for an unknown model.
    """
    return traits_of(model).surely_served(Size(workers, threads))


def checked_at_once(model: str, workers: int, threads: int) -> int:
    """On how many connections at once an echo is asked for before the load; 0: only on one. KeyError for an unknown
    model.
    """
    at_once = surely_served(model, workers, threads)
    return 0 if at_once == 1 else min(at_once or MOST_CHECKED, MOST_CHECKED)


def serves_in_threads(model: str) -> bool:
    """Whether several threads of one process serve. KeyError for an unknown model."""
    return traits_of(model).shares_a_process


def interpreters(model: str, workers: int) -> int | None:
    """How many Python interpreters serve, each with one lock: Python code runs on at most so many CPUs at once.

    None for a process per connection, and where the size of the pool is given as 0: not known. KeyError for an unknown
    model.
    """
    return traits_of(model).interpreters(Size(workers)) or None


def expected(model: str, connections: int, workers: int, threads: int) -> Shape:
    """The shape while `connections` are open, at least one of them served and no other opening or closing.

    The pools' shapes do not depend on the connections. An asyncio loop must not have started executor threads: that
    would be another model. KeyError for an unknown model.
    """
    traits, size = traits_of(model), Size(workers, threads, connections)
    return Shape(traits.processes(size), traits.threads(size))


def check(
    model: str, connections: int, workers: int, threads: int, observed_processes: int, observed_threads: int
) -> str:
    """Empty when the observed shape is the model's, else the reason: what was found and what the model has."""
    found, should = Shape(observed_processes, observed_threads), expected(model, connections, workers, threads)
    if found == should:
        return ""
    held = _counted(connections, "open connection", "open connections")
    return f"{model} with {held} has {should}, found {found}"
