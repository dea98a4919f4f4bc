"""`python3 -m behind.pgbouncer` becomes the PgBouncer that follows from the environment: transaction pooling before one
PostgreSQL.

Source: PgBouncer 1.24's manual, by the names of the settings.
"""

import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from behind.scram import secret
from behind.settings import USER, SettingsError, common, given, host, run, whole

PORT = 5432
CONFIGURATION = Path("/tmp/pgbouncer.ini")
USERS = Path("/tmp/users.txt")

_OTHER_FILES = 64

_TEMPLATE = """\
[databases]
{user} = host={postgres} port={port} dbname={user} user={user} password={password}

[pgbouncer]
listen_addr = *
listen_port = {port}
auth_type = scram-sha-256
auth_file = {users}
stats_users = {user}
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = {clients}
max_prepared_statements = 100
query_wait_timeout = {wait_s}
# One that the PostgreSQL has lost is asked for again at once.
server_login_retry = 1
server_connect_timeout = 5
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
"""


@dataclass(frozen=True)
class Settings:
    """`pool` connections to the PostgreSQL at most; `clients` of them, each of which waits `wait_s` for one of those
    at most."""

    postgres: str
    password: str
    pool: int
    clients: int
    wait_s: int


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds."""
    env = given(environment)
    return Settings(
        postgres=host(env, "POSTGRES"),
        password=common(env).password,
        pool=whole(env, "POOL", 20, 1, 1_000),
        clients=whole(env, "CLIENTS", 2_000, 1, 100_000),
        wait_s=whole(env, "WAIT", 30, 1, 3_600),
    )


def configuration(settings: Settings) -> str:
    """The text of pgbouncer.ini. Pure."""
    return _TEMPLATE.format(
        user=USER,
        postgres=settings.postgres,
        port=PORT,
        password=settings.password,
        users=USERS,
        pool=settings.pool,
        clients=settings.clients,
        wait_s=settings.wait_s,
    )


def users(settings: Settings) -> str:
    """The text of the file of who may connect. Pure.

    With the secret that the database keeps in place of the password: PgBouncer would derive it at every login, which
    takes it 4 ms.
    """
    return f'"{USER}" "{secret(settings.password)}"\n'


def check_files(settings: Settings, most_files: int) -> None:
    """SettingsError where so many connections need more open files than there may be. Pure."""
    needed = settings.clients + settings.pool + _OTHER_FILES
    if most_files != resource.RLIM_INFINITY and needed > most_files:
        raise SettingsError(
            f"CLIENTS={settings.clients}: needs {needed} open files, and this container's limit is {most_files}:"
            f" allowed is at most {max(most_files - settings.pool - _OTHER_FILES, 0)}, or a higher limit (`nofile`)"
        )


def main() -> None:
    """Write the configuration and become PgBouncer. SettingsError for a bad value."""
    settings = read(os.environ)
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    check_files(settings, most_files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    os.umask(0o077)
    CONFIGURATION.write_text(configuration(settings))
    USERS.write_text(users(settings))
    environment = {name: value for name, value in os.environ.items() if name != "BEHIND_PASSWORD"}
    os.execvpe("pgbouncer", ["pgbouncer", str(CONFIGURATION)], environment)


if __name__ == "__main__":
    sys.exit(run("pgbouncer", main))
