"""The rendered project carries the limits of its trial, the label that removes it, and no privileges."""

from pathlib import Path

from testbed import compose, plan
from testbed.sweepfile import Machine, parse

RUN = compose.Run("a-2026-ab12", "threadmill-a-2026-ab12", "1000:1000", 2)
TRIAL = plan.trials(
    parse("name: a\nmodels: event-loop\nlimits: {cpus: 0.25, memory: 64MiB}\n", Path("a.yaml"), Machine(2, 2**33))
)[0]
PROJECT = compose.project(RUN, "../../load", "spst,event-loop", TRIAL)


def test_the_server_has_the_trials_limits_and_no_swap() -> None:
    server = PROJECT["services"]["event-loop"]
    assert server["cpus"] == 0.25
    assert server["mem_limit"] == server["memswap_limit"] == 64 * 2**20


def test_nothing_runs_inside_the_server_besides_the_server() -> None:
    assert PROJECT["services"]["event-loop"]["healthcheck"] == {"disable": True}


def test_everything_carries_the_runs_label() -> None:
    parts = [*PROJECT["services"].values(), *PROJECT["networks"].values()]
    assert {part["labels"][compose.RUN_LABEL] for part in parts} == {"a-2026-ab12"}


def test_no_container_has_privileges_or_a_writable_root() -> None:
    for service in PROJECT["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_only_locusts_page_is_published_and_only_on_this_machine() -> None:
    ports = {name: service["ports"] for name, service in PROJECT["services"].items() if "ports" in service}
    assert ports == {"locust": ["127.0.0.1::8089"]}


def test_the_file_of_a_trial_starts_the_whole_experiment() -> None:
    assert set(PROJECT["services"]) == {"locust", "worker", "event-loop"}
    assert PROJECT["services"]["worker"]["scale"] == 2
    assert set(compose.project(RUN, "./load", "spst", None)["services"]) == {"locust", "worker"}
