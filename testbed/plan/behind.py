"""What may stand behind a server: stores that its requests read and write, brokers that they send to. Pure.

One value of the sweep file's `behind` is `none`, a name, or a mapping with one of the names:

    {postgres: {cpus: 0.4, standbys: [0, 2], reads: standby}}
    {valkey: {masters: 3, hits: 0.9, over: {postgres: {cpus: 0.3}}}, pool: 4}
    {nats: {stream: yes, subscribers: 4}}

Lists cross. In a cell it is its canonical text: one text for each meaning. `behind_values` reads either.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from testbed.plan.scaling import duration, size

NONE = "none"

Kind = Literal["store", "broker", ""]
Share = Literal["all", "each"]
Reads = Literal["primary", "standby"]
Commit = Literal["on", "remote_apply"]
Pooler = Literal["none", "pgbouncer"]

# CPU limit of what pools connections, and of what sends queries on to shards, of each.
POOLER_CPUS = 0.1
ROUTER_CPUS = 0.15
# Memory of those two and of each consumer: none came near it.
COMPANION_MEMORY_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL, its hot standbys or its shards. `cpus` is for all of them together or for each; `memory_bytes` is
    each one's."""

    cpus: float = 0.4
    cpus_of: Share = "all"
    memory_bytes: int = 128 * 2**20
    standbys: int = 0
    reads: Reads = "primary"
    """Who answers reads. `standby`: they in turn."""
    commit: Commit = "on"
    """What a commit waits for. `remote_apply`: until all standbys show it."""
    pooler: Pooler = "none"
    shards: int = 1
    """From 2 on each holds its part of the keys, and a node of its own with plproxy sends queries on to them."""
    cost_us: int = 0
    """How long a read takes longer, asleep, than it does by itself."""

    @property
    def nodes(self) -> int:
        """How many share `cpus`, or have as much each."""
        return self.shards if self.shards > 1 else 1 + self.standbys

    @property
    def cpus_of_each(self) -> float:
        return self.cpus / self.nodes if self.cpus_of == "all" else self.cpus

    @property
    def cpus_of_all(self) -> float:
        pooled = POOLER_CPUS if self.pooler != NONE else 0.0
        routed = ROUTER_CPUS if self.shards > 1 else 0.0
        return self.cpus_of_each * self.nodes + pooled + routed

    @property
    def memory_of_all(self) -> int:
        return self.memory_bytes * self.nodes + COMPANION_MEMORY_BYTES * ((self.pooler != NONE) + (self.shards > 1))


@dataclass(frozen=True)
class Valkey:
    """A Valkey, or a cluster of masters with a part of the keys each: the store itself, or a cache aside of one."""

    cpus: float = 0.2
    cpus_of: Share = "all"
    memory_bytes: int = 64 * 2**20
    masters: int = 1
    over: Postgres | None = None
    """What it is the cache of. None: it is the store."""
    ttl_us: int = 0
    """How long an entry of the cache lives; 0: until it is written anew."""
    lock: bool = False
    """Whether one request alone fetches an entry that is lacking, while the others wait for it."""
    hits: float = 1.0
    """The share of the keys that may be in the cache."""

    @property
    def cpus_of_each(self) -> float:
        return self.cpus / self.masters if self.cpus_of == "all" else self.cpus

    @property
    def cpus_of_all(self) -> float:
        return self.cpus_of_each * self.masters + (self.over.cpus_of_all if self.over else 0.0)

    @property
    def memory_of_all(self) -> int:
        return self.memory_bytes * self.masters + (self.over.memory_of_all if self.over else 0)


class _Broker:
    """What one with its consumers may take."""

    cpus: float
    memory_bytes: int
    consumers: int
    consumer_cpus: float

    @property
    def cpus_of_all(self) -> float:
        return self.cpus + self.consumers * self.consumer_cpus

    @property
    def memory_of_all(self) -> int:
        return self.memory_bytes + self.consumers * COMPANION_MEMORY_BYTES


@dataclass(frozen=True)
class Nats(_Broker):
    """A NATS server and its subscribers: publish/subscribe, in which each gets every message, or with `stream` a work
    queue of JetStream, in which each message is one's."""

    cpus: float = 0.3
    memory_bytes: int = 128 * 2**20
    stream: bool = False
    consumers: int = 1
    """Called `subscribers` without a stream in what people write, too."""
    slow: int = 0
    """How many of them take `task_us` for each message, where it is not all of them: without a stream alone."""
    task_us: int = 0
    consumer_cpus: float = 0.1
    kill_us: int = 0
    """When the first of them is killed, from the opening of the window on; 0: never."""


@dataclass(frozen=True)
class RabbitMQ(_Broker):
    """A RabbitMQ with one queue of work, and its consumers."""

    cpus: float = 0.5
    memory_bytes: int = 512 * 2**20
    consumers: int = 1
    prefetch: int = 1
    """How many messages a consumer is given before it has acknowledged the first; 0: as many as there are."""
    task_us: int = 0
    consumer_cpus: float = 0.1
    kill_us: int = 0
    """As of Nats."""


Part = Postgres | Valkey | Nats | RabbitMQ


@dataclass(frozen=True)
class Behind:
    """What a server talks to, and how: `pool` connections of one process of it at most, and how long a request waits
    for one of them."""

    part: Part
    pool: int = 4
    wait_us: int = 1_000_000

    @property
    def kind(self) -> Kind:
        return "broker" if isinstance(self.part, Nats | RabbitMQ) else "store"

    @property
    def kill_us(self) -> int:
        """When a consumer is killed, from the opening of the window on; 0: never."""
        return self.part.kill_us if isinstance(self.part, Nats | RabbitMQ) else 0

    @property
    def fans_out(self) -> bool:
        """Whether every consumer is to get every message."""
        return isinstance(self.part, Nats) and not self.part.stream

    @property
    def database(self) -> Postgres | None:
        """The PostgreSQL that is there, be it behind a cache."""
        if isinstance(self.part, Postgres):
            return self.part
        return self.part.over if isinstance(self.part, Valkey) else None

    @property
    def needs_all(self) -> bool:
        """Whether one request can ask all shards at once."""
        return isinstance(self.part, Postgres)

    @property
    def images(self) -> tuple[str, ...]:
        """What the parts are made of, by the names of images."""
        database = self.database
        names = ["postgres"] if database else []
        names += ["pgbouncer"] if database and database.pooler != NONE else []
        names += ["valkey"] if isinstance(self.part, Valkey) else []
        names += ["nats"] if isinstance(self.part, Nats) else []
        names += ["rabbitmq"] if isinstance(self.part, RabbitMQ) else []
        return (*names, *(["consumer"] if self.kind == "broker" else []))


# --- writing ---


def written(given: str) -> Any:
    """The form of the sweep file, from the canonical text."""
    return NONE if given == NONE else json.loads(given)


def text(behind: Behind | None) -> str:
    """The canonical text: JSON with every key that means something, in one order."""
    if behind is None:
        return NONE
    part = behind.part
    name = {Postgres: "postgres", Valkey: "valkey", Nats: "nats", RabbitMQ: "rabbitmq"}[type(part)]
    said = {name: mapping(part), "pool": behind.pool, "wait": duration(behind.wait_us)}
    return json.dumps(said, separators=(",", ":"))


def mapping(part: Part) -> dict[str, Any]:
    """The keys of one part as a sweep file has them."""
    match part:
        case Postgres():
            return {
                "cpus": part.cpus,
                "cpus_of": part.cpus_of,
                "memory": size(part.memory_bytes),
                "standbys": part.standbys,
                "reads": part.reads,
                "commit": part.commit,
                "pooler": part.pooler,
                "shards": part.shards,
                "cost": duration(part.cost_us),
            }
        case Valkey():
            of_a_cache = {"ttl": duration(part.ttl_us), "lock": part.lock, "hits": part.hits}
            return {
                "cpus": part.cpus,
                "cpus_of": part.cpus_of,
                "memory": size(part.memory_bytes),
                "masters": part.masters,
                **({**of_a_cache, "over": {"postgres": mapping(part.over)}} if part.over else {}),
            }
        case Nats():
            return {
                "cpus": part.cpus,
                "memory": size(part.memory_bytes),
                "stream": part.stream,
                "subscribers": part.consumers,
                **({} if part.stream else {"slow": part.slow}),
                **_of_consumers(part),
            }
        case RabbitMQ():
            return {
                "cpus": part.cpus,
                "memory": size(part.memory_bytes),
                "consumers": part.consumers,
                "prefetch": part.prefetch,
                **_of_consumers(part),
            }


def _of_consumers(part: Nats | RabbitMQ) -> dict[str, Any]:
    return {
        "task": duration(part.task_us),
        "consumer_cpus": part.consumer_cpus,
        "kill": duration(part.kill_us),
    }
