"""The axes of the server itself: which model, its limits, its pools."""

from servers.models import MODELS
from testbed.plan.axes.words import cpus, number, or_none
from testbed.plan.axis import Axis
from testbed.plan.fields import Counter, Cpus, LimitKind, MemoryBytes, Model, PoolSize, SwitchUs
from testbed.units import format_us

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
        words=cpus,
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
        "pools.switch_interval",
        "switch_interval_us",
        SwitchUs,
        (0,),
        "how long a thread may keep the interpreter's lock from one that wants it; 0: Python's own, 5 ms",
        asks="how long a thread may keep the interpreter's lock from one that wants it (`sys.setswitchinterval`). 0: "
        "Python's own, 5 ms",
        earlier=0,
        text=or_none(format_us),
        title="switch interval of the interpreter's lock",
        words=lambda value: format_us(value) if value else "Python's own",
    ),
    Axis(
        "pools.counter",
        "counter",
        Counter,
        ("own",),
        "to which count each request adds: own of the process or thread, or shared by all, under a lock",
        asks="to which count each request adds. `own`: to one of the process or thread that serves it. `shared`: to "
        "one of all besides, under a lock",
        earlier="own",
        title="count of requests",
        words=lambda value: "shared" if value == "shared" else "of each",
    ),
)
