"""The rendered project carries the limits of its trial, the label that removes it, and no privileges."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.parts import trial as parts
from testbed.plan import trials
from testbed.plan.sweepfile import Machine, parse
from testbed.plan.trials import Trial
from testbed.stack import compose, load_services, system
from testbed.stack.cpus import UNPINNED, CpuSets
from testbed.stack.run import Run
from testbed.stack.services import RUN_LABEL
from tests.unit.testbed.stack.golden_cases import run_of, trial_of

SETS = CpuSets(server="2-3", generator="1", rest="0", isolated=True, notes=())
RUN = Run("a-2026-ab12", "threadmill-a-2026-ab12", "1000:1000", 2, SETS)
TRIAL = trials.trials(
    parse("name: a\nmodels: event-loop\nlimits: {cpus: 0.25, memory: 64MiB}\n", Path("a.yaml"), Machine(2, 2**33))
)[0]
MODELS = ["spst", "event-loop"]


def rendered(run: Run, trial: Trial | None) -> dict[str, Any]:
    stack = system.load_stack(run, MODELS) if trial is None else parts.stack(run, MODELS, trial)
    return compose.project(stack, {"load": "../../load"})


PROJECT = rendered(RUN, TRIAL)


def test_the_server_has_the_trials_limits_and_no_swap() -> None:
    server = PROJECT["services"]["event-loop"]
    assert server["cpus"] == 0.25
    assert server["mem_limit"] == server["memswap_limit"] == 64 * 2**20


def test_nothing_runs_inside_the_server_besides_the_server() -> None:
    assert PROJECT["services"]["event-loop"]["healthcheck"] == {"disable": True}


def test_everything_carries_the_runs_label() -> None:
    parts = [*PROJECT["services"].values(), *PROJECT["networks"].values()]
    assert {part["labels"][RUN_LABEL] for part in parts} == {"a-2026-ab12"}


def test_no_container_has_privileges_or_a_writable_root() -> None:
    for service in PROJECT["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges=true"]
        assert "privileged" not in service


def test_only_locusts_page_is_published_and_only_on_this_machine() -> None:
    ports = {name: service["ports"] for name, service in PROJECT["services"].items() if "ports" in service}
    assert ports == {"locust": ["127.0.0.1::8089"]}


def test_the_file_of_a_trial_starts_the_whole_experiment() -> None:
    assert set(PROJECT["services"]) == {"locust", "worker", "event-loop", "probe-event-loop"}
    assert PROJECT["services"]["worker"]["scale"] == 2
    assert set(rendered(RUN, None)["services"]) == {"locust", "worker"}


@pytest.mark.parametrize(
    ("limit", "cpus", "said"),
    [
        ("quota", 0.5, {"cpus": 0.5, "cpuset": "2-3"}),
        ("both", 0.5, {"cpus": 0.5, "cpuset": "2"}),
        ("cpuset", 1.0, {"cpuset": "2"}),
        ("cpuset", 2.0, {"cpuset": "2-3"}),
    ],
)
def test_quota_and_cpuset_are_different_limits(limit: str, cpus: float, said: dict[str, object]) -> None:
    trial = replace(TRIAL, cell=replace(TRIAL.cell, limit=limit, cpus=cpus))
    server = rendered(RUN, trial)["services"]["event-loop"]
    assert {name: server[name] for name in ("cpus", "cpuset") if name in server} == said


def test_server_generator_and_the_rest_are_kept_apart() -> None:
    sets = {name: service["cpuset"] for name, service in PROJECT["services"].items()}
    assert sets == {"event-loop": "2-3", "worker": "1", "locust": "0", "probe-event-loop": "0"}
    unpinned = rendered(replace(RUN, cpu_sets=UNPINNED), TRIAL)
    assert not any("cpuset" in service for service in unpinned["services"].values())


def test_the_probe_sees_the_servers_processes_as_the_same_user_and_has_no_network() -> None:
    probe, server = PROJECT["services"]["probe-event-loop"], PROJECT["services"]["event-loop"]
    assert probe["pid"] == "service:event-loop"
    assert probe["network_mode"] == "none"
    assert probe["user"] == server["user"] == "1000:1000"


# --- one network namespace for server and load ---


def shared(network: str) -> dict[str, dict[str, object]]:
    trial = replace(TRIAL, cell=replace(TRIAL.cell, network=network))
    services: dict[str, dict[str, object]] = rendered(replace(RUN, shared=True), trial)["services"]
    return services


def test_a_holder_keeps_the_namespace_so_that_the_server_can_be_fresh() -> None:
    services = shared("shared")
    for name in ("event-loop", "locust", "worker"):
        assert services[name]["network_mode"] == "service:holder", name
        assert "ports" not in services[name]
    assert services["holder"]["ports"] == ["127.0.0.1::8089"]
    assert services["holder"]["labels"] == {RUN_LABEL: RUN.run_id}
    assert services["holder"]["cap_drop"] == ["ALL"]
    assert services["probe-event-loop"]["network_mode"] == "none"


def test_in_a_sweep_with_both_the_load_stays_where_it_is_and_the_server_has_the_bridge() -> None:
    services = shared("bridge")
    assert services["worker"]["network_mode"] == "service:holder"
    assert "network_mode" not in services["event-loop"]
    assert "holder" not in PROJECT["services"]
    assert "network_mode" not in PROJECT["services"]["worker"]


def test_no_port_that_somebody_listens_on_is_given_to_a_client_of_the_namespace() -> None:
    sysctls = shared("shared")["holder"]["sysctls"]
    assert isinstance(sysctls, dict)
    reserved = sysctls["net.ipv4.ip_local_reserved_ports"].split(",")
    assert {"8081", "8089", "5557"} <= set(reserved)


def test_each_network_path_has_its_own_name_for_the_server() -> None:
    cell = TRIAL.cell
    assert load_services.target(cell) == "event-loop"
    assert load_services.target(replace(cell, network="shared")) == "event-loop-shared"
    environment = shared("shared")["locust"]["environment"]
    assert environment == {
        "TARGETS": "spst,event-loop",
        "TARGET_ADDRESSES": "spst-shared=127.0.0.1:8081,event-loop-shared=127.0.0.1:8081",
    }
    assert PROJECT["services"]["locust"]["environment"] == {"TARGETS": "spst,event-loop"}


def test_the_load_is_in_every_network_in_which_a_server_can_be() -> None:
    run = Run(**run_of({"networks": ("bridge", "overlay")}))
    made = compose.project(parts.stack(run, MODELS, trial_of("models: spst\nnetwork: overlay")), {"load": "../../load"})
    assert made["services"]["worker"]["networks"] == {"default": None, "overlay": None}
    assert made["services"]["spst"]["networks"] == ["overlay"]
    assert made["networks"]["overlay"] == {
        "driver": "overlay",
        "attachable": True,
        "labels": {"threadmill.run": run.run_id},
    }
    assert "driver" not in made["networks"]["default"]
