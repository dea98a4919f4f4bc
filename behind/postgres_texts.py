"""What PostgreSQL reads, made of its settings: configuration, who may connect, and the statements that fill it. Pure.

Source: PostgreSQL 17's manual, part III, and PL/Proxy's, by the names of the settings.
"""

from behind.postgres_settings import MEBIBYTE, PORT, Settings
from behind.scram import secret
from behind.settings import USER

# Of the superuser, who asks how it is doing and from whom a standby copies: some connections are always left for it.
OBSERVER = "postgres"

_CONFIGURATION = """\
listen_addresses = '*'
port = {port}
unix_socket_directories = '/tmp'
max_connections = {connections}
superuser_reserved_connections = {reserved}
shared_buffers = {buffers}MB
huge_pages = off
# The data directory is memory, which nothing can tear a page of: only what changes is written ahead.
wal_level = replica
full_page_writes = off
min_wal_size = 2MB
max_wal_size = {ahead}MB
wal_keep_size = {ahead}MB
checkpoint_timeout = 30min
max_wal_senders = {senders}
max_replication_slots = {senders}
hot_standby = on
# One that does not hear from the other says so, and tries again.
wal_receiver_timeout = {silence}s
wal_sender_timeout = {silence}s
wal_retrieve_retry_interval = 500ms
synchronous_commit = {commit}
synchronous_standby_names = '{waited_for}'
# A fraction of a processor has nothing to share out.
max_worker_processes = 1
max_parallel_workers = 0
max_logical_replication_workers = 0
jit = off
autovacuum_max_workers = 1
autovacuum_naptime = 15s
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_line_prefix = '%b: '
"""
_RESERVED_CONNECTIONS = 5
_SENDERS = 8
# Seconds after which silence counts as the other's being gone. It speaks up after half of that.
_SILENCE_S = 10

_ACCESS = """\
local all all trust
host all all all scram-sha-256
host replication {observer} all scram-sha-256
"""

_ROLES = """
ALTER ROLE {observer} PASSWORD '{password}';

CREATE ROLE {user} LOGIN PASSWORD '{secret}';

GRANT ALL ON SCHEMA public TO {user};

"""

# A value as big as it was given, neither compressed nor, but above a page's quarter, elsewhere.
_TABLE = """
CREATE TABLE items (key int PRIMARY KEY, version bigint NOT NULL DEFAULT 0, value text NOT NULL)
    WITH (fillfactor = 70);

ALTER TABLE items ALTER COLUMN value SET STORAGE EXTERNAL;

INSERT INTO items SELECT key, 0, rpad(key || ':0:', greatest({value_bytes}, length(key || ':0:')), 'x')
    FROM generate_series(0, {last}) AS key WHERE {here};

ALTER TABLE items OWNER TO {user};

{read}

CREATE FUNCTION tm_write(k int, v bigint, val text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE items SET version = v, value = val WHERE key = k AND version < v;
    RETURN FOUND OR EXISTS (SELECT FROM items WHERE key = k);
END $$;

CREATE FUNCTION tm_scan() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM items';

ANALYZE items;

"""
# With a plan of its own: PL/Proxy asks with statements that are planned anew each time, which costs half as much so.
_READ = """\
CREATE FUNCTION tm_read(k int) RETURNS TABLE (version bigint, value text) LANGUAGE plpgsql {volatility} AS $$
BEGIN{sleep}
    RETURN QUERY SELECT i.version, i.value FROM items i WHERE i.key = k;
END $$;"""

_ROUTER = """
CREATE EXTENSION plproxy;

CREATE SERVER shards FOREIGN DATA WRAPPER plproxy OPTIONS ({partitions});

CREATE USER MAPPING FOR PUBLIC SERVER shards OPTIONS (user '{user}', password '{password}');

GRANT USAGE ON FOREIGN SERVER shards TO {user};

CREATE FUNCTION tm_read(k int, OUT version bigint, OUT value text) RETURNS SETOF record LANGUAGE plproxy AS
    'CLUSTER ''shards''; RUN ON hashint4(k);';

CREATE FUNCTION tm_write(k int, v bigint, val text) RETURNS boolean LANGUAGE plproxy AS
    'CLUSTER ''shards''; RUN ON hashint4(k);';

CREATE FUNCTION tm_scan() RETURNS SETOF bigint LANGUAGE plproxy AS
    'CLUSTER ''shards''; RUN ON ALL;';

"""


def configuration(settings: Settings) -> str:
    """The text of postgresql.conf: the same for all roles, since a standby must not have less of anything."""
    waits = settings.commit == "remote_apply" and settings.standbys and settings.role == "primary"
    waited_for = ", ".join(f'"standby-{number + 1}"' for number in range(settings.standbys))
    return _CONFIGURATION.format(
        port=PORT,
        connections=settings.connections + _RESERVED_CONNECTIONS,
        reserved=_RESERVED_CONNECTIONS,
        buffers=settings.shared_buffers_bytes // MEBIBYTE,
        ahead=settings.ahead_bytes // MEBIBYTE,
        senders=_SENDERS,
        silence=_SILENCE_S,
        commit=settings.commit if settings.role == "primary" else "on",
        waited_for=f"FIRST {settings.standbys} ({waited_for})" if waits else "",
    )


def access() -> str:
    """The text of pg_hba.conf: a password from outside; from inside, where a person may look, none."""
    return _ACCESS.format(observer=OBSERVER)


def statements(settings: Settings) -> str:
    """What makes an empty cluster one with users and data, or the one that knows who has them. Empty lines end a
    statement, as single-user mode has it with `-j`."""
    who = {"observer": OBSERVER, "user": USER, "password": settings.password}
    roles = _ROLES.format(secret=secret(settings.password), **who)
    if settings.role == "router":
        partitions = (f"p{number} '{_connection(name)}'" for number, name in enumerate(settings.shards))
        return roles + _ROUTER.format(partitions=", ".join(partitions), **who)
    # A whole number of milliseconds, rounded up: that is how it sleeps.
    sleep = f"\n    PERFORM pg_sleep({settings.read_cost_us / 1e6:.6f});" if settings.read_cost_us else ""
    return roles + _TABLE.format(
        read=_READ.format(sleep=sleep, volatility="VOLATILE" if sleep else "STABLE"),
        value_bytes=settings.value_bytes,
        last=settings.keys - 1,
        here=f"hashint4(key) & {settings.shards_count - 1} = {settings.shard}",
        **who,
    )


def _connection(shard: str) -> str:
    return f"dbname={USER} host={shard} port={PORT} connect_timeout=5"
