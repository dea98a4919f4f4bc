"""The section `load` of a sweep file: who asks and when, and what each mode needs of it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from testbed.plan.fields import (
    Arrivals,
    Dns,
    Fraction,
    Holders,
    LoadLoop,
    Mode,
    Rate,
    Spinners,
    Users,
    Values,
    WorkerCpus,
    WorkUs,
    not_allowed,
    whole,
)
from testbed.plan.profile import LoadProfile
from testbed.plan.sections import Strict, section, setting

# Requests in flight at most in the open modes, unless a sweep says otherwise.
DEFAULT_IN_FLIGHT = 64


class Slo(Strict):
    """What a rate must hold to be sustained: `p99` of latency from the intended start, in microseconds."""

    p99: WorkUs = Field(description="the objective: 99 % of the requests within this, from their start")


@section("load")
class Load(Strict):
    """Who asks and when. In the open modes `users` is the most requests in flight. `worker_cpus` limits each worker.

    `engine`: how a worker drives its connections, all at once or as so many plain users of Locust. `precise`: it spins
    before each intended start instead of being woken, and needs a core to itself.
    """

    mode: Mode
    users: Values[Users]
    workers: Annotated[int, whole(1, 64)] = setting(1, "Locust worker containers")
    worker_cpus: WorkerCpus | None = setting(None, "a CPU limit for each of them", "no limit")
    spinners: Values[Spinners]
    idle_holders: Values[Holders]
    rate: Values[Rate] | None
    profile: Values[LoadProfile] | None
    arrivals: Values[Arrivals]
    engine: Values[LoadLoop]
    precise: bool
    dns: Values[Dns] | None
    slo: Slo | None = setting(None, "what a rate must hold in a search", "needed in a search")
    at: Values[Fraction] | None
    objective: Slo | None = setting(
        None,
        "open loop: what the load is meant to hold, for the report to say how long and how often it did not",
        "none",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_mode(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("mode", "closed") != "closed":
            return {"users": DEFAULT_IN_FLIGHT, **given}
        return given

    @model_validator(mode="after")
    def _what_the_mode_needs(self) -> Self:
        if self.profile is not None and self.mode != "open":
            raise not_allowed(f"profile only with mode open, not {self.mode}")
        if self.profile is not None and self.rate is not None:
            raise not_allowed("rate or profile, not both: a profile says its rates itself")
        if self.objective is not None and self.mode != "open":
            raise not_allowed("objective only with mode open: a search has slo, and a closed loop waits for replies")
        for name, modes in {"rate": ("open",), "slo": ("capacity", "relative"), "at": ("relative",)}.items():
            wanted, is_given = self.mode in modes, getattr(self, name) is not None
            if wanted and not is_given and (name != "rate" or self.profile is None):
                needed = "rate or profile beside mode open, which needs one"
                raise not_allowed(needed if name == "rate" else f"{name} beside mode {self.mode}, which needs it")
            if is_given and not wanted:
                raise not_allowed(f"{name} only with mode {' or '.join(modes)}")
        if self.mode == "closed" and self.arrivals != ("constant",):
            raise not_allowed("arrivals only with the open modes: a closed loop has none")
        if self.mode != "closed" and self.spinners != (0,):
            raise not_allowed(f"spinners only with mode closed, not {self.mode}: whoever is idle sends what is due")
        if max(self.spinners) >= min(self.users):
            raise not_allowed(
                f"spinners below users, {min(self.users)}, and not {max(self.spinners)}: the others send the echoes"
            )
        if self.precise and (self.mode == "closed" or self.engine != ("fast",)):
            raise not_allowed("precise only with the open modes and engine fast")
        return self
