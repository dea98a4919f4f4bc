"""What a sweep is: the sections of a sweep file, validated. Durations are in microseconds, sizes in bytes.

The keys without a default here are axes: their types, defaults and meanings come from the table of axes, and they stand
here for who reads them by name. The others say what they are themselves.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from testbed.plan import fault_values, scaling_fit
from testbed.plan.behind_values import Stands
from testbed.plan.fault_values import Faults
from testbed.plan.fields import (
    CACHES,
    GATEWAYS,
    OF_HTTP,
    QUEUEING,
    RESILIENT,
    Auth,
    Balance,
    Breaker,
    CacheControl,
    Connection,
    Counter,
    Cpus,
    Eject,
    EjectUs,
    FrontCount,
    Imaged,
    ImageName,
    Keys,
    LimitKind,
    MemoryBytes,
    Method,
    Model,
    Network,
    PayloadBytes,
    PoolSize,
    Protocol,
    Queue,
    RateLimit,
    ReplicaCount,
    ReplicaCpus,
    Retries,
    Share,
    SweepName,
    SwitchUs,
    ThinkUs,
    TryUs,
    ValueBytes,
    Values,
    WarmupUs,
    WindowUs,
    WorkUs,
    Zipf,
    not_allowed,
    not_allowed_at,
    whole,
)
from testbed.plan.fields import Front as FrontKind
from testbed.plan.fields import Sidecar as SidecarKind
from testbed.plan.load_section import Load
from testbed.plan.profile import misfit
from testbed.plan.scaling_values import Scales
from testbed.plan.sections import Strict, excluding, section, setting
from testbed.plan.services import Serves


@section("limits")
class Limits(Strict):
    """What the server may use. `limit` says how `cpus` is enforced: CFS quota, a set of processors, or both."""

    cpus: Values[Cpus]
    memory: Values[MemoryBytes]
    limit: Values[LimitKind]

    @model_validator(mode="after")
    def _whole_processors(self) -> Self:
        parts = [cpus for cpus in self.cpus if cpus != int(cpus)]
        if "cpuset" in self.limit and parts:
            raise not_allowed(
                f"whole cpus with limit cpuset (a processor cannot be divided; {parts[0]:g} needs quota or both)"
            )
        return self


@section("pools")
class Pools(Strict):
    """Sizes of the pools, for the models that have one, how threads switch, and what they share. Without
    `workers`: the CPU limit rounded up, at least 2."""

    workers: Values[PoolSize] | None
    threads: Values[PoolSize]
    switch_interval: Values[SwitchUs]
    counter: Values[Counter]


@section("workload")
class Workload(Strict):
    """What one request asks of the server, in microseconds: `sleep` waits, `spin` computes holding Python's global
    interpreter lock, `hash` computes without it. `think` is the user's own pause. `method` and `cache_control` are of
    HTTP alone. `keys` and what follows are of a store behind the server; `keys` and `zipf` of items as well."""

    sleep: Values[WorkUs]
    spin: Values[WorkUs]
    hash: Values[WorkUs]
    payload: Values[PayloadBytes]
    connection: Values[Connection]
    protocol: Values[Protocol]
    method: Values[Method]
    cache_control: Values[CacheControl]
    think: Values[ThinkUs]
    keys: Values[Keys]
    zipf: Values[Zipf]
    reads: Values[Share]
    scans: Values[Share]
    value: Values[ValueBytes]

    @model_validator(mode="after")
    def _what_only_http_has(self) -> Self:
        if "http" not in self.protocol and self.cache_control != ("none",):
            raise not_allowed_at(("cache_control",), "none without protocol http: a line has no headers")
        if "http" not in self.protocol and self.method != ("post",):
            raise not_allowed_at(("method",), "post without protocol http: a line has no method")
        return self


@section("replicas")
class Replicas(Strict):
    """Several containers of one server, and whether `limits.cpus` is for all of them together or for each."""

    count: Values[ReplicaCount]
    cpus: Values[ReplicaCpus]


@section("front")
class Front(Strict):
    """What spreads the load over the replicas, or answers for them. One name, or a list of them, stands for `kind`
    alone."""

    kind: Values[FrontKind]
    count: Values[FrontCount]
    cpus: Values[Cpus]
    balance: Values[Balance]
    queue: Values[Queue]
    timeout: Values[TryUs]
    retries: Values[Retries]
    breaker: Values[Breaker]
    eject: Values[Eject]
    eject_for: Values[EjectUs]
    rate_limit: Values[RateLimit]
    auth: Values[Auth]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        return _by_kind(given)

    @model_validator(mode="after")
    def _who_can_queue(self) -> Self:
        if self.queue == ("front",) and not set(self.kind) & set(QUEUEING):
            raise not_allowed(f"queue front only with kind {' or '.join(QUEUEING)}: no other has a queue of its own")
        if self.count != (1,) and not set(self.kind) & set(CACHES):
            raise not_allowed(f"count 1, or kind {' or '.join(CACHES)}: one of the others stands before all servers")
        if self.kind == ("varnish",) and self.balance != ("roundrobin",):
            raise not_allowed("balance roundrobin with kind varnish: it has no other here")
        if not set(self.kind) & set(GATEWAYS) and (self.rate_limit != (0.0,) or self.auth != ("none",)):
            raise not_allowed(f"rate_limit and auth only with kind {' or '.join(GATEWAYS)}")
        return self

    @model_validator(mode="after")
    def _who_is_resilient(self) -> Self:
        if set(self.kind) & set(RESILIENT):
            return self
        for name, off in {"timeout": "none", "retries": "0", "breaker": "none", "eject": "none"}.items():
            if any(getattr(self, name)):
                only = " or ".join(RESILIENT)
                raise not_allowed_at((name,), f"{off} without kind {only}: no other has that here")
        return self


@section("sidecar")
class Sidecar(Strict):
    """What stands beside each server and takes its requests. One name, or a list of them, stands for `kind` alone."""

    kind: Values[SidecarKind]
    cpus: Values[Cpus]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        return _by_kind(given)


def _by_kind(given: object) -> object:
    """A section of which a name, or a list of them, stands for its kind alone."""
    return {"kind": given} if isinstance(given, str | list) else given


class Order(Strict):
    """The order of a block's cells; `canary` adds the first cell once more at the start of every block, `redo` measures
    what was disturbed once more at its end.
    """

    shuffle: bool = setting(True, "whether a block's combinations come in random order")
    canary: bool = setting(False, "each block opens with the same combination, to tell the drift")
    seed: Annotated[int, whole(0, 2**32 - 1)] = setting(1, "of the shuffle")
    redo: Literal["disturbed"] | None = setting(
        None, "measure trials again under which a hypervisor took the processors away; not in a search", "none"
    )


@excluding
class Exclude(Strict):
    """A combination to leave out: every key that is given must match one of its values."""


@section("")
class Sweep(Strict):
    """A validated sweep file. Every axis is a tuple; durations are in microseconds, sizes in bytes.

    `network`: over the engine's bridge, as between machines, or server and load in one network namespace, as in a pod.
    """

    name: SweepName = Field(description="names the results directory")
    models: Values[Model]
    limits: Limits = Limits.model_validate({})
    pools: Pools = Pools.model_validate({})
    workload: Workload = Workload.model_validate({})
    load: Load = Load.model_validate({})
    network: Values[Network]
    replicas: Replicas = Replicas.model_validate({})
    front: Front = Front.model_validate({})
    sidecar: Sidecar = Sidecar.model_validate({})
    scaling: Values[Scales]
    behind: Values[Stands]
    fault: Values[Faults]
    services: Values[Serves]
    warmup: WarmupUs = setting(2_000_000, "before the window")
    duration: WindowUs = setting(10_000_000, "of the window")
    repeat: Annotated[int, whole(1, 1000)] = setting(1, "blocks: each holds every combination once")
    order: Order = Order()
    isolate: bool = setting(
        True, "server, load workers and the rest get processors of their own; `false` leaves them to the scheduler"
    )
    images: dict[Imaged, ImageName] = setting(
        {}, "another image in place of ours: `{MODEL: example/my-server}`", "ours"
    )
    exclude: tuple[Exclude, ...] = setting(
        (), "combinations to leave out: `[{model: MODEL, users: 32}]`. Every key that is given has to match", "none"
    )

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
        profiles = self.load.profile or ()
        for place, profile in enumerate(profiles):
            if said := misfit(profile, self.duration):
                raise not_allowed_at(("load", "profile", *([place] if len(profiles) > 1 else [])), said)
        return self

    @model_validator(mode="after")
    def _what_only_http_has_before_it(self) -> Self:
        speaks = [kind for kind in self.front.kind if kind in OF_HTTP]
        if speaks and "http" not in self.workload.protocol:
            raise not_allowed_at(
                ("front",), f"{speaks[0]} only with workload.protocol http: a line is nothing that it could read"
            )
        if "envoy" in self.sidecar.kind and "http" not in self.workload.protocol:
            raise not_allowed_at(
                ("sidecar",), "none without workload.protocol http: a line is nothing that it could read"
            )
        return self

    @model_validator(mode="after")
    def _who_has_several_addresses(self) -> Self:
        for place, dns in enumerate(self.load.dns or ()):
            if dns != "once" and "dns" not in self.front.kind:
                raise not_allowed_at(
                    ("load", "dns", place), "once without front dns: there the server's name has one address"
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

    @model_validator(mode="after")
    def _what_can_change_meanwhile(self) -> Self:
        for place, one in enumerate(self.scaling):
            if allowed := scaling_fit.misfit_in_time(one, self.load.mode, self.duration):
                raise not_allowed_at(("scaling", place), allowed)
        for place, one in enumerate(self.fault):
            if allowed := fault_values.misfit_in_time(one, self.load.mode, self.duration):
                raise not_allowed_at(("fault", place), allowed)
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
