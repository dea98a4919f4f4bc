"""The section `workload` of a sweep file: what one request asks of the server."""

from typing import Self

from pydantic import model_validator

from testbed.plan.fields import (
    CacheControl,
    Connection,
    Keys,
    Method,
    PayloadBytes,
    Protocol,
    Share,
    ThinkUs,
    ValueBytes,
    Values,
    WorkUs,
    Zipf,
    not_allowed_at,
)
from testbed.plan.sections import Strict, section


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
