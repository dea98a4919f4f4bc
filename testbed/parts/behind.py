"""What stands behind the servers of a trial: its containers, and what the servers are told of them. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from testbed.plan.behind import (
    COMPANION_MEMORY_BYTES,
    NONE,
    POOLER_CPUS,
    ROUTER_CPUS,
    Behind,
    Nats,
    Part,
    Postgres,
    RabbitMQ,
    Valkey,
)
from testbed.plan.cell import Cell
from testbed.plan.trials import Trial
from testbed.stack import secret, server_services
from testbed.stack.naming import LOAD_STORE, RESULTS
from testbed.stack.run import Run, first_network, network_of, trial_labels
from testbed.stack.services import Limits, Mount, Role, Service

POSTGRES_PORT = 5432
VALKEY_PORT = 6379
NATS_PORT = 4222
RABBITMQ_PORT = 5672
# Where a broker tells of itself.
NATS_PAGE_PORT = 8222
RABBITMQ_PAGE_PORT = 15692

PRIMARY = "postgres"
ROUTER = "shards"
POOLER = "pgbouncer"
NATS = "nats"
RABBITMQ = "rabbitmq"

# Processes and threads: PostgreSQL has a process for each connection.
_TASKS = 1024
# Of Erlang, whose schedulers and helpers are threads.
_BROKER_TASKS = 2048
# What the kernel keeps of what a subscriber has not read: its own choice, some megabytes, would hide a slow one from
# the broker for as long as a trial lasts.
_UNREAD_BY_SUBSCRIBERS = {"net.ipv4.tcp_wmem": "4096 16384 65536"}
# Of a server's connections behind it: many processes make one each.
_POOLED = 20


def services(run: Run, trial: Trial) -> tuple[Service, ...]:
    """Every container behind the trial's servers, in the order in which they start; none where nothing is there."""
    behind = trial.cell.what_is_behind
    if behind is None:
        return ()
    part = behind.part
    match part:
        case Postgres():
            return _postgres(run, trial, part)
        case Valkey():
            below = _postgres(run, trial, part.over) if part.over else ()
            return (*below, *_valkey(run, trial, part))
        case Nats() | RabbitMQ():
            return (_broker(run, trial, part), *_consumers(run, trial, part))


def with_behind(server: Service, trial: Trial) -> Service:
    """A server as it is with what stands behind it: told where that is. Its image can talk to it."""
    cell = trial.cell
    behind = cell.what_is_behind
    if behind is None:
        return server
    told = environment(behind, cell)
    return replace(
        server,
        environment={**server.environment, **told},
        secrets=(secret.VARIABLE,),
    )


def environment(behind: Behind, cell: Cell) -> dict[str, str]:
    """What a server is told of what is behind it."""
    told = {
        **_addresses(behind),
        "BEHIND_POOL": str(behind.pool),
        "BEHIND_WAIT": f"{behind.wait_us / 1e6:g}",
        "VALUE_BYTES": str(cell.value_bytes),
    }
    return {name: value for name, value in told.items() if value}


def _addresses(behind: Behind) -> dict[str, str]:
    match behind.part:
        case Postgres() as part:
            return {"BEHIND": "postgres", **_database(part)}
        case Valkey() as part:
            cache = ",".join(f"{name}:{VALKEY_PORT}" for name in valkeys(part))
            if part.over is None:
                return {"BEHIND": "valkey", "BEHIND_CACHE": cache}
            return {
                "BEHIND": "valkey+postgres",
                "BEHIND_CACHE": cache,
                "CACHE_TTL": f"{part.ttl_us / 1e6:g}",
                "CACHE_LOCK": str(int(part.lock)),
                "CACHE_SHARE": f"{part.hits:g}",
                **_database(part.over),
            }
        case Nats() as part:
            return {"BEHIND": "jetstream" if part.stream else "nats", "BEHIND_WRITE": f"{NATS}:{NATS_PORT}"}
        case RabbitMQ():
            return {"BEHIND": "rabbitmq", "BEHIND_WRITE": f"{RABBITMQ}:{RABBITMQ_PORT}"}


def _database(part: Postgres) -> dict[str, str]:
    """Where writes and reads go. A pooler stands before the primary alone, through which all writes go."""
    if part.shards > 1:
        return {"BEHIND_WRITE": f"{ROUTER}:{POSTGRES_PORT}"}
    write = POOLER if part.pooler != NONE else PRIMARY
    read = standbys(part) if part.reads == "standby" else ()
    return {
        "BEHIND_WRITE": f"{write}:{POSTGRES_PORT}",
        "BEHIND_READ": ",".join(f"{name}:{POSTGRES_PORT}" for name in read),
    }


def standbys(part: Postgres) -> tuple[str, ...]:
    return tuple(f"standby-{n + 1}" for n in range(part.standbys))


def shards(part: Postgres) -> tuple[str, ...]:
    return tuple(f"shard-{n + 1}" for n in range(part.shards)) if part.shards > 1 else ()


def valkeys(part: Valkey) -> tuple[str, ...]:
    return tuple(f"valkey-{n + 1}" for n in range(part.masters))


def consumers(part: Part) -> tuple[str, ...]:
    count = part.consumers if isinstance(part, Nats | RabbitMQ) else 0
    return tuple(f"consumer-{n + 1}" for n in range(count))


def delivered_file(trial_id: str, consumer: str) -> str:
    """What a consumer notes down what it has done in, in the directory of the load's results."""
    return f"{trial_id}.{consumer}.done"


def _part(
    run: Run,
    trial: Trial,
    name: str,
    image: str,
    role: Role,
    cpus: float,
    memory_bytes: int,
    told: Mapping[str, str],
    published: tuple[int, ...] = (),
    tasks: int = _TASKS,
) -> Service:
    return Service(
        name=name,
        role=role,
        image=run.image(image),
        user=run.user,
        environment={**told, "CPUS": f"{cpus:g}", "MEMORY_BYTES": str(memory_bytes)},
        limits=Limits(cpus, server_services.beside_servers(run, trial.cell, trial.cell.replicas), memory_bytes, tasks),
        network=network_of(trial.cell) or first_network(run),
        published=published,
        scratch=("/tmp",),
        labels=trial_labels(run, trial),
        secrets=(secret.VARIABLE,),
        # It is asked from outside whether it is ready.
        checked_inside=False,
    )


def _postgres(run: Run, trial: Trial, part: Postgres) -> tuple[Service, ...]:
    stored = {
        "KEYS": str(trial.cell.keys),
        "VALUE_BYTES": str(trial.cell.value_bytes),
        "READ_COST_US": str(part.cost_us),
    }

    def node(name: str, **told: str) -> Service:
        return _part(
            run, trial, name, "postgres", "store", part.cpus_of_each, part.memory_bytes, {**stored, **told}, _PORT
        )

    if part.shards > 1:
        names = shards(part)
        each = (
            node(name, ROLE="shard", SHARD=str(number), SHARDS_COUNT=str(len(names)))
            for number, name in enumerate(names)
        )
        told = {"ROLE": "router", "SHARDS": " ".join(names)}
        limits = ROUTER_CPUS, COMPANION_MEMORY_BYTES
        return (*each, _part(run, trial, ROUTER, "postgres", "store", *limits, told, _PORT))
    of_all = {"COMMIT": part.commit, "STANDBYS": str(part.standbys)}
    found = [node(PRIMARY, ROLE="primary", **of_all)]
    found += [node(name, ROLE="standby", PRIMARY=PRIMARY, STANDBY=name) for name in standbys(part)]
    if part.pooler != NONE:
        told = {"POSTGRES": PRIMARY, "POOL": str(_POOLED)}
        found.append(_part(run, trial, POOLER, "pgbouncer", "store", POOLER_CPUS, COMPANION_MEMORY_BYTES, told, _PORT))
    return tuple(found)


_PORT = (POSTGRES_PORT,)


def _valkey(run: Run, trial: Trial, part: Valkey) -> tuple[Service, ...]:
    names = valkeys(part)
    told = {
        "KEYS": str(trial.cell.keys),
        "VALUE_BYTES": str(trial.cell.value_bytes),
        "PRELOAD": str(int(part.over is None)),
        "MASTERS": " ".join(names) if len(names) > 1 else "",
    }
    told = {name: value for name, value in told.items() if value}
    limits = part.cpus_of_each, part.memory_bytes
    return tuple(_part(run, trial, name, "valkey", "store", *limits, told, (VALKEY_PORT,)) for name in names)


def _broker(run: Run, trial: Trial, part: Nats | RabbitMQ) -> Service:
    limits = part.cpus, part.memory_bytes
    if isinstance(part, Nats):
        told = {"STREAM": str(int(part.stream))}
        made = _part(run, trial, NATS, "nats", "broker", *limits, told, (NATS_PAGE_PORT,))
        return replace(made, kernel=_UNREAD_BY_SUBSCRIBERS)
    ports = (RABBITMQ_PAGE_PORT,)
    return _part(run, trial, RABBITMQ, "rabbitmq", "broker", *limits, {"QUEUE": "tasks"}, ports, _BROKER_TASKS)


def _consumers(run: Run, trial: Trial, part: Nats | RabbitMQ) -> tuple[Service, ...]:
    if isinstance(part, Nats):
        told = {"KIND": "jetstream" if part.stream else "nats", "BROKER": f"{NATS}:{NATS_PORT}"}
        slow = part.slow or part.consumers
    else:
        told = {"KIND": "rabbitmq", "BROKER": f"{RABBITMQ}:{RABBITMQ_PORT}", "PREFETCH": str(part.prefetch)}
        slow = part.consumers

    def consumer(name: str, task_us: int) -> Service:
        noted = {"OUTPUT": f"{RESULTS}/{delivered_file(trial.trial_id, name)}", "TASK_US": str(task_us)}
        limits = part.consumer_cpus, COMPANION_MEMORY_BYTES
        made = _part(run, trial, name, "consumer", "consumer", *limits, {**told, **noted})
        return replace(made, mounts=(Mount(LOAD_STORE, RESULTS),))

    # The slow ones are the last, so that the first, which may be killed, is an ordinary one where there is one.
    names = consumers(part)
    return tuple(consumer(name, part.task_us if n >= len(names) - slow else 0) for n, name in enumerate(names))
