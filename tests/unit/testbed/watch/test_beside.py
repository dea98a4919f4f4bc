"""What counts as a running server, by what Docker tells of a container with a server's image."""

from typing import Any

import pytest

from testbed.stack.services import ROLE_LABEL, RUN_LABEL, TRIAL_LABEL
from testbed.stack.swarm.labelled import BY_HAND
from testbed.watch.beside import MODEL_LABEL, _target, page_port

SERVICE = "com.docker.compose.service"
IN_A_TRIAL = {RUN_LABEL: "a-1", TRIAL_LABEL: "001"}


def attributes(**labels: str) -> dict[str, Any]:
    return {
        "Id": "1",
        "Name": "/a-spmt-1",
        "Config": {"Labels": labels, "User": "1:1", "Env": ["PATH=/bin"]},
        "State": {"StartedAt": "2026-01-02T03:04:05Z"},
        "HostConfig": {"NanoCpus": 500_000_000, "CpuQuota": 0, "CpuPeriod": 0, "CpusetCpus": "1", "Memory": 2**26},
    }


@pytest.mark.parametrize(
    ("labels", "model"),
    [
        ({SERVICE: "spmt"}, "spmt"),
        ({MODEL_LABEL: "spmt"}, "spmt"),
        ({}, "unknown"),
        ({SERVICE: "spmt", **IN_A_TRIAL}, "spmt"),
        # One of several servers is not called by its model alone.
        ({SERVICE: "spmt-2", MODEL_LABEL: "spmt", **IN_A_TRIAL}, "spmt"),
        # By hand a server that speaks HTTP is a service of its own.
        ({SERVICE: "spmt-http", MODEL_LABEL: "spmt"}, "spmt"),
        # Another image in the place of a model's still is that model.
        ({SERVICE: "mpmt", MODEL_LABEL: "spmt", **IN_A_TRIAL}, "mpmt"),
    ],
)
def test_a_server_is_known_by_its_model(labels: dict[str, str], model: str) -> None:
    target = _target(attributes(**labels))
    assert target is not None
    assert (target.model, target.name, target.cpus, target.cpuset) == (model, "a-spmt-1", 0.5, "1")
    assert target.trial_id == labels.get(TRIAL_LABEL)


def test_what_up_has_started_on_a_swarm_is_no_sweeps() -> None:
    target = _target(attributes(**{RUN_LABEL: BY_HAND, TRIAL_LABEL: "001", MODEL_LABEL: "spmt"}))
    assert target is not None
    assert (target.model, target.run_id, target.trial_id) == ("spmt", None, None)


def test_the_page_of_the_load_is_where_its_machine_has_it() -> None:
    ports = {"8089/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "5557/tcp": None}
    assert page_port({"NetworkSettings": {"Ports": ports}}) == 32768
    assert page_port({"NetworkSettings": {"Ports": {"8089/tcp": None}}}) is None
    assert page_port({"NetworkSettings": {"Ports": {}}}) is None


def test_a_front_is_known_by_its_image_and_by_whom_it_was_told_of() -> None:
    title = {"org.opencontainers.image.title": "threadmill/haproxy", ROLE_LABEL: "front"}
    for labels in ({SERVICE: "front", **IN_A_TRIAL}, {SERVICE: "haproxy"}):
        made = attributes(**labels, **title)
        made["Config"]["Env"] = ["PATH=/bin", "SERVERS=spmt-1 spmt-2", "SERVERS_DNS="]
        target = _target(made)
        assert target is not None
        assert (target.role, target.model, target.behind) == ("front", "haproxy", ("spmt-1", "spmt-2"))


@pytest.mark.parametrize("labels", [{SERVICE: "client"}, {RUN_LABEL: "a-1"}, {RUN_LABEL: "a-1", SERVICE: "spmt"}])
def test_the_command_line_client_and_a_calibration_are_no_servers(labels: dict[str, str]) -> None:
    assert _target(attributes(**labels)) is None
