"""The sections `limits` and `pools` of a sweep file: what the server may use, and the sizes of what it is made of."""

from typing import Self

from pydantic import model_validator

from testbed.plan.fields import Counter, Cpus, LimitKind, MemoryBytes, PoolSize, SwitchUs, Values, not_allowed
from testbed.plan.sections import Strict, section


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
