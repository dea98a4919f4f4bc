"""The section `front` of a sweep file: what stands before the servers, and what each kind of it can do."""

from typing import Self

from pydantic import model_validator

from testbed.plan.fields import (
    CACHES,
    GATEWAYS,
    QUEUEING,
    RESILIENT,
    Auth,
    Balance,
    Breaker,
    Cpus,
    Eject,
    EjectUs,
    FrontCount,
    Queue,
    RateLimit,
    Retries,
    TryUs,
    Values,
    not_allowed,
    not_allowed_at,
)
from testbed.plan.fields import Front as FrontKind
from testbed.plan.sections import OfKinds, section


@section("front")
class Front(OfKinds):
    """What spreads the load over the replicas, or answers for them."""

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
