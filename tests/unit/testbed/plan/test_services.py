"""Several services behind a gateway: what a sweep file may say of them, and what becomes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.parts import front
from testbed.plan import cells, fitting, services, trials
from testbed.plan.calibration import Work, kinds, work
from testbed.plan.fields import Machine
from testbed.plan.images import server_images
from testbed.plan.schema import Sweep
from testbed.plan.service_cells import service_cells
from testbed.plan.sweepfile import dump, parse
from testbed.stack import locust_api, server_services
from testbed.stack.run import Run
from tests.unit.testbed.stack.golden_cases import run_of

PATH = Path("t.yaml")
MACHINE = Machine(cpus=2, memory_bytes=2**30)
USUAL = """
name: services
models: spmt
limits: {cpus: 0.6, memory: 64MiB}
workload: {protocol: http, spin: 1ms}
front: {kind: envoy, cpus: 0.4}
services:
  reads: {model: thread-pool, share: 6, spin: 200us, cpus: 0.1}
  waits: {share: 3, sleep: 20ms, spin: 0ms}
"""
CALIBRATION = {"spin_units_per_ms": 1_000.0, "hash_rounds_per_ms": 10.0}


def sweep() -> Sweep:
    return parse(USUAL, PATH, MACHINE)


def test_each_service_is_a_cell_with_what_it_says_and_the_rest_of_its_trial() -> None:
    (cell,) = cells.cells(sweep())
    parts = service_cells(cell)
    reads, waits = parts["reads"], parts["waits"]
    assert (reads.model, reads.cpus, reads.spin_us, reads.sleep_us, reads.threads) == ("thread-pool", 0.1, 200, 0, 16)
    assert (waits.model, waits.cpus, waits.spin_us, waits.sleep_us, waits.threads) == ("spmt", 0.3, 0, 20_000, 0)
    assert fitting.cpus_of_all(cell) == pytest.approx(0.8)
    assert set(server_images(sweep())) == {"thread-pool-http", "spmt-http"}
    assert kinds(sweep()) == ("spin",)


def test_the_load_is_told_of_each_by_its_units() -> None:
    (cell,) = cells.cells(sweep())
    asked = work(cell, CALIBRATION)
    assert asked.services == {"reads": Work(200, 0), "waits": Work(0, 0)}
    assert locust_api.services_text(cell, asked) == "reads:6:spin=200,waits:3:sleep=20000"
    assert locust_api.services_text(replace(cell, services="none"), asked) == ""


def test_each_has_a_server_of_its_own_under_its_own_name() -> None:
    (trial,) = trials.trials(sweep())
    one, other = server_services.servers(Run(**run_of({})), trial)
    assert (one.name, one.image, one.limits.cpus) == ("thread-pool-1", "threadmill/thread-pool-http", 0.1)
    assert (other.name, other.image, other.limits.cpus) == ("spmt-2", "threadmill/spmt-http", 0.3)
    assert (one.aliases, other.aliases) == (("reads",), ("waits",))
    assert server_services.cell_of(trial.cell, "spmt-2").sleep_us == 20_000
    told = front.environment(trial.cell, (one.name, other.name))
    assert (told["SERVERS"], told["ROUTES"]) == ("reads waits", "on")
    assert one.environment["THREADS"] == "16"
    assert not (one.joins_later or other.joins_later)


def test_the_text_is_read_back_as_it_was_meant() -> None:
    text = cells.cells(sweep())[0].services
    assert services.text(services.of_text(text)) == text
    assert services.label(text) == "reads by thread-pool 6, waits 3"
    assert parse(dump(sweep()), PATH, MACHINE) == sweep()
    assert services.of_text("none") == ()


@pytest.mark.parametrize(
    ("without", "more", "says"),
    [
        ("front", "front: nginx", "t.yaml:.*: services: found services with front nginx, allowed: front haproxy-http"),
        ("", "replicas: {count: 2}", "services: found services with 2 replicas, allowed: 1 replica"),
        ("workload", "workload: {protocol: http, method: get}", "services: found services with method get"),
        ("", "behind: nats", "services: found services with nats"),
        ("  ", "services: {a: {read: true}, b: {}}", "services: found a that reads, allowed: with a store behind"),
        ("  ", "services: {a: {}}", "2 to 8 services"),
        ("  ", "services: {spmt: {}, b: {}}", "that is no model's and no part's"),
        ("  ", "services: {a: {share: 0}, b: {}}", "a number above 0, such as 3"),
        ("  ", "services: {a: {model: none}, b: {}}", "one of spst, spmt"),
        ("  ", "services: {a: {cpus: 9}, b: {}}", "this machine has 2 CPUs"),
        ("  ", "services: {a: {walk: 1}, b: {}}", "one of the keys share, model, cpus"),
        ("  ", "services: {a: {cpus: 1.5}, b: {cpus: 1}}", "2.9 in all, allowed: at most the 2 CPUs"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(without: str, more: str, says: str) -> None:
    text = "\n".join(
        line
        for line in USUAL.splitlines()
        if not (without and line.startswith(without)) and not (without == "  " and line.startswith("services"))
    )
    with pytest.raises(UserError, match=says) as refused:
        parse(f"{text}\n{more}\n", PATH, MACHINE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("front", "says"),
    [
        ("{kind: haproxy, rate_limit: 100}", "rate_limit and auth only with kind haproxy-http or envoy"),
        ("{kind: nginx, auth: key}", "rate_limit and auth only with kind haproxy-http or envoy"),
        ("{kind: envoy, rate_limit: 0.5}", "none, or requests per second, 1 to 1000000"),
        ("{kind: envoy, auth: password}", "'none' or 'key'"),
    ],
)
def test_only_gateways_limit_and_ask_for_keys(front: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse(f"name: t\nmodels: spmt\nworkload: {{protocol: http}}\nfront: {front}\n", PATH, MACHINE)


def test_without_a_gateway_there_is_no_limit_in_a_cell() -> None:
    both = "name: t\nmodels: spmt\nworkload: {protocol: http}\nlimits: {cpus: 0.5}\n"
    both += "front: {kind: [none, envoy], rate_limit: [none, 50], auth: key}\n"
    found = [(cell.front, cell.rate_limit_rps, cell.auth) for cell in cells.cells(parse(both, PATH, MACHINE))]
    assert found == [("none", 0.0, "none"), ("envoy", 0.0, "key"), ("envoy", 50.0, "key")]
