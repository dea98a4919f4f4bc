"""NATS and RabbitMQ with real consumers: what is sent is done, whoever is killed, slow, full or started again."""

import json
import time
from collections.abc import Iterator

import pytest

from testbed.parts import nats, rabbitmq
from testbed.parts.asking import PartError
from testbed.parts.deliveries import account
from testbed.parts.nats import Nats
from testbed.parts.rabbitmq import RabbitMQ
from tests.e2e.compose import docker
from tests.parts.containers import Containers, address, containers, inside, said, state, stop
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

DONE = "/tmp/done"
# A small send buffer makes a slow subscriber known in seconds; as in testbed/parts/behind.py.
LITTLE_UNREAD = "net.ipv4.tcp_wmem=4096 16384 65536"

SEND_NATS = """
import asyncio, sys, nats
kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
async def main():
    client = await nats.connect("nats://nats:4222", user="threadmill", password="secret-of-a-test")
    for n in range(first, first + count):
        body = b"%d:%d" % (n, 1_700_000_000_000_000 + n)
        if kind == "jetstream":
            await client.jetstream().publish("threadmill.tasks", body)
        else:
            await client.publish("threadmill.news", body)
    await client.flush()
    await client.close()
asyncio.run(main())
"""

SEND_RABBITMQ = """
import sys, pika, pika.exceptions
first, count = int(sys.argv[2]), int(sys.argv[3])
who = pika.PlainCredentials("threadmill", "secret-of-a-test")
connection = pika.BlockingConnection(pika.ConnectionParameters("rabbitmq", credentials=who))
channel = connection.channel()
channel.confirm_delivery()
refused = 0
for n in range(first, first + count):
    try:
        channel.basic_publish("", "tasks", b"%d:%d" % (n, n), pika.BasicProperties(delivery_mode=2), mandatory=True)
    except pika.exceptions.NackError:
        refused += 1
connection.close()
print(refused)
"""

Client = Nats | RabbitMQ


@pytest.fixture(scope="module")
def parts(images_behind: None) -> Iterator[Containers]:
    """One network for all tests here, since a RabbitMQ takes its time to start."""
    with containers() as found:
        yield found


def wait_ready(client: Client, timeout_s: float) -> None:
    wait_until(client.ready, f"{client.name} is ready", timeout_s)


@pytest.fixture(scope="module")
def rabbit(parts: Containers) -> str:
    """It starts within 5 s of CPU time, which is 10 s at half a processor that is not shared with anybody."""
    container = parts.start("rabbitmq", cpus=2, memory="512m", MEMORY_BYTES=str(2**29), MAX_LENGTH="250")
    wait_ready(client_of(container, "rabbitmq"), 2 * rabbitmq.READY_S)
    return container


@pytest.fixture
def news(parts: Containers) -> Iterator[str]:
    yield from _nats(parts, "0")


@pytest.fixture
def tasks(parts: Containers) -> Iterator[str]:
    yield from _nats(parts, "1")


def _nats(parts: Containers, stream: str) -> Iterator[str]:
    container = parts.start("nats", cpus=0.2, memory="128m", sysctl=LITTLE_UNREAD, STREAM=stream)
    wait_ready(client_of(container, "nats"), nats.READY_S)
    yield container
    docker("rm", "--force", container)


def client_of(container: str, kind: str) -> Client:
    if kind == "rabbitmq":
        return RabbitMQ(address(container), rabbitmq.COUNTERS_PORT)
    return Nats(address(container), nats.COUNTERS_PORT)


def send(parts: Containers, kind: str, count: int, first: int = 0) -> str:
    """Send so many, all of them confirmed, and say what the sender said."""
    script = SEND_RABBITMQ if kind == "rabbitmq" else SEND_NATS
    return parts.python(script, kind, str(first), str(count))


def consumer(parts: Containers, kind: str, **told: str) -> str:
    where = "rabbitmq:5672" if kind == "rabbitmq" else "nats:4222"
    everything = {"KIND": kind, "BROKER": where, "OUTPUT": DONE, **told}
    return parts.start("consumer", cpus=0.5, memory="128m", **everything)


def done(*those: str) -> list[list[str]]:
    return [inside(container, DONE) for container in those]


def wait_for_workers(client: Client, count: int) -> None:
    def are_there() -> bool:
        try:
            return client.read().consumers == count
        except PartError:
            return False

    wait_until(are_there, f"{count} consumers are there")


def report(container: str) -> dict[str, float]:
    """What it says when it is stopped."""
    assert stop(container) == 0
    return dict(json.loads(said(container)[-1]))


@pytest.mark.parametrize("kind", ["tasks", "rabbit"])
def test_with_a_worker_killed_in_mid_task_every_task_is_done_and_twice_is_said(
    parts: Containers, kind: str, request: pytest.FixtureRequest
) -> None:
    name = {"tasks": "jetstream", "rabbit": "rabbitmq"}[kind]
    client = client_of(request.getfixturevalue(kind), name)
    victim, survivor = (consumer(parts, name, TASK_US="10000", PREFETCH="20") for _ in range(2))
    wait_for_workers(client, 2)
    send(parts, name, 200)
    wait_until(lambda: len(done(victim)[0]) > 5, "it has begun", 30.0)
    # It does not go on, so that what it has noted can be read: of one that is killed nothing can be asked any more.
    docker("kill", "--signal", "STOP", victim)
    (kept,) = done(victim)
    docker("kill", "--signal", "KILL", victim)

    def settled() -> bool:
        counts = client.read()
        return (counts.backlog, counts.unacknowledged) == (0, 0) and len({*kept, *done(survivor)[0]}) == 200

    wait_until(settled, "all are done", 30.0)
    found = account([kept, *done(survivor)], 200, 0, 0, fans_out=False)
    assert (found.distinct, found.lost) == (200, 0)
    # Of those it had taken along: at least the one that it had not acknowledged.
    assert report(survivor)["redelivered"] >= 1
    assert state(victim)["State"]["ExitCode"] == 137


@pytest.mark.parametrize("count", [1, 4])
def test_each_subscriber_gets_every_message(parts: Containers, news: str, count: int) -> None:
    subscribers = [consumer(parts, "nats") for _ in range(count)]
    wait_for_workers(client_of(news, "nats"), count)
    send(parts, "nats", 500)
    wait_until(lambda: all(len(lines) == 500 for lines in done(*subscribers)), "each has all")
    found = account(done(*subscribers), 500, 0, 0, fans_out=True)
    assert (found.done, found.distinct, found.repeated, found.lost) == (500 * count, 500, 0, 0)
    assert [report(container)["done"] for container in subscribers] == [500] * count


def test_a_slow_subscriber_is_dropped_and_the_others_get_everything(parts: Containers, news: str) -> None:
    client = client_of(news, "nats")
    quick, slow = consumer(parts, "nats"), consumer(parts, "nats", TASK_US="10000")
    wait_for_workers(client, 2)
    send(parts, "nats", 8_000)
    wait_until(lambda: client.read().dropped, "the broker drops one", 30.0)
    wait_until(lambda: len(done(quick)[0]) == 8_000, "the other has all")
    assert client.read().dropped == 1
    # Told to stop, it does not first work off what it has read.
    begun = time.monotonic()
    assert report(slow)["done"] < 8_000
    assert time.monotonic() - begun < 5.0
    assert report(quick)["done"] == 8_000


def test_nats_that_is_started_again_gets_its_subscriber_back(parts: Containers, news: str) -> None:
    subscriber = consumer(parts, "nats")
    wait_for_workers(client_of(news, "nats"), 1)
    assert stop(news) in (0, 1)
    docker("start", news)
    wait_for_workers(client_of(news, "nats"), 1)
    send(parts, "nats", 3)
    wait_until(lambda: len(done(subscriber)[0]) == 3, "it has them")
    assert report(subscriber)["reconnects"] >= 1


def test_a_full_queue_refuses_and_after_a_restart_its_worker_comes_back(parts: Containers, rabbit: str) -> None:
    assert int(send(parts, "rabbitmq", 253)) == 3
    worker = consumer(parts, "rabbitmq", PREFETCH="0")
    wait_until(lambda: len(done(worker)[0]) == 250, "they are done")
    assert stop(rabbit) == 0
    docker("start", rabbit)
    client = client_of(rabbit, "rabbitmq")
    wait_ready(client, 2 * rabbitmq.READY_S)
    wait_for_workers(client, 1)
    send(parts, "rabbitmq", 2, first=1000)
    wait_until(lambda: done(worker)[0][250:] == ["1000:1000", "1001:1001"], "it goes on")
    reconnects = report(worker)["reconnects"]
    assert reconnects >= 1
    assert sum(line.startswith("consumer: the broker is gone: ") for line in said(worker)) == reconnects
