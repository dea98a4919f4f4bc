"""What brokers and a Valkey tell of themselves, out of answers as the programs give them."""

import pytest

from testbed.parts import nats, rabbitmq, valkey
from testbed.parts.part_counts import UNKNOWN, PartCounts

SERVER = {
    "connections": 3,
    "max_connections": 65536,
    "in_msgs": 900,
    "slow_consumers": 1,
    "mem": 15,
    "jetstream": {"config": {}},
}
WORKERS = {"name": "workers", "num_ack_pending": 2, "num_redelivered": 1, "num_waiting": 4, "num_pending": 7}
QUEUE = {"account_details": [{"stream_detail": [{"consumer_detail": [WORKERS]}]}]}
PAGE = """\
# TYPE rabbitmq_queues gauge
rabbitmq_queues 1
rabbitmq_connections 3
rabbitmq_queue_messages_ready 1.2e3
rabbitmq_queue_messages_unacked 5
rabbitmq_queue_consumers 2
rabbitmq_global_messages_received_total{protocol="amqp091"} 900
rabbitmq_global_messages_received_total{protocol="amqp10"} 1
rabbitmq_global_messages_redelivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"} 4
erlang_vm_memory_bytes_total{kind="system"} 1
"""
INFO = {
    "loading": 0,
    "connected_clients": 2,
    "maxclients": 10000,
    "total_commands_processed": 12,
    "keyspace_hits": 9,
    "keyspace_misses": 1,
    "evicted_keys": 0,
    "used_memory": 1234,
}
CLUSTER = {"cluster_state": "ok", "cluster_slots_ok": "16384", "cluster_known_nodes": "3", "cluster_size": "3"}


def test_nats_with_a_queue_tells_of_its_tasks() -> None:
    assert nats.counts(SERVER, QUEUE, None) == PartCounts(
        connections=3,
        connections_most=65536,
        operations=900,
        dropped=1,
        memory_bytes=15,
        backlog=7,
        unacknowledged=2,
        redelivered=1,
        consumers=4,
    )


@pytest.mark.parametrize(("news", "consumers"), [({"total": 16}, 16), ({}, 0), (None, None), ({"total": "x"}, None)])
def test_nats_without_one_tells_of_its_subscribers(news: dict[str, object] | None, consumers: int | None) -> None:
    found = nats.counts(SERVER, None, news)
    assert (found.consumers, found.backlog, found.unacknowledged) == (consumers, None, None)


def test_of_what_is_not_in_an_answer_nothing_is_known() -> None:
    assert nats.counts({}, {}, None) == nats.counts({"in_msgs": True}, None, None) == UNKNOWN
    assert rabbitmq.counts(rabbitmq.parse("nothing")) == valkey.counts({}) == UNKNOWN
    half = {"account_details": [{"stream_detail": [{"consumer_detail": [WORKERS, {}]}]}]}
    assert nats.counts({}, half, None).backlog is None, "a partial sum is none"


def test_rabbitmq_tells_of_its_queue() -> None:
    assert rabbitmq.counts(rabbitmq.parse(PAGE)) == PartCounts(
        connections=3, operations=901, backlog=1200, unacknowledged=5, redelivered=4, consumers=2
    )


def test_valkey_tells_of_its_hits() -> None:
    assert valkey.counts(INFO) == PartCounts(
        connections=2, connections_most=10000, operations=12, hits=9, misses=1, evicted=0, memory_bytes=1234
    )


@pytest.mark.parametrize(
    ("info", "cluster", "ready"),
    [
        ({}, None, True),
        ({"loading": 1}, None, False),
        ({}, {}, True),
        ({}, {"cluster_state": "fail"}, False),
        ({}, {"cluster_slots_ok": "16383"}, False),
        ({}, {"cluster_size": "2"}, False),
    ],
)
def test_a_master_is_ready_when_all_slots_are_served(
    info: dict[str, object], cluster: dict[str, str] | None, ready: bool
) -> None:
    assert valkey.is_ready({**INFO, **info}, None if cluster is None else {**CLUSTER, **cluster}) == ready


@pytest.mark.parametrize(
    "client",
    [
        valkey.Valkey("127.0.0.1", 1, "secret-123"),
        nats.Nats("127.0.0.1", 1, "secret-123"),
        rabbitmq.RabbitMQ("127.0.0.1", 1, "secret-123"),
    ],
)
def test_one_that_does_not_answer_is_not_ready_and_says_so_in_a_line(client) -> None:
    assert not client.ready()
    with pytest.raises(OSError, match=rf"^{client.name} does not answer at 127\.0\.0\.1:1: .+$") as told:
        client.read()
    assert "secret-123" not in str(told.value)
