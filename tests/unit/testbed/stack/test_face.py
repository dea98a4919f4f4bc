"""Who is told of HTTP: servers, the load's API, and who only starts a cell. Of lines nobody is told more than ever."""

from typing import Any

import pytest
import yaml

from testbed.parts import trial as parts
from testbed.plan.trials import Trial
from testbed.results.findings import Findings
from testbed.run.checks import Checks
from testbed.stack import compose, face, locust_api, server_services
from testbed.stack.locust_api import Echo, Held, Load, Verified
from testbed.stack.naming import LOAD_STORE, MASTER
from testbed.stack.run import Run
from testbed.stack.swarm import stackfile
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of
from tests.unit.testbed.stack.kubernetes.written import container_of, of_text, option, pod_of

RUN = Run(**run_of({}))
HTTP = "models: spmt\nlimits: {cpus: 0.5}\nworkload: {protocol: http, cache_control: 'max-age=2, private=\"$HOME\"'}\n"
CACHED = 'max-age=2, private="$HOME"'


def trial(more: str = "") -> Trial:
    return trial_of(HTTP + more)


@pytest.mark.parametrize("more", ["", "behind: postgres", "replicas: {count: 2, cpus: each}\nfront: haproxy"])
def test_a_server_is_of_the_image_that_speaks_http_and_is_told_to(more: str) -> None:
    servers = [one for one in parts.boxes(RUN, trial(more)) if one.role == "server"]
    of_lines = parts.boxes(RUN, trial_of(f"models: spmt\nlimits: {{cpus: 0.5}}\n{more}"))
    lines = [one for one in of_lines if one.role == "server"]
    for server, other in zip(servers, lines, strict=True):
        assert server.image == "threadmill/spmt-http"
        assert server.environment == {**other.environment, "FACE": "http", "CACHE_CONTROL": CACHED}
        assert (server.name, server.aliases, server.limits) == (other.name, other.aliases, other.limits)


def test_an_image_that_stands_in_for_one_of_ours_is_told_as_well() -> None:
    run = Run(**run_of({"images": {"spmt": "example/mine"}}))
    (server,) = server_services.servers(run, trial())
    assert (server.image, server.environment["FACE"]) == ("example/mine", "http")
    own = Run(**run_of({"images": {"spmt": "example/mine", "spmt-http": "example/other"}}))
    assert server_services.servers(own, trial())[0].image == "example/other"


def test_without_cache_control_a_server_is_told_of_none() -> None:
    cell = trial_of("models: spmt\nworkload: {protocol: http}").cell
    assert face.of_server(cell) == {"FACE": "http"}
    assert face.of_server(trial_of("models: spmt").cell) == {}


def test_a_dollar_is_no_variable_of_compose_nor_of_a_swarm_nor_of_kubernetes() -> None:
    stack = parts.stack(RUN, MODELS, trial())
    said = compose.project(stack, {LOAD_STORE: "load"})["services"]["spmt"]["environment"]
    assert said["CACHE_CONTROL"] == 'max-age=2, private="$$HOME"'
    (server,) = server_services.servers(RUN, trial())
    roles: Any = {"server": "server", "load": "load"}
    images = {server.image: server.image}
    said = stackfile._service(server, images, {stackfile.node_role(server): next(iter(roles))}, "me")["environment"]
    assert said["CACHE_CONTROL"] == 'max-age=2, private="$$HOME"'


def test_a_cell_of_a_cluster_is_another_image_and_an_option_of_the_load() -> None:
    made = of_text("models: spmt\nworkload: {protocol: http, cache_control: max-age=2}\nlimits: {cpus: 0.5}")
    server = container_of(pod_of(made, "Deployment", "spmt"), "spmt")
    told = {one["name"]: one["value"] for one in server["env"]}
    assert server["image"] == "threadmill/spmt-http"
    assert (told["FACE"], told["CACHE_CONTROL"]) == ("http", "max-age=2")
    assert option(container_of(pod_of(made, "Job", MASTER), MASTER)["args"], "--protocol") == "http"
    (kustomization,) = yaml.safe_load_all(made.files["001-spmt-0.5cpu/kustomization.yaml"])
    assert "threadmill/spmt-http" in [image["name"] for image in kustomization["images"]]


def test_the_load_is_asked_for_the_protocol_of_the_trial() -> None:
    assert locust_api.form(trial(), locust_api.Work(0, 0), 1.0, 2.0)["protocol"] == "http"
    assert locust_api.form(trial_of("models: spmt"), locust_api.Work(0, 0), 1.0, 2.0)["protocol"] == "line"


class Asked(Load):
    """What its API is asked, with answers in which all is well."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def _call(self, method: str, path: str, timeout: float, **options: Any) -> dict[str, Any]:
        self.calls.append((path, options.get("params", {})))
        return {"ok": True, "replies": 1, "errors": 0, "connections": 1, "held": 1, "checks": [], "unanswered": 0}


def test_the_protocol_goes_to_every_route_that_asks_a_server() -> None:
    load = Asked()
    assert load.echo("spmt", "http") == Echo("", 1, reached=True)
    assert load.verify("spmt", 4, {"behind": "store"}, "http") == Verified([], 1, 1)
    assert load.hold("spmt", 3, "http") == Held(1, 1)
    assert load.calls == [
        ("/threadmill/echo", {"target": "spmt", "protocol": "http"}),
        ("/threadmill/verify", {"target": "spmt", "protocol": "http", "parallel": 4, "behind": "store"}),
        ("/threadmill/hold", {"target": "spmt", "protocol": "http", "connections": 3}),
    ]


class Servers:
    """Two that are what they are called."""

    servers = ("spmt-1", "spmt-2")

    def fail_if_ended(self, _: str) -> None: ...

    def shape_mismatch(self, *_: Any) -> str:
        return ""


def test_the_checks_before_the_load_speak_the_protocol_of_the_cell() -> None:
    load, found = Asked(), Findings(workers_expected=1)
    cell = trial("replicas: {count: 2, cpus: each}\nfront: dns").cell
    checks = Checks(load, Servers(), cell, found)  # type: ignore[arg-type]
    checks.wait_until_ready()
    checks.verify()
    assert checks.echo_of("spmt-2") == ""
    asked = [(path.rpartition("/")[2], told["target"]) for path, told in load.calls if told]
    assert asked[:3] == [("echo", "spmt-1"), ("echo", "spmt-2"), ("echo", "spmt")]
    assert {told["protocol"] for _, told in load.calls if told} == {"http"}
