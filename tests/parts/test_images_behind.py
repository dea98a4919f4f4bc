"""The images of what stands behind servers, as `docker inspect` and a shell in them show them."""

import json

import pytest

from testbed.names import PARTS, image_name
from testbed.stack import images as image_builder
from tests.e2e.compose import docker

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images_behind")]

ROLES = dict.fromkeys(PARTS, "store") | dict.fromkeys(("nats", "rabbitmq"), "broker") | {"consumer": "consumer"}
PORTS = {
    "postgres": ["5432/tcp"],
    "pgbouncer": ["5432/tcp"],
    "valkey": ["6379/tcp"],
    "nats": ["4222/tcp", "8222/tcp"],
    "rabbitmq": ["15692/tcp", "5672/tcp"],
    "consumer": [],
}
# What its packages take beside the base, and a third: Erlang with RabbitMQ, PostgreSQL with what it needs, OpenSSL.
MAX_ADDED_BYTES = {
    "postgres": 220_000_000,
    "pgbouncer": 80_000_000,
    "valkey": 18_000_000,
    "nats": 26_000_000,
    "rabbitmq": 95_000_000,
    "consumer": 10_000_000,
}


@pytest.mark.parametrize("name", PARTS)
def test_an_image_names_itself_adds_little_and_is_of_an_ordinary_user(name: str) -> None:
    (image,) = json.loads(docker("inspect", image_name(name)))
    (base,) = json.loads(docker("inspect", image_builder.choose_base(print).reference))
    config = image["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["threadmill.role"] == ROLES[name]
    assert config["Labels"]["org.opencontainers.image.title"] == image_name(name)
    assert sorted(config.get("ExposedPorts") or {}) == PORTS[name]
    assert image["Size"] - base["Size"] <= MAX_ADDED_BYTES[name]
    # With a writable root file system, so that it is the owners and modes that are looked at.
    run = ("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "sh", image_name(name))
    script = "id -u; grep CapEff /proc/self/status; find /app /etc /opt /usr /var/lib -writable ! -type l | head"
    assert docker(*run, "-c", script).split() == ["10001", "CapEff:", "0000000000000000"]
