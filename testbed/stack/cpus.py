"""The machine's cores, and disjoint CPU sets for the server, the load generator and the rest.

The unit is the core: hardware threads of one core share its execution units, so a set boundary between them would
isolate nothing. Source: the kernel's admin-guide/cputopology.rst. Only `read` touches files.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Core:
    """One core: its usable hardware threads (CPU numbers, rising) and the socket it is on."""

    cpus: tuple[int, ...]
    package: int = 0


@dataclass(frozen=True)
class Topology:
    """The cores with at least one usable CPU, by socket, then by their first CPU.

    Not `told`: only how many CPUs there are is known, and each stands for a core.
    """

    cores: tuple[Core, ...]
    told: bool = True

    @property
    def cpus(self) -> frozenset[int]:
        return frozenset(cpu for core in self.cores for cpu in core.cpus)


@dataclass(frozen=True)
class CpuSets:
    """Who runs where, each set as `cpuset` takes it ("0-1,4"); None where nothing can be pinned.

    isolated: the server shares no core with the generator or the rest; None where that is not known. What could not be
    kept apart has one line each in notes. Programs that are not the testbed's run where they like.
    """

    server: str | None
    generator: str | None
    rest: str | None
    isolated: bool | None
    notes: tuple[str, ...]
    load_rest: str | None = None
    """What is beside the load workers, where that is another machine than the server's; None: the rest, too."""

    @property
    def beside_load(self) -> str | None:
        """Where Locust's master runs."""
        return self.load_rest or self.rest


UNPINNED = CpuSets(server=None, generator=None, rest=None, isolated=False, notes=("nothing is pinned: isolate is off",))


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """CPU numbers from the kernel's list form, such as `0-3,8`; none from an empty text. ValueError otherwise."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cpus))


def format_cpu_list(cpus: Iterable[int]) -> str:
    """The inverse of `parse_cpu_list`, with ranges where numbers follow each other."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def elsewhere(cpus: int) -> Topology:
    """Of a machine that says only how many CPUs it has: nothing of this one is taken for it."""
    return Topology(tuple(Core((cpu,)) for cpu in range(cpus)), told=False)


def read(root: Path = Path("/sys")) -> Topology:
    """The online cores of this machine. Without cores where the kernel does not tell.

    A CPU whose siblings are not told counts as a core of its own.
    """
    directory = root / "devices/system/cpu"
    online = set(parse_cpu_list(_text(directory / "online")))
    cores: dict[tuple[int, ...], Core] = {}
    for cpu in sorted(online):
        topology = directory / f"cpu{cpu}/topology"
        siblings = online & {*parse_cpu_list(_text(topology / "thread_siblings_list")), cpu}
        threads = tuple(sorted(siblings))
        cores[threads] = Core(
            cpus=threads,
            package=int(_text(topology / "physical_package_id") or 0),
        )
    return Topology(tuple(sorted(cores.values(), key=lambda core: (core.package, core.cpus))))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def partition(topology: Topology, server_cpus: float, generator_workers: int) -> CpuSets:
    """CPU sets for a server that may use `server_cpus` CPUs and for load workers that may use one CPU each.

    The server comes first, then the generator, then the rest (Locust's master, the probe). The server gets exactly the
    CPUs of its limit, rounded up, on as few cores as hold them; a thread left over on its last core stays idle. It gets
    the last cores of the machine, because kernels put interrupts and housekeeping on the first.
    """
    if not topology.cores:
        return CpuSets(None, None, None, False, ("nothing is pinned: this machine does not tell its CPU topology",))
    notes: list[str] = []
    if not topology.told:
        notes.append(
            f"the engine is on another machine, of which only the number of CPUs is known ({len(topology.cpus)}): "
            "which of them are hardware threads of one core is not known"
        )
    wanted, there = math.ceil(server_cpus), len(topology.cpus)
    if wanted > there:
        notes.append(f"the server may use {wanted} CPUs, but only {there} can be given to it")

    server_cores, left = _take(topology.cores, wanted)
    server = [cpu for core in server_cores for cpu in core.cpus][:wanted]
    # Cores of one thread among cores of two: a whole one may be left over at the end.
    unused = tuple(core for core in server_cores if not set(core.cpus) & set(server))
    server_cores, left = tuple(core for core in server_cores if core not in unused), (*left, *unused)
    generator_cores, rest_cores = _take(left, generator_workers)
    if generator_cores:
        generator = _cpus(generator_cores)
    else:
        # No core is left over. A free thread of the server's core still spares the scheduler the choice.
        generator = sorted(topology.cpus - set(server)) or sorted(topology.cpus)
        notes.append(_shared(server, generator))
    rest = _cpus(rest_cores) or generator
    if not rest_cores and generator_cores:
        notes.append(f"Locust's master and the probe share {_named(generator)} with the load workers")
    if generator_workers > len(generator):
        notes.append(f"{generator_workers} load workers share {_named(generator)}")
    if len({core.package for core in server_cores}) > 1:
        notes.append(f"{_named(server)} of the server are on more than one socket")
    return CpuSets(
        server=format_cpu_list(server),
        generator=format_cpu_list(generator),
        rest=format_cpu_list(rest),
        isolated=None if generator_cores and not topology.told else bool(generator_cores),
        notes=tuple(notes),
    )


def across(server_machine: int, load_machine: int, server_cpus: float, workers: int) -> CpuSets:
    """The same where servers and load are on machines of their own, with so many CPUs each; `workers` are those of one
    machine.

    The server gets the last CPUs of its machine, the probe the others. The load workers get none of the same numbers
    where the others are enough: then machines that are one in truth, as in a test, share nothing either.
    """
    wanted = min(math.ceil(server_cpus), server_machine)
    server = range(server_machine - wanted, server_machine)
    beside = range(server_machine - wanted)
    others = [cpu for cpu in range(load_machine) if cpu not in server]
    there = others if len(others) >= workers else list(range(load_machine))
    generator = there[-workers:]
    left = [cpu for cpu in range(load_machine) if cpu not in generator]
    notes = ["of other machines only the number of CPUs is known: which are hardware threads of one core is not"]
    if math.ceil(server_cpus) > server_machine:
        notes.append(f"the server may use {math.ceil(server_cpus)} CPUs, but its machine has {server_machine}")
    if not beside:
        notes.append(f"server and probe share {_named(server)}")
    if not left:
        notes.append(f"Locust's master shares {_named(generator)} with the load workers")
    if workers > len(generator):
        notes.append(f"{workers} load workers share {_named(generator)}")
    return CpuSets(
        server=format_cpu_list(server),
        generator=format_cpu_list(generator),
        rest=format_cpu_list(beside or server),
        isolated=None if beside else False,
        notes=tuple(notes),
        load_rest=format_cpu_list(left or generator),
    )


def _take(cores: Sequence[Core], cpus: int) -> tuple[tuple[Core, ...], tuple[Core, ...]]:
    """Whole cores from the end until they hold `cpus` CPUs, at least one where there is one; and what is left."""
    first = len(cores)
    while first > 0 and (first == len(cores) or len(_cpus(cores[first:])) < cpus):
        first -= 1
    return tuple(cores[first:]), tuple(cores[:first])


def _cpus(cores: Iterable[Core]) -> list[int]:
    return sorted(cpu for core in cores for cpu in core.cpus)


def _named(cpus: Iterable[int]) -> str:
    text = format_cpu_list(cpus)
    return f"CPU {text}" if text.isdigit() else f"CPUs {text}"


def _shared(server: Sequence[int], generator: Sequence[int]) -> str:
    if common := set(server) & set(generator):
        return f"server, load workers and the rest share {_named(common)}: too few CPUs to keep them apart"
    return (
        f"{_named(server)} of the server and {_named(generator)} of the load workers are hardware threads "
        "of the same cores: each slows the other"
    )
