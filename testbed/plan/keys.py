"""Every key of a sweep file in words: what is allowed, what stands where it is left out, what it means. Pure."""

from dataclasses import dataclass

from pydantic import BaseModel

from testbed.plan.schema import DEFAULT_IN_FLIGHT, Sweep

_REQUESTS = "`persistent`, `per-request`, or `{requests: N}`"
_WORK = "a duration from 0 to 10s"
# Allowed, default, meaning.
_TOLD: dict[str, tuple[str, str, str]] = {
    "name": ("lower-case letters, digits and hyphens, at most 41", "", "names the results directory"),
    "models": ("what `orchestrate.py models` lists", "all but variants", "which servers"),
    "limits.cpus": ("0.05 to the machine's CPUs", "1", "CPU limit of the server"),
    "limits.memory": ("16MiB to the machine's memory", "128MiB", "memory limit; swap is off"),
    "limits.limit": (
        "`quota`, `cpuset`, `both`",
        "quota",
        "how `cpus` is enforced: CPU time per 100 ms (CFS); so many processors, whole `cpus` alone; both",
    ),
    "pools.workers": (
        "1 to 1024",
        "the CPU limit rounded up, at least 2",
        "processes of the models that have a pool of them",
    ),
    "pools.threads": ("1 to 1024", "16", "threads of the models that have a pool of them"),
    "workload.sleep": (_WORK, "0", "a wait in each request"),
    "workload.spin": (
        _WORK,
        "0",
        (
            "CPU time of each request with Python's interpreter lock held, calibrated once per sweep by the "
            "processors' typical speed"
        ),
    ),
    "workload.hash": (_WORK, "0", "CPU time of each request without that lock, calibrated likewise"),
    "workload.payload": ("1B to 64KiB", "64B", "bytes per request, after the directives"),
    "workload.connection": (_REQUESTS, "persistent", "how many requests a connection is kept for"),
    "workload.think": ("a duration from 0 to 60s", "0", "closed loop: a user's pause between reply and next request"),
    "load.mode": (
        "`closed`, `open`, `capacity`, `relative`",
        "closed",
        (
            "`closed`: users wait for their reply. `open`: requests start on a schedule. `capacity`: search the "
            "highest rate that holds `slo`. `relative`: then measure `at` shares of it"
        ),
    ),
    "load.users": (
        "1 to 10000",
        f"8; {DEFAULT_IN_FLIGHT} in the other modes",
        "closed loop: users. Otherwise the most requests in flight, at least one for each of `load.workers`",
    ),
    "load.workers": ("1 to 64", "1", "Locust worker containers"),
    "load.worker_cpus": ("0.05 to 1", "no limit", "a CPU limit for each of them"),
    "load.idle_holders": (
        "0 to 10000",
        "0",
        (
            "silent connections held besides; each is echoed one line when it comes. A trial whose server does not "
            "hold them all is invalid by the gate `held`, which says what ran out"
        ),
    ),
    "load.rate": ("0.1 to 1000000", "needed with `open`", "open loop: requests per second over all workers"),
    "load.arrivals": ("`constant`, `poisson`", "constant", "open modes: when requests start"),
    "load.engine": (
        "`fast`, `plain`",
        "fast",
        (
            "`fast`: a worker drives all its connections from one epoll. `plain`: each is an ordinary Locust user, for "
            "reading"
        ),
    ),
    "load.precise": (
        "`true`, `false`",
        "false",
        "open modes with `engine: fast`: spin before each start, on a core of its own",
    ),
    "load.slo.p99": (_WORK, "needed in a search", "the objective: 99 % of the requests within this, from their start"),
    "load.at": ("shares from 0.01 to 2", "needed with `relative`", "shares of the rate that was found"),
    "network": (
        "`bridge`, `shared`",
        "bridge",
        (
            "`bridge`: over Docker's bridge, as between machines. `shared`: server and load in one network namespace, "
            "as in a pod"
        ),
    ),
    "warmup": ("a duration from 1s to 10m", "2s", "before the window"),
    "duration": ("a duration from 1s to 60m", "10s", "of the window"),
    "repeat": ("1 to 1000", "1", "blocks: each holds every combination once"),
    "order.shuffle": ("`true`, `false`", "true", "whether a block's combinations come in random order"),
    "order.canary": ("`true`, `false`", "false", "each block opens with the same combination, to tell the drift"),
    "order.seed": ("0 to 4294967295", "1", "of the shuffle"),
    "order.redo": (
        "`disturbed`",
        "none",
        "measure trials again under which a hypervisor took the processors away; not in a search",
    ),
    "isolate": (
        "`true`, `false`",
        "true",
        "server, load workers and the rest get processors of their own; `false` leaves them to the scheduler",
    ),
    "images": ("a mapping of names to images", "ours", "another image in place of ours: `{MODEL: example/my-server}`"),
    "exclude": (
        "a list of combinations",
        "none",
        "combinations to leave out: `[{model: MODEL, users: 32}]`. Every key that is given has to match",
    ),
}


@dataclass(frozen=True)
class Key:
    """One key of a sweep file. All in words, with Markdown's back quotes."""

    key: str
    allowed: str
    default: str
    meaning: str


def rows() -> list[Key]:
    """Every key, in the order of the schema."""
    return [Key(name, *_TOLD[name]) for name in _names(Sweep)]


def _names(section: type[BaseModel], before: str = "") -> list[str]:
    found: list[str] = []
    for name, field in section.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        inner = sections[0] if sections and name != "exclude" else None
        found += [f"{before}{name}"] if inner is None else _names(inner, f"{before}{name}.")
    return found
