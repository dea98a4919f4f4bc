"""Evidence of one server and its load workers, told in flat names; that of a good trial."""

import dataclasses
from typing import Any

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence

# What is told of the server, where its box calls it otherwise.
BY_NAME = {
    "cpus": "cpu_limit",
    "memory_bytes": "memory_limit_bytes",
    "server_served": "served",
    "server_said": "said",
    "server_ended": "ended",
    "server_steal_share": "steal_share",
}
_OF_BOX = {field.name for field in dataclasses.fields(Box)}
_OF_EVIDENCE = {field.name for field in dataclasses.fields(Evidence)}


def evidence(**flat: Any) -> Evidence:
    """Of one server called `server`; `generator` are the boxes of the load workers."""
    of_trial = {name: value for name, value in flat.items() if name in _OF_EVIDENCE}
    rest = {name: value for name, value in flat.items() if name not in _OF_EVIDENCE}
    return replace(Evidence(**of_trial, boxes=(Box("server", "server"),)), **rest)


def replace(given: Any, **changes: Any) -> Any:
    """As of dataclasses; what is a server's goes to every server of the evidence."""
    if not isinstance(given, Evidence):
        return dataclasses.replace(given, **changes)
    of_trial = {name: value for name, value in changes.items() if name in _OF_EVIDENCE}
    of_server = {BY_NAME.get(name, name): value for name, value in changes.items() if name not in _OF_EVIDENCE}
    generator = of_server.pop("generator", given.generator) or ()
    assert of_server.keys() <= _OF_BOX, of_server
    servers = tuple(dataclasses.replace(box, **of_server) for box in given.servers)
    return dataclasses.replace(given, **{"boxes": (*servers, *generator), **of_trial})


WORKER = Box("w1", "load worker", cpu_used_s=2.0, window_s=10.0, cpu_limit=None, throttled_periods=0)

# Eight users without think time on half a CPU: 800 replies a second, 9.95 ms each, the rest in the generator's hands.
GOOD = evidence(
    model="spmt",
    cpus=0.5,
    workers=2,
    threads=16,
    mode="closed",
    users=8,
    spin_us=500.0,
    isolated=True,
    machine_cpus=2,
    verification_failures=(),
    shape_mismatch="",
    workers_expected=1,
    workers_throughout=True,
    window_s=10.0,
    ok=8_000,
    failed=0,
    users_starved=0,
    service_time_mean_us=9_950.0,
    service_time_max_us=60_000.0,
    slice_ok=(800,) * 10,
    slice_p50_us=(9_900.0,) * 10,
    sent=10_000,
    total_ok=9_995,
    total_failures={"bad_echo": 0, "reset": 0, "connect": 0},
    total_in_flight=5,
    server_served=10_020,
    other_replies=20,
    generator=(WORKER,),
    server_steal_share=0.0,
    generator_steal_share=0.011,
    cpu_used_s=4.95,
    periods=100,
    throttled_periods=95,
    oom_kills=0,
    server_ended="",
    workers_replaced=0,
    packets_dropped=0,
    tracked_limit=262_144,
)
OPEN = replace(GOOD, mode="open", users=50, dispatch_lag_p99_us=900.0, achieved_over_offered=0.999)
# The same server with a limit it does not come near.
IDLE: dict[str, Any] = {"cpus": 4.0, "model": "mpst", "throttled_periods": 0}
