"""What a consumer is told."""

import pytest

from consumers.settings import SettingsError, read

TOLD = {"KIND": "rabbitmq", "BROKER": "rabbitmq:5672", "BEHIND_PASSWORD": "secret-123", "OUTPUT": "/results/done"}


def test_what_it_is_told_and_what_is_so_by_itself() -> None:
    found = read({**TOLD, "TASK_US": "2500", "PREFETCH": ""})
    assert (found.kind, found.host, found.port, found.task_s, found.prefetch) == (
        "rabbitmq",
        "rabbitmq",
        5672,
        0.0025,
        1,
    )
    assert read({**TOLD, "PREFETCH": "0"}).prefetch == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"KIND": "kafka"}, "KIND='kafka': must be nats, jetstream or rabbitmq"),
        ({"BROKER": "rabbitmq"}, "BROKER='rabbitmq': must be a host name, a colon and a port"),
        ({"BROKER": "rabbitmq:70000"}, "BROKER='rabbitmq:70000'"),
        ({"BROKER": "a b:1"}, "BROKER='a b:1'"),
        ({"BEHIND_PASSWORD": ""}, "BEHIND_PASSWORD: missing"),
        ({"OUTPUT": "done"}, "OUTPUT='done': must be the whole path"),
        ({"TASK_US": "1.5"}, "TASK_US='1.5': must be a whole number from 0 to 60000000"),
        ({"PREFETCH": "70000"}, "PREFETCH='70000': must be a whole number from 0 to 65535"),
        ({"KIND": "jetstream", "PREFETCH": "0"}, "PREFETCH=0, TASK_US=0: of JetStream at least 1"),
        ({"KIND": "jetstream", "PREFETCH": "50", "TASK_US": "100000"}, "PREFETCH=50, TASK_US=100000: of JetStream"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as told:
        read({**TOLD, **environment})
    assert str(told.value).startswith(says) and "\n" not in str(told.value)
    assert "secret-123" not in str(told.value)
