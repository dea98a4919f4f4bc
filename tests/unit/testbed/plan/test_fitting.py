"""Combinations of values that are right by themselves and cannot run together: each gets one line, at its place."""

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.plan import cells, fitting, sweepfile
from testbed.plan.fields import Machine

MACHINE = Machine(cpus=2, memory_bytes=2**30)


def refused(text: str) -> str:
    with pytest.raises(UserError) as error:
        sweepfile.parse(f"name: t\nmodels: spmt\n{text}\n", Path("t.yaml"), MACHINE)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "replicas: {count: 3}",
            "t.yaml:3: replicas.count: found 3 replicas with front none, allowed: front dns, haproxy, nginx",
        ),
        ("replicas: {count: [1, 2]}\nfront: [none, dns]", "t.yaml:3: replicas.count: found 2 replicas with front none"),
        ("network: shared\nfront: haproxy", "t.yaml:3: network: found shared and 1 replicas with front haproxy"),
        (
            "replicas:\n  count: 4\nfront: dns\nlimits: {cpus: 0.1}",
            "t.yaml:4: replicas.count: found 0.1 split into 4, 0.025 for each, allowed: at least 0.05 for each",
        ),
        (
            "replicas: {count: 4}\nfront: dns\nlimits: {cpus: 2, limit: cpuset}",
            "t.yaml:5: limits.limit: found cpuset and 0.5 for each of 4 replicas, allowed: whole cpus",
        ),
        (
            "replicas: {count: 4, cpus: each}\nfront: dns",
            "t.yaml:3: replicas.count: found 1 for each of 4, 4 in all, allowed: at most the 2 CPUs of this machine",
        ),
        (
            "replicas: {count: 2}\nfront: {kind: nginx, cpus: 0.25}\nlimits: {cpus: 2}",
            "t.yaml:3: replicas.count: found 1 for each of 2 and 0.25 for the front, 2.25 in all, allowed: at most",
        ),
        (
            "replicas: {count: 3}\nfront: dns\nlimits: {memory: 512MiB}",
            "t.yaml:3: replicas.count: found 512MiB for each of 3, 1.5GiB in all, allowed: at most the 1GiB",
        ),
        ("front: {kind: nginx, queue: front}", "t.yaml:3: front: found"),
        ("front: apache", "t.yaml:3: front: found 'apache', allowed: 'none', 'dns', 'haproxy', 'nginx',"),
        ("front: varnish", "t.yaml:3: front: found 'varnish', allowed: varnish only with workload.protocol http"),
        (
            "front: {kind: haproxy, count: 2}",
            "t.yaml:3: front: found {'kind': 'haproxy', 'count': 2}, allowed: count 1, or kind nginx-cache or varnish",
        ),
        (
            "front: {kind: varnish, count: 9}\nworkload: {protocol: http}",
            "t.yaml:3: front.count: found 9, allowed: a whole number from 1 to 8",
        ),
        (
            "front: {kind: varnish, count: 3, cpus: 1.5}\nworkload: {protocol: http}\nlimits: {cpus: 0.5}",
            "t.yaml:1: replicas.count: found 0.5 for each of 1 and 1.5 for each of 3 fronts, 5 in all,",
        ),
        (
            "front: [none, nginx-cache]\nworkload: {protocol: [line, http]}\nlimits: {cpus: 0.5}",
            "t.yaml:3: front: found nginx-cache and protocol line, allowed: protocol http (a line is nothing that it",
        ),
        (
            "front: {kind: varnish, balance: leastconn}\nworkload: {protocol: http}\nlimits: {cpus: 0.5}",
            "t.yaml:3: front: found",
        ),
        (
            "front: {kind: [haproxy, varnish], balance: leastconn}\nworkload: {protocol: http}\nlimits: {cpus: 0.5}",
            "t.yaml:3: front: found varnish and balance leastconn, allowed: roundrobin",
        ),
        ("workload: {method: get}", "t.yaml:3: workload.method: found 'get', allowed: post without protocol http"),
        (
            "workload: {method: get, protocol: http, reads: 0.5}\nbehind: postgres\nlimits: {cpus: 0.5}",
            "t.yaml:3: workload.method: found get with reads 0.5 and scans 0, allowed: reads 1 and scans 0",
        ),
        (
            "workload: {method: get, protocol: http}\nbehind: nats\nlimits: {cpus: 0.5}",
            "t.yaml:3: workload.method: found get and nats, 0.3 CPU, 1 subscriber, allowed: post",
        ),
        (
            "front: {kind: nginx-cache, queue: front}\nworkload: {protocol: http}",
            "t.yaml:3: front: found",
        ),
        (
            "front: {haproxy: {cpus: 0.1}}",
            "t.yaml:3: front.haproxy: unknown key, allowed: kind, count, cpus, balance, queue",
        ),
    ],
)
def test_what_cannot_run_together_is_refused_in_a_line(text: str, said: str) -> None:
    assert refused(text).splitlines()[0].startswith(said), refused(text)


def test_a_combination_that_is_left_out_is_not_asked_for() -> None:
    text = "name: t\nreplicas: {count: [1, 2]}\nfront: [none, dns]\nexclude: [{replicas: 2, front: none}]\n"
    sweep = sweepfile.parse(text, Path("t.yaml"), MACHINE)
    assert fitting.misfit(sweep, MACHINE) == ("", "")
    assert {(cell.replicas, cell.front) for cell in cells.cells(sweep)} == {(1, "none"), (1, "dns"), (2, "dns")}


def test_what_means_nothing_in_a_combination_makes_no_two_of_it() -> None:
    text = (
        "name: t\nmodels: [spmt, thread-pool]\nlimits: {cpus: 0.5}\nreplicas: {count: [1, 2], cpus: [split, each]}\n"
        "front: {kind: [dns, haproxy, nginx], cpus: 0.25, balance: [roundrobin, leastconn], queue: [server, front]}\n"
    )
    found = cells.cells(sweepfile.parse(text, Path("t.yaml"), MACHINE))
    of_dns = [cell for cell in found if cell.front == "dns" and cell.model == "spmt"]
    assert [(c.replicas, c.replica_cpus, c.front_cpus, c.balance, c.queue) for c in of_dns] == [
        (1, "split", 0.0, "none", "none"),
        (2, "split", 0.0, "none", "none"),
        (2, "each", 0.0, "none", "none"),
    ]
    # Only HAProxy has a queue, and only what serves so many at once and no more lets connections wait there.
    assert {(c.model, c.front) for c in found if c.queue == "front"} == {("thread-pool", "haproxy")}
    assert {c.cpus_of_each for c in found if c.replica_cpus == "each"} == {0.5}
    assert {c.cpus_of_each for c in found if c.replica_cpus == "split" and c.replicas == 2} == {0.25}
    assert {fitting.cpus_of_all(c) for c in found if c.front == "nginx"} == {0.75, 1.25}


SWARM = Machine(cpus=2, memory_bytes=2**30, networks=("overlay",))
MANAGER = Machine(cpus=2, memory_bytes=2**30, networks=("bridge", "shared", "overlay"))


@pytest.mark.parametrize(
    ("text", "machine", "said"),
    [
        ("network: shared", SWARM, "t.yaml:3: network: found shared, allowed: overlay (a network namespace is of one"),
        ("network: [overlay, bridge]", SWARM, "t.yaml:3: network: found bridge, allowed: overlay (a bridge is of one"),
        ("network: overlay", MACHINE, "t.yaml:3: network: found overlay, allowed: bridge, shared (an overlay needs"),
    ],
)
def test_what_an_engine_does_not_have_is_refused_at_its_place(text: str, machine: Machine, said: str) -> None:
    with pytest.raises(UserError) as error:
        sweepfile.parse(f"name: t\nmodels: spmt\n{text}\n", Path("t.yaml"), machine)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(("machine", "network"), [(MACHINE, "bridge"), (MANAGER, "bridge"), (SWARM, "overlay")])
def test_a_sweep_that_names_no_network_gets_the_usual_one(machine: Machine, network: str) -> None:
    assert sweepfile.parse("name: t\nmodels: spmt\n", Path("t.yaml"), machine).network == (network,)
