"""The one table of what a sweep can vary. Whatever else knows an axis is made of its entry here, by name.

That is: the key in the sweep file and in `exclude`, the crossed cells, the plan as printed, the columns, the tables,
the words of the report, what `compare` joins on, the form that Locust is sent, and a run from the web page. A new axis
is an entry here and a field of `cells.Cell`, and what takes it: a field of Locust's form (`form`), or the stack, which
reads the cell. A line in its section in `schema` is for code that reads a sweep's values of it by name.
"""

from typing import Any

from servers.models import MODELS
from testbed.plan.axis import Axis, Form, number
from testbed.plan.fields import (
    Arrivals,
    Connection,
    Cpus,
    Fraction,
    Holders,
    LimitKind,
    LoadLoop,
    MemoryBytes,
    Mode,
    Model,
    Network,
    PayloadBytes,
    PoolSize,
    Rate,
    ThinkUs,
    Users,
    WorkUs,
)


def _written_connection(value: str) -> str | dict[str, int]:
    return {"requests": int(value)} if value.isdigit() else value


def _connection(value: Any) -> str:
    known = {"persistent": "one for all requests", "per-request": "new for each request"}
    return known.get(str(value), f"new after {value} requests")


# In the order of a cell's fields, which is the order in which the plan crosses them: the last changes first.
AXES: tuple[Axis, ...] = (
    Axis(
        "models",
        "model",
        Model,
        MODELS,
        "concurrency model of the server",
        asks="which servers",
        default_words="all but variants",
        of_model=True,
        excluded_as="model",
        left=True,
    ),
    Axis(
        "limits.cpus",
        "cpus",
        Cpus,
        (1.0,),
        "CPU limit",
        asks="CPU limit of the server",
        text=number,
        title="CPU limit",
        words=lambda value: f"{value:g} CPU",
    ),
    Axis(
        "limits.memory",
        "memory_bytes",
        MemoryBytes,
        (128 * 2**20,),
        "memory limit; swap is off",
        heading="memory",
        title="memory limit",
    ),
    Axis(
        "limits.limit",
        "limit",
        LimitKind,
        ("quota",),
        "how the CPU limit is enforced: quota (CFS), cpuset (so many processors), both",
        asks="how `cpus` is enforced: CPU time per 100 ms (CFS); so many processors, whole `cpus` alone; both",
        left=True,
        title="limit enforced by",
    ),
    Axis(
        "pools.workers",
        "workers",
        PoolSize,
        None,
        "size of the pool of processes; 0 for models without one",
        asks="processes of the models that have a pool of them",
        default_words="the CPU limit rounded up, at least 2",
        absent=0,
        of_model=True,
    ),
    Axis(
        "pools.threads",
        "threads",
        PoolSize,
        (16,),
        "size of the pool of threads; 0 for models without one",
        asks="threads of the models that have a pool of them",
        of_model=True,
    ),
    Axis(
        "workload.sleep",
        "sleep_us",
        WorkUs,
        (0,),
        "wait per request, `!sleep`",
        asks="a wait in each request",
        heading="sleep",
        title="wait per request",
        told_in="work",
        form=Form("sleep_us"),
    ),
    # Locust is sent units of work for these two, which the sweep's calibration makes of them.
    Axis(
        "workload.spin",
        "spin_us",
        WorkUs,
        (0,),
        "CPU time per request with the interpreter's lock, `!spin`, as calibrated",
        asks="CPU time of each request with Python's interpreter lock held, calibrated once per sweep by the "
        "processors' typical speed",
        heading="spin",
        title="CPU work per request, holding the interpreter's lock",
        told_in="work",
    ),
    Axis(
        "workload.hash",
        "hash_us",
        WorkUs,
        (0,),
        "CPU time per request without the lock, `!hash`, as calibrated",
        asks="CPU time of each request without that lock, calibrated likewise",
        heading="hash",
        title="CPU work per request, without the interpreter's lock",
        told_in="work",
    ),
    Axis(
        "workload.payload",
        "payload_bytes",
        PayloadBytes,
        (64,),
        "payload after the directives",
        asks="bytes per request, after the directives",
        heading="payload",
        title="payload",
        told_in="work",
        form=Form("payload_bytes"),
    ),
    Axis(
        "workload.connection",
        "connection",
        Connection,
        ("persistent",),
        "persistent, per-request, or requests per connection",
        asks="how many requests a connection is kept for",
        written=_written_connection,
        left=True,
        title="connection",
        words=_connection,
        told_in="work",
        form=Form("connection"),
    ),
    Axis(
        "workload.think",
        "think_us",
        ThinkUs,
        (0,),
        "pause of a user between reply and next request",
        asks="closed loop: a user's pause between reply and next request",
        heading="think",
        title="pause of a user",
        told_in="load",
        form=Form("think_ms", lambda us: us / 1000, lambda ms: round(ms * 1000)),
    ),
    # Users come as Locust's own `user_count`, which is no option of a run.
    Axis(
        "load.users",
        "users",
        Users,
        (8,),
        "closed loop: users; open loop: the most requests in flight",
        asks="closed loop: users. Otherwise the most requests in flight, at least one for each of `load.workers`",
        default_words="8; 64 in the other modes",
        title="users",
        told_in="load",
    ),
    Axis(
        "load.idle_holders",
        "idle_holders",
        Holders,
        (0,),
        "silent connections held besides",
        asks="silent connections held besides; each is echoed one line when it comes. A trial whose server does not "
        "hold them all is invalid by the gate `held`, which says what ran out",
        heading="idle",
        title="idle connections",
        told_in="load",
        form=Form("idle_holders"),
    ),
    Axis(
        "load.mode",
        "mode",
        Mode,
        "closed",
        "closed, open, or the search the trial belongs to",
        asks="`closed`: users wait for their reply. `open`: requests start on a schedule. `capacity`: search the "
        "highest rate that holds `slo`. `relative`: then measure `at` shares of it",
        several=False,
        by_search=True,
        title="load",
        words=lambda value: f"{value} loop",
        told_in="load",
        form=Form("mode", lambda mode: "closed" if mode == "closed" else "open"),
    ),
    Axis(
        "load.rate",
        "rate_rps",
        Rate,
        None,
        "open loop: requests per second that were to be sent",
        asks="open loop: requests per second over all workers",
        default_words="needed with `open`",
        by_search=True,
        heading="rate",
        text=number,
        title="requests/s sent",
        told_in="load",
        form=Form("rate", lambda rate: rate or 0, lambda rate: rate or None),
    ),
    Axis(
        "load.arrivals",
        "arrivals",
        Arrivals,
        ("constant",),
        "open loop: constant or poisson",
        asks="open modes: when requests start",
        title="arrivals",
        told_in="load",
        form=Form("arrivals"),
    ),
    # The load loop. Neither the container engine nor a server's event loop.
    Axis(
        "load.engine",
        "engine",
        LoadLoop,
        ("fast",),
        "how a worker drives its connections: fast, all at once; plain, as so many users of Locust",
        asks="`fast`: a worker drives all its connections from one epoll. `plain`: each is an ordinary Locust user, "
        "for reading",
        earlier="plain",
        title="engine of the generator",
        form=Form("engine"),
    ),
    Axis(
        "load.precise",
        "precise",
        bool,
        False,
        "true when the generator spun before each intended start instead of being woken",
        asks="open modes with `engine: fast`: spin before each start, on a core of its own",
        several=False,
        earlier=False,
        title="precise starts",
        words=lambda value: "yes" if value else "no",
        form=Form("precise", lambda precise: str(precise).lower()),
    ),
    Axis(
        "network",
        "network",
        Network,
        ("bridge",),
        "bridge: over the engine's bridge; shared: server and load in one network namespace, over loopback",
        asks="`bridge`: over Docker's bridge, as between machines. `shared`: server and load in one network namespace, "
        "as in a pod",
        earlier="bridge",
        title="network",
    ),
    Axis(
        "load.at",
        "share",
        Fraction,
        None,
        "of a search: the part of the rate found in this block that was sent; repeats have it in common",
        asks="shares of the rate that was found",
        default_words="needed with `relative`",
        by_search=True,
        crossed=False,
        text=lambda value: f"{100 * value:g}%",
        title="share of the capacity found",
        words=lambda value: f"{100 * value:g} %",
    ),
)

BY_FIELD: dict[str, Axis] = {axis.field: axis for axis in AXES}
FIELDS: tuple[str, ...] = tuple(BY_FIELD)
OF_MODEL: tuple[str, ...] = tuple(axis.field for axis in AXES if axis.of_model)
