"""The files that brokers begin with. That the programs read them, tests/parts/test_brokers.py tries."""

import base64
import hashlib
import json

import pytest

from behind import nats, prepare_nats, rabbitmq
from behind.settings import SettingsError

TOLD = {"BEHIND_PASSWORD": "secret-123", "MEMORY_BYTES": "100000000"}


def test_nats_without_a_stream_keeps_nothing() -> None:
    text = json.loads(nats.configuration(nats.read(TOLD)))
    assert text["authorization"] == {"user": "threadmill", "password": "secret-123", "timeout": 5}
    assert "jetstream" not in text
    assert text["max_payload"] <= text["max_pending"], "it would not start"


def test_nats_with_a_stream_keeps_it_in_part_of_its_memory() -> None:
    text = json.loads(nats.configuration(nats.read({**TOLD, "STREAM": "1"})))
    assert text["jetstream"] == {"store_dir": "/tmp/data", "max_memory_store": 0, "max_file_store": 40_000_000}


def test_a_task_of_jetstream_is_one_workers_and_is_given_to_another_when_it_is_not_done() -> None:
    (of_stream, stream), (of_workers, workers) = prepare_nats.requests()
    assert (of_stream, stream["retention"], stream["subjects"]) == (
        "$JS.API.STREAM.CREATE.TASKS",
        "workqueue",
        ["threadmill.tasks"],
    )
    assert of_workers == "$JS.API.CONSUMER.DURABLE.CREATE.TASKS.workers"
    assert workers["config"]["ack_policy"] == "explicit"
    assert workers["config"]["ack_wait"] == 5_000_000_000


def test_rabbitmq_has_its_user_and_its_queue_from_the_start_and_no_password_in_a_file() -> None:
    told = rabbitmq.read(TOLD)
    found = rabbitmq.definitions(told, b"salt")
    (user,), (queue,) = found["users"], found["queues"]
    digest = base64.b64decode(user["password_hash"])
    assert digest == b"salt" + hashlib.sha256(b"saltsecret-123").digest()
    assert (queue["name"], queue["durable"], queue["arguments"]) == ("tasks", True, {})
    assert "secret-123" not in json.dumps(found) + rabbitmq.configuration(told) + str(rabbitmq.environment(told))
    assert "vm_memory_high_watermark.absolute = 60000000" in rabbitmq.configuration(told)


def test_rabbitmq_refuses_above_a_bound_and_throws_nothing_away() -> None:
    (queue,) = rabbitmq.definitions(rabbitmq.read({**TOLD, "MAX_LENGTH": "5", "QUEUE": "other"}), b"salt")["queues"]
    assert (queue["name"], queue["arguments"]) == ("other", {"x-max-length": 5, "x-overflow": "reject-publish"})


@pytest.mark.parametrize(("cpus", "schedulers"), [("0.3", "1:1"), ("2.5", "2:2")])
def test_rabbitmq_has_as_many_schedulers_as_its_quota_can_run(cpus: str, schedulers: str) -> None:
    told = rabbitmq.environment(rabbitmq.read({**TOLD, "CPUS": cpus}))
    assert f"+S {schedulers} +sbwt none" in told["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]


@pytest.mark.parametrize(
    ("read", "environment", "says"),
    [
        (nats.read, {"STREAM": "yes"}, "STREAM='yes': must be a whole number from 0 to 1"),
        (nats.read, {"BEHIND_PASSWORD": ""}, "BEHIND_PASSWORD: missing"),
        (rabbitmq.read, {"QUEUE": "a b"}, "QUEUE='a b': must be 1 to 100 letters"),
        (rabbitmq.read, {"MAX_LENGTH": "-1"}, "MAX_LENGTH='-1': must be a whole number from 0"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_line(read, environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as told:
        read({**TOLD, **environment})
    assert str(told.value).startswith(says) and "\n" not in str(told.value)
