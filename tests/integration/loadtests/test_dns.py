"""One name with three addresses, and real sockets behind each: who gets the connections, and that all are counted."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES

PROJECT = Path(__file__).parents[3]
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture
def drive():
    """Drives users against the three; what the load counted, held against what each of them accepted."""
    with ExitStack() as running:
        first = running.enter_context(rigged.rigged(rigged.echo))
        others = [running.enter_context(rigged.rigged(rigged.echo, host, first.port)) for host in HOSTS[1:]]
        replicas = dict(zip(HOSTS, [first, *others], strict=True))

        def driven(engine, dns, connection, users, requests):
            program = [sys.executable, "-m", "tests.integration.loadtests.several_addresses"]
            asked = [engine, dns, connection, str(users), str(requests), str(first.port), *HOSTS]
            done = subprocess.run([*program, *asked], cwd=PROJECT, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            found = json.loads(done.stdout.splitlines()[-1])
            accepted = {host: len(one.connections) for host, one in replicas.items() if one.connections}
            assert found["made"] == {f"{host}:{first.port}": count for host, count in accepted.items()}
            assert found["opened"] == sum(accepted.values())
            assert (found["failures"], found["in_flight"]) == ({}, 0)
            return found | {"by_host": [accepted.get(host, 0) for host in HOSTS]}

        yield driven


@pytest.mark.parametrize("engine", ENGINES)
def test_each_connection_asks_anew_and_replicas_share_them(drive, engine):
    found = drive(engine, "each", "per-request", 8, 300)
    assert found["opened"] == found["sent"]
    # A third each, give or take far more than five standard deviations.
    assert min(found["by_host"]) > found["sent"] / 3 - 50


@pytest.mark.parametrize("engine", ENGINES)
def test_all_addresses_are_taken_in_turn(drive, engine):
    assert drive(engine, "all", "persistent", 7, 100)["by_host"] == [3, 2, 2]


@pytest.mark.parametrize("engine", ENGINES)
def test_once_loads_one_replica_alone(drive, engine):
    by_host = drive(engine, "once", "20", 4, 200)["by_host"]
    assert by_host[0] >= 10
    assert by_host[1:] == [0, 0]
