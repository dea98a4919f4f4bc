"""What a sweep is: the sections of a sweep file, validated. Durations are in microseconds, sizes in bytes."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from servers.models import MODELS
from testbed.plan.fields import (
    Arrivals,
    Axis,
    Connection,
    Cpus,
    Fraction,
    Generator,
    Holders,
    Imaged,
    LimitKind,
    MemoryBytes,
    Mode,
    Model,
    Network,
    PayloadBytes,
    Rate,
    ThinkUs,
    Users,
    WarmupUs,
    WindowUs,
    WorkerCpus,
    WorkUs,
    not_allowed,
    not_allowed_at,
    whole,
)

# Requests in flight at most in the open modes, unless a sweep says otherwise.
DEFAULT_IN_FLIGHT = 64

PoolSize = Annotated[int, whole(1, 1024)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Strict):
    """What the server may use. `limit` says how `cpus` is enforced: CFS quota, a set of processors, or both."""

    cpus: Axis[Cpus] = (1.0,)
    memory: Axis[MemoryBytes] = (128 * 2**20,)
    limit: Axis[LimitKind] = ("quota",)

    @model_validator(mode="after")
    def _whole_processors(self) -> Self:
        parts = [cpus for cpus in self.cpus if cpus != int(cpus)]
        if "cpuset" in self.limit and parts:
            raise not_allowed(
                f"whole cpus with limit cpuset (a processor cannot be divided; {parts[0]:g} needs quota or both)"
            )
        return self


class Pools(Strict):
    """Sizes of the pools, for the models that have one. Without `workers`: the CPU limit rounded up, at least 2."""

    workers: Axis[PoolSize] | None = None
    threads: Axis[PoolSize] = (16,)


class Workload(Strict):
    """What one request asks of the server, in microseconds: `sleep` waits, `spin` computes holding Python's global
    interpreter lock, `hash` computes without it. `think` is the user's own pause."""

    sleep: Axis[WorkUs] = (0,)
    spin: Axis[WorkUs] = (0,)
    hash: Axis[WorkUs] = (0,)
    payload: Axis[PayloadBytes] = (64,)
    connection: Axis[Connection] = ("persistent",)
    think: Axis[ThinkUs] = (0,)


class Slo(Strict):
    """What a rate must hold to be sustained: `p99` of latency from the intended start, in microseconds."""

    p99: WorkUs


class Load(Strict):
    """Who asks and when. In the open modes `users` is the most requests in flight. `worker_cpus` limits each worker.

    `engine`: how a worker drives its connections, all at once or as so many plain users of Locust. `precise`: it spins
    before each intended start instead of being woken, and needs a core to itself.
    """

    mode: Mode = "closed"
    users: Axis[Users] = (8,)
    workers: Annotated[int, whole(1, 64)] = 1
    worker_cpus: WorkerCpus | None = None
    idle_holders: Axis[Holders] = (0,)
    rate: Axis[Rate] | None = None
    arrivals: Axis[Arrivals] = ("constant",)
    engine: Axis[Generator] = ("fast",)
    precise: bool = False
    slo: Slo | None = None
    at: Axis[Fraction] | None = None

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_mode(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("mode", "closed") != "closed":
            return {"users": DEFAULT_IN_FLIGHT, **given}
        return given

    @model_validator(mode="after")
    def _what_the_mode_needs(self) -> Self:
        for name, modes in {"rate": ("open",), "slo": ("capacity", "relative"), "at": ("relative",)}.items():
            wanted, is_given = self.mode in modes, getattr(self, name) is not None
            if wanted and not is_given:
                raise not_allowed(f"{name} beside mode {self.mode}, which needs it")
            if is_given and not wanted:
                raise not_allowed(f"{name} only with mode {' or '.join(modes)}")
        if self.mode == "closed" and self.arrivals != ("constant",):
            raise not_allowed("arrivals only with the open modes: a closed loop has none")
        if self.precise and (self.mode == "closed" or self.engine != ("fast",)):
            raise not_allowed("precise only with the open modes and engine fast")
        return self


class Order(Strict):
    """The order of a block's cells; `canary` adds the first cell once more at the start of every block, `redo` measures
    what was disturbed once more at its end.
    """

    shuffle: bool = True
    canary: bool = False
    seed: Annotated[int, whole(0, 2**32 - 1)] = 1
    redo: Literal["disturbed"] | None = None


class Exclude(Strict):
    """A combination to leave out: every key that is given must match one of its values."""

    model: Axis[Model] | None = None
    cpus: Axis[Cpus] | None = None
    memory: Axis[MemoryBytes] | None = None
    limit: Axis[LimitKind] | None = None
    sleep: Axis[WorkUs] | None = None
    spin: Axis[WorkUs] | None = None
    hash: Axis[WorkUs] | None = None
    payload: Axis[PayloadBytes] | None = None
    connection: Axis[Connection] | None = None
    think: Axis[ThinkUs] | None = None
    users: Axis[Users] | None = None
    workers: Axis[PoolSize] | None = None
    threads: Axis[PoolSize] | None = None
    idle_holders: Axis[Holders] | None = None
    rate: Axis[Rate] | None = None
    arrivals: Axis[Arrivals] | None = None
    engine: Axis[Generator] | None = None
    network: Axis[Network] | None = None


class Sweep(Strict):
    """A validated sweep file. Every axis is a tuple; durations are in microseconds, sizes in bytes.

    `network`: over the engine's bridge, as between machines, or server and load in one network namespace, as in a pod.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    models: Axis[Model] = MODELS
    limits: Limits = Limits()
    pools: Pools = Pools()
    workload: Workload = Workload()
    load: Load = Load()
    network: Axis[Network] = ("bridge",)
    warmup: WarmupUs = 2_000_000
    duration: WindowUs = 10_000_000
    repeat: Annotated[int, whole(1, 1000)] = 1
    order: Order = Order()
    isolate: bool = True
    images: dict[Imaged, Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$")]] = {}
    exclude: tuple[Exclude, ...] = ()

    @model_validator(mode="after")
    def _a_window_can_hold_a_reply(self) -> Self:
        """A trial whose window is over before a reply can come is invalid by its plan."""
        work = self.workload
        parts = {"sleep": work.sleep, "spin": work.spin, "hash": work.hash}
        parts |= {"think": work.think} if self.load.mode == "closed" else {}
        longest = {name: max(values) for name, values in parts.items()}
        if sum(longest.values()) > self.duration:
            name = max(longest, key=lambda one: longest[one])
            raise not_allowed_at(
                ("workload", name, parts[name].index(longest[name])),
                f"a request and its pause of at most the duration, {self.duration / 1e6:g} s; here they take "
                f"{sum(longest.values()) / 1e6:g} s, so that a window may hold no reply",
            )
        for place, rate in enumerate(self.load.rate or ()):
            if rate * self.duration / 1e6 < 1:
                raise not_allowed_at(
                    ("load", "rate", place),
                    f"at least {1e6 / self.duration:g} with a duration of {self.duration / 1e6:g} s, so that a window "
                    "holds a request",
                )
        return self

    @model_validator(mode="after")
    def _what_the_load_can_do(self) -> Self:
        """What the load generator would refuse, trial by trial, is refused here."""
        load = self.load
        if load.mode == "closed":
            return self
        for place, think_us in enumerate(self.workload.think):
            if think_us:
                raise not_allowed_at(
                    ("workload", "think", place),
                    f"0 with mode {load.mode}: requests start on a schedule, nobody pauses between them",
                )
        for place, users in enumerate(load.users):
            if users < load.workers:
                raise not_allowed_at(
                    ("load", "users", place),
                    f"at least {load.workers} with mode {load.mode} and {load.workers} workers: they share the rate "
                    "equally, so each needs a user",
                )
        names = [f"{share * 100:g}" for share in load.at or ()]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise not_allowed_at(("load", "at", place), f"shares that differ: {name} % is there already")
        return self

    @field_validator("order")
    @classmethod
    def _no_redo_in_a_search(cls, order: Order, info: ValidationInfo) -> Order:
        load = info.data.get("load")
        if order.redo and load is not None and load.slo:
            raise not_allowed(
                f"redo only with load.mode closed or open (a search, {load.mode}, asks each rate more than once anyway)"
            )
        return order
