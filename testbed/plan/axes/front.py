"""The axes of the section `front`: what stands before the servers."""

from dataclasses import replace

from testbed.plan.axes.words import cpus, number, or_none
from testbed.plan.axis import Axis, Form
from testbed.plan.fields import (
    Auth,
    Balance,
    Breaker,
    Cpus,
    Eject,
    EjectUs,
    Front,
    FrontCount,
    Queue,
    RateLimit,
    Retries,
    TryUs,
)
from testbed.units import format_us

API_KEY = "threadmill"
"""What a gateway asks for where it asks for a key. It keeps nobody out; it has to be looked at all the same."""


def _none_at_0(axis: Axis) -> Axis:
    """The same of an axis that is off at 0: the sweep file, tables and report call it `none` then."""
    return replace(
        axis,
        default_words="none",
        earlier=axis.usual,
        written=lambda value: axis.as_written(value) if value else "none",
        text=or_none(axis.shown),
        words=or_none(axis.words or axis.shown),
    )


AXES: tuple[Axis, ...] = (
    Axis(
        "front.kind",
        "front",
        Front,
        ("none",),
        "what stands before the replicas: none, dns (the name has several addresses), haproxy, nginx, nginx-cache, "
        "varnish, haproxy-http, envoy",
        asks="what spreads the load over the replicas. `dns`: their one name has all their addresses, and the load "
        "chooses. `haproxy`, `nginx`: a proxy of TCP connections in a container of its own. `nginx-cache`, `varnish`: "
        "a cache of HTTP there. `haproxy-http`, `envoy`: a gateway of HTTP. Those choose for each request. "
        "`front: dns` is short for it",
        earlier="none",
        excluded_as="front",
        left=True,
    ),
    Axis(
        "front.count",
        "fronts",
        FrontCount,
        (1,),
        "how many fronts stand side by side, each before all replicas; 1 also without a container of its own",
        asks="how many caches stand side by side, each with its own store and before all replicas; the load's "
        "connections take them in turn. More than one of nginx-cache and varnish alone",
        earlier=1,
        excluded_as="fronts",
    ),
    Axis(
        "front.cpus",
        "front_cpus",
        Cpus,
        (0.5,),
        "CPU limit of each front; 0 without a container of its own",
        asks="CPU limit of the proxy, of each where there are several",
        earlier=0.0,
        excluded_as="front_cpus",
        text=number,
        heading="front cpus",
        title="CPU limit of the front",
        words=cpus,
    ),
    Axis(
        "front.balance",
        "balance",
        Balance,
        ("roundrobin",),
        "how the front chooses a replica for a connection, or for a request; none without a container of its own",
        asks="how the proxy chooses a replica for a connection, or for a request: in turn; the one with the "
        "fewest; by the client's address; varnish in turn alone",
        earlier="none",
        left=True,
        title="balancing",
    ),
    Axis(
        "front.queue",
        "queue",
        Queue,
        ("server",),
        "where connections wait: in the servers' accept queues, or in one queue of the front; none without one",
        asks="where connections wait. `server`: the proxy hands them on at once. `front`: it gives a replica as many "
        "as that serves at once, and keeps the others in one queue; haproxy alone, and for models with a bound; "
        "gateways always do so for those",
        earlier="none",
        left=True,
        title="connections wait in the",
        words=lambda value: "front" if value == "front" else "servers",
    ),
    _none_at_0(
        Axis(
            "front.timeout",
            "front_timeout_us",
            TryUs,
            (0,),
            "how long envoy waits for a reply before it gives up this try; 0: for ever",
            asks="`envoy` alone: how long it waits for a reply to each try of a request, which it then answers "
            "with 504",
            excluded_as="front_timeout",
            heading="front\ntimeout",
            title="time-out of each try of the front",
        ),
    ),
    Axis(
        "front.retries",
        "retries",
        Retries,
        (0,),
        "how often envoy tries a request again that a server failed",
        asks="`envoy` alone: how often it tries a request again that was reset, timed out, or answered with 502, 503 "
        "or 504, each time at another replica where there is one",
        earlier=0,
        heading="front\nretries",
        title="further tries of the front",
    ),
    _none_at_0(
        Axis(
            "front.breaker",
            "breaker",
            Breaker,
            (0,),
            "requests that envoy has at all servers at once at most, further ones get 503; 0: no bound",
            asks="`envoy` alone: how many requests it has at all servers together at once; what is more is answered "
            "with 503 at once",
            title="circuit breaker of the front",
            words=lambda value: f"{value} requests",
        ),
    ),
    _none_at_0(
        Axis(
            "front.eject",
            "eject",
            Eject,
            (0,),
            "after how many errors in a row envoy gives a server nothing for some time; 0: never",
            asks="`envoy` alone: after how many errors in a row, time-outs and refused connections among them, it "
            "gives a server nothing for `eject_for`",
            title="errors in a row until a server is ejected",
        ),
    ),
    Axis(
        "front.eject_for",
        "eject_for_us",
        EjectUs,
        (3_000_000,),
        "for how long envoy ejects a server, times how often it has been; 0 where it never does",
        asks="with `eject`, for how long, times how often the server has been ejected",
        earlier=0,
        excluded_as="eject_for",
        heading="eject\nfor",
        text=or_none(format_us),
        title="a server is ejected for",
        words=or_none(format_us),
    ),
)

GATEWAY: tuple[Axis, ...] = (
    _none_at_0(
        Axis(
            "front.rate_limit",
            "rate_limit_rps",
            RateLimit,
            (0.0,),
            "requests per second that the gateway lets through, more are answered 429; 0: all",
            asks="with `haproxy-http` and `envoy`, how many requests per second go through, of all clients together; "
            "more are answered 429 at once",
            heading="rate\nlimit",
            text=number,
            title="rate limit",
            words=lambda value: f"{value:g} requests/s",
        ),
    ),
    Axis(
        "front.auth",
        "auth",
        Auth,
        ("none",),
        "key: the gateway answers 401 to a request without the key that the load shows; none without a gateway",
        asks="with `haproxy-http` and `envoy`, whether a request needs a key (`X-Api-Key`), without which it is "
        "answered 401",
        earlier="none",
        left=True,
        title="asks for",
        words=lambda value: "a key" if value == "key" else "nothing",
        form=Form("api_key", lambda auth: API_KEY if auth == "key" else "", lambda key: "key" if key else "none"),
    ),
)
