"""Stacks: who is in them, what they may share, and that each measured service has a probe of its own."""

from dataclasses import replace

import pytest
import yaml

from testbed.parts import trial as parts
from testbed.stack import compose, server_services, system
from testbed.stack.compose import compose_text
from testbed.stack.naming import WEB_PORT
from testbed.stack.run import Run
from testbed.stack.services import Limits, Network, Service, Stack
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of

RUN = Run(**run_of({}))
TRIAL = trial_of("models: spst")
SERVER = server_services.servers(RUN, TRIAL)[0]
TWO = (replace(SERVER, name="spst-1"), replace(SERVER, name="spst-2"))
STACK = system.stack_of(RUN, MODELS, TRIAL, TWO)


def service(name: str, **about: object) -> Service:
    return replace(Service(name, "server", "image", "1:1", network=None), **about)  # type: ignore[arg-type]


def test_each_of_two_servers_has_a_probe_that_sees_its_processes_and_writes_under_its_name() -> None:
    probes = {probe.name: probe for probe in STACK.of_role("probe")}
    assert set(probes) == {"probe-spst-1", "probe-spst-2"}
    for name in ("spst-1", "spst-2"):
        assert probes[f"probe-{name}"].sees_processes_of == name
        assert probes[f"probe-{name}"].command[-1] == f"{TRIAL.trial_id}.{name}"
    assert [one.name for one in system.measured(STACK)] == ["spst-1", "spst-2"]
    assert [one.name for one in system.of_trial(STACK)] == ["spst-1", "spst-2", "probe-spst-1", "probe-spst-2"]


def test_the_files_of_one_server_alone_are_called_by_the_trial() -> None:
    (probe,) = parts.stack(RUN, MODELS, TRIAL).of_role("probe")
    assert probe.command[-1] == TRIAL.trial_id
    several = replace(TRIAL, cell=replace(TRIAL.cell, front="dns"))
    assert system.output_names(several, TWO[:1]) == {"spst-1": f"{TRIAL.trial_id}.spst-1"}


def test_two_servers_render_as_two_services() -> None:
    services = yaml.safe_load(compose_text(compose.project(STACK, {"load": "../../load"})))["services"]
    assert services["probe-spst-2"]["pid"] == "service:spst-2"
    assert services["spst-1"]["mem_limit"] == services["spst-2"]["mem_limit"] == TRIAL.cell.memory_bytes


def test_where_results_are_written_is_the_renderers_matter() -> None:
    stack = system.load_stack(RUN, MODELS)
    rendered = compose.project(stack, {"load": "/somewhere"})["services"]["locust"]["volumes"]
    assert rendered == [{"type": "bind", "source": "/somewhere", "target": "/results/load"}]
    with pytest.raises(KeyError):
        compose.project(stack, {})


def test_the_page_is_published_by_whoever_holds_the_network() -> None:
    assert system.load_stack(RUN, MODELS).publisher(WEB_PORT).name == "locust"
    shared = system.load_stack(replace(RUN, shared=True), MODELS)
    assert shared.publisher(WEB_PORT).name == "holder"
    # It has to be there before those who share what it holds.
    assert [one.name for one in shared.services] == ["holder", "locust", "worker"]
    with pytest.raises(ValueError, match="port 80 is not published"):
        shared.publisher(80)


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ((service("a"), service("a")), "services of one name: a, a"),
        ((service("a", sees_processes_of="b"),), "no service b"),
        (
            (service("a", in_network_of="b"), service("b", copies=2)),
            "a: cannot share with b, of which there are copies",
        ),
        ((service("a", network="back"),), "a: no network back"),
    ],
)
def test_a_stack_that_cannot_be_is_refused(services: tuple[Service, ...], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        Stack("p", services)


def test_a_network_other_than_the_default_is_said() -> None:
    stack = Stack("p", (service("a", network="back"),), (Network("back"),))
    assert compose.project(stack, {})["services"]["a"]["networks"] == ["back"]


@pytest.mark.parametrize(
    ("limits", "cpus"),
    [(Limits(), None), (Limits(cpus=0.5, processors="0-3"), 0.5), (Limits(processors="0-1,4"), 3.0)],
)
def test_cpus_that_can_be_used_follow_from_quota_or_processors(limits: Limits, cpus: float | None) -> None:
    assert limits.usable_cpus == cpus
