"""A sidecar as a service of a trial: in its server's network, at its server's port, with a probe of its own."""

import json
from typing import Any

import pytest

from fronts import envoy_mesh, settings
from testbed.errors import UserError
from testbed.parts import manifests, sidecar
from testbed.parts import trial as parts
from testbed.parts.asking import Address, PartError
from testbed.parts.envoy import Envoy
from testbed.plan import fitting
from testbed.plan.images import proxies
from testbed.plan.trials import Trial
from testbed.stack import compose
from testbed.stack.naming import BEHIND_SIDECAR_PORT, SERVER_PORT
from testbed.stack.run import Run
from tests.unit.testbed.parts.answering import answering
from tests.unit.testbed.plan.test_fault import sweep
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of

RUN = Run(**run_of({}))
TWO = "models: spmt\nlimits: {cpus: 0.4}\nreplicas: {count: 2}\nfront: {kind: envoy, cpus: 0.4}\n"
HTTP = "workload: {protocol: http}\nsidecar: {kind: envoy, cpus: 0.2}\n"


def trial(of: str = TWO) -> Trial:
    return trial_of(of + HTTP)


def test_each_server_has_one_in_its_network_namespace_and_makes_room_for_it() -> None:
    stack = parts.stack(RUN, MODELS, trial())
    server, beside = stack.service("spmt-2"), stack.service("spmt-2-sidecar")
    assert (beside.role, beside.network, beside.in_network_of, beside.after) == (
        *("sidecar", None, "spmt-2"),
        ("spmt-2",),
    )
    assert server.environment["PORT"] == beside.environment["SERVER_PORT"] == str(BEHIND_SIDECAR_PORT)
    # Its page is one of the namespace's ports.
    assert server.published == (8404,) and beside.published == ()
    assert (beside.limits.cpus, beside.image) == (0.2, "threadmill/envoy")
    told = settings.read(dict(beside.environment))
    assert (told.servers, settings.PORT) == (("127.0.0.1",), SERVER_PORT)
    assert envoy_mesh.read(beside.environment).is_sidecar
    assert compose.project(stack, {"load": "load"})["services"]["spmt-2-sidecar"]["network_mode"] == "service:spmt-2"


def test_each_of_the_two_is_probed_at_its_own_port() -> None:
    stack = parts.stack(RUN, MODELS, trial())
    at = {name: stack.service(f"probe-{name}").command for name in ("spmt-1", "spmt-1-sidecar", "front")}
    assert at["spmt-1"][-2:] == ("--port", "8082")
    assert "--port" not in (*at["spmt-1-sidecar"], *at["front"])


def test_one_server_that_the_load_goes_straight_to_has_one_as_well() -> None:
    names = [one.name for one in parts.boxes(RUN, trial("models: spmt\nlimits: {cpus: 0.4}\n"))]
    assert names == ["spmt", "spmt-sidecar"]


def test_without_them_servers_are_as_ever() -> None:
    boxes = parts.boxes(RUN, trial_of(TWO + "workload: {protocol: http}\n"))
    assert [box.name for box in boxes] == ["spmt-1", "spmt-2", "front"]
    assert all("PORT" not in box.environment and not box.published for box in boxes[:2])


def test_their_cpus_and_their_image_are_counted() -> None:
    cell = trial().cell
    assert fitting.cpus_of_all(cell) == pytest.approx(0.4 + 2 * 0.2 + 0.4)
    assert not cell.is_direct and not trial("models: spmt\nlimits: {cpus: 0.4}\n").cell.is_direct
    assert sidecar.called("a") == "a-sidecar"


def test_a_sidecar_is_told_to_fail_or_to_wait_by_its_page() -> None:
    done = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n"
    with answering({"POST /runtime_modify": done}) as (port, asked):
        beside = Envoy(Address("a-sidecar", port))
        beside.fail(0.5)
        beside.delay(1_500, 1.0)
    assert [question.partition(" HTTP")[0] for question in asked] == [
        "POST /runtime_modify?fault.http.abort.abort_percent=50",
        "POST /runtime_modify?fault.http.delay.fixed_delay_percent=100&fault.http.delay.fixed_duration_ms=2",
    ]
    refused = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    with answering({"POST /": refused}) as (port, _), pytest.raises(PartError, match=r"^a-sidecar answers .* with 503"):
        Envoy(Address("a-sidecar", port)).fail(1.0)


def test_a_front_tells_which_servers_it_has_ejected() -> None:
    def host(name: str, **health: Any) -> dict[str, Any]:
        return {"hostname": name, "stats": [], "health_status": {"eds_health_status": "HEALTHY", **health}}

    hosts = [host("a-1"), host("a-2", failed_outlier_check=True)]
    body = json.dumps({"cluster_statuses": [{"name": "servers", "host_statuses": hosts}]})
    reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with answering({"GET /clusters": reply}) as (port, _):
        assert Envoy(Address("envoy", port)).ejected() == {"a-2"}


def test_a_sweep_builds_their_image_once() -> None:
    asked = sweep("sidecar: [none, envoy]\nworkload: {protocol: http}\n")
    assert proxies(asked) == ["envoy"]


def test_a_cluster_has_meshes_of_its_own() -> None:
    some = sweep("sidecar: [none, envoy]\nworkload: {protocol: http}\n")
    made = manifests.manifests(some, "1:1")
    assert made.cells == 1
    assert any(line.startswith("sidecar, fault: not written: 002-spmt-0.5cpu: sidecars are") for line in made.not_done)
    for every in ("sidecar: envoy\nworkload: {protocol: http}\n", "fault: {is: stopped, at: 1s}\n"):
        with pytest.raises(UserError, match=r"^sidecar, fault: found in every cell, allowed for Kubernetes: none"):
            manifests.manifests(sweep(every), "1:1")
