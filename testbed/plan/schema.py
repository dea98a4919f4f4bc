"""What a sweep is: a sweep file, validated, and what its sections need of each other."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from testbed.plan import fault_values, scaling_fit
from testbed.plan.behind_values import Stands
from testbed.plan.fault_values import Faults
from testbed.plan.fields import (
    OF_HTTP,
    Imaged,
    ImageName,
    Model,
    Network,
    SweepName,
    Values,
    WarmupUs,
    WindowUs,
    not_allowed,
    not_allowed_at,
    whole,
)
from testbed.plan.profile import misfit
from testbed.plan.scaling_values import Scales
from testbed.plan.sections import Strict, excluding, section, setting
from testbed.plan.sections.front import Front
from testbed.plan.sections.load import Load
from testbed.plan.sections.replicas import Replicas, Sidecar
from testbed.plan.sections.server import Limits, Pools
from testbed.plan.sections.workload import Workload
from testbed.plan.services import Serves


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
