"""A stack as a Swarm stack file: what a Swarm has a word for, and nothing else."""

from typing import Any

import pytest
import yaml

from servers.models import SERVERS
from testbed.parts import trial as parts
from testbed.stack.run import Run
from testbed.stack.services import Stack
from testbed.stack.swarm.stackfile import stack_file, stack_name, text_of
from tests.unit.testbed.stack.golden_cases import SETS, run_of, trial_of

RUN = Run(**run_of({"workers": 3, "networks": ("overlay",), "cpu_sets": SETS}))
BY_ROLE: dict[Any, Any] = {"server": "server", "load": "load", "rest": "server"}


def made(sweep: str, roles: dict[Any, Any] = BY_ROLE) -> tuple[Stack, dict[str, Any]]:
    stack = parts.stack(RUN, SERVERS, trial_of(f"{sweep}\nnetwork: overlay"))
    services = [service.name for service in stack.services if service.role != "probe"]
    images = {service.image: f"sha256:{service.image}" for service in stack.services}
    return stack, yaml.safe_load(text_of(stack_file(stack, services, images, roles, "here")))


def test_a_server_has_its_limits_its_place_and_no_second_life() -> None:
    _, found = made("models: spst\nlimits: {cpus: 0.25, memory: 64MiB}")
    server = found["services"]["spst"]
    assert server["image"] == "sha256:threadmill/spst"
    assert (server["read_only"], server["cap_drop"], server["user"]) == (True, ["ALL"], "1000:1000")
    assert server["healthcheck"] == {"disable": True}
    deploy = server["deploy"]
    assert deploy["resources"] == {
        "limits": {"cpus": "0.25", "memory": f"{64 * 2**20}b", "pids": 4096},
        "reservations": {"cpus": "0.25", "memory": f"{64 * 2**20}b"},
    }
    assert deploy["placement"]["constraints"] == ["node.labels.threadmill.role == server"]
    assert (deploy["endpoint_mode"], deploy["restart_policy"]) == ("dnsrr", {"condition": "none"})


def test_a_swarm_is_not_told_what_it_has_no_word_for() -> None:
    """`docker stack deploy` ignores some of it without a word, and refuses the rest."""
    _, found = made("models: spst\nlimits: {cpus: 1, limit: both}")
    unknown = {"cpuset", "mem_limit", "memswap_limit", "pids_limit", "cpus", "pid", "tmpfs", "security_opt", "scale"}
    assert all(not unknown & set(service) for service in found["services"].values())
    assert not any(name.startswith("probe-") for name in found["services"])


def test_the_load_is_spread_and_a_worker_is_called_after_its_node() -> None:
    _, found = made("models: spst\nload: {workers: 3}")
    worker, master = found["services"]["worker"], found["services"]["locust"]
    assert worker["deploy"]["replicas"] == 3
    assert worker["hostname"] == "{{.Node.Hostname}}-{{.Task.Slot}}"
    for service in (worker, master):
        assert service["deploy"]["placement"]["constraints"] == ["node.labels.threadmill.role == load"]
        assert {"type": "tmpfs", "target": "/tmp"} in service["volumes"]
    assert master["ports"] == [{"target": 8089, "protocol": "tcp", "mode": "host"}]


@pytest.mark.parametrize("label", ["rest", "server"])
def test_a_front_is_where_the_rest_is_or_beside_the_servers(label: str) -> None:
    _, found = made("models: spst\nreplicas: {count: 2}\nfront: haproxy", {**BY_ROLE, "rest": label})
    assert found["services"]["front"]["deploy"]["placement"]["constraints"] == [
        f"node.labels.threadmill.role == {label}"
    ]


def test_everything_carries_the_runs_label_and_networks_say_whose_run_it_is() -> None:
    _, found = made("models: spst")
    for service in found["services"].values():
        assert service["labels"]["threadmill.run"] == service["deploy"]["labels"]["threadmill.run"] == RUN.run_id
        assert service["deploy"]["labels"]["threadmill.caller"] == "here"
    (network,) = found["networks"].values()
    assert network == {
        "driver": "overlay",
        "attachable": True,
        "labels": {"threadmill.run": RUN.run_id, "threadmill.caller": "here"},
    }
    assert found["volumes"]["load"]["labels"] == {"threadmill.run": RUN.run_id}


def test_replicas_have_a_name_of_their_own_and_one_in_common() -> None:
    _, found = made("models: spst\nreplicas: {count: 2}\nfront: dns")
    assert [found["services"][name]["networks"]["overlay"]["aliases"] for name in ("spst-1", "spst-2")] == [
        ["spst-1", "spst"],
        ["spst-2", "spst"],
    ]


def test_a_name_is_short_enough_for_a_swarm_however_long_the_sweeps_is() -> None:
    longest = max((f"probe-{model}-48" for model in SERVERS), key=len)
    assert len(f"{stack_name('threadmill-' + 'a' * 41 + '-20260102t030405z-ab12')}_{longest}") <= 63


def test_only_what_is_asked_for_is_deployed() -> None:
    stack, _ = made("models: spst")
    images = {service.image: "sha256:0" for service in stack.services}
    found = stack_file(stack, ["spst"], images, BY_ROLE, "here")
    assert list(found["services"]) == ["spst"]
    assert "volumes" not in found


def test_an_image_that_was_not_carried_is_never_guessed() -> None:
    stack, _ = made("models: spst")
    with pytest.raises(KeyError):
        stack_file(stack, ["spst"], {}, BY_ROLE, "here")
