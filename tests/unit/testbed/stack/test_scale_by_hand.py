"""Several containers by hand: what can be asked for, one line for what cannot, and what Compose is told of it."""

import pytest
import yaml

from testbed.errors import UserError
from testbed.plan.fields import OF_HTTP, Machine
from testbed.stack import by_hand, scale_by_hand
from testbed.stack.by_hand import PROJECT, ServerLimits, check_limits
from testbed.stack.scale_by_hand import MOST_REPLICAS, Scale, check_front, check_scale, default_cpus, probes, variables

MACHINE = Machine(2, 8 * 2**30)


@pytest.mark.parametrize(
    ("replicas", "front", "expected"),
    [
        (1, None, Scale(1, "none")),
        (3, None, Scale(3, "dns")),
        (3, "dns", Scale(3, "dns")),
        (1, "dns", Scale(1, "dns")),
        (1, "haproxy", Scale(1, "haproxy")),
        (MOST_REPLICAS, "nginx", Scale(MOST_REPLICAS, "nginx")),
    ],
)
def test_several_are_behind_their_name_where_nothing_else_is_said(
    replicas: int, front: str | None, expected: Scale
) -> None:
    assert check_scale(["spmt"], replicas, front, None) == expected


@pytest.mark.parametrize(
    ("models", "replicas", "front", "front_cpus", "message"),
    [
        (["spmt"], 0, None, None, "--replicas: found 0, allowed: a whole number from 1 to 8"),
        (["spmt"], 9, None, None, "--replicas: found 9, allowed: a whole number from 1 to 8"),
        (["spmt"], 2, "traefik", None, "--front: found 'traefik', allowed: none, dns, haproxy, nginx, nginx-cache"),
        (["spmt"], 2, "none", None, "--front: found none with 2 replicas, allowed: dns, haproxy, nginx"),
        (["spmt", "spst"], 2, None, None, "--replicas: found with 2 models (spmt, spst), allowed: with one"),
        (["spmt", "spst"], 1, "nginx", None, "--front: found with 2 models (spmt, spst), allowed: with one"),
        (["spmt"], 2, "dns", 0.2, "--front-cpus: found 0.2 with front dns, allowed: with --front haproxy, nginx,"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    models: list[str], replicas: int, front: str | None, front_cpus: float | None, message: str
) -> None:
    with pytest.raises(UserError) as refused:
        check_scale(models, replicas, front, front_cpus)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("scale", "cpus"),
    [
        (Scale(1), 1.0),
        (Scale(2, "dns"), 1.0),
        (Scale(3, "haproxy"), 0.5),
        (Scale(3, "dns"), 0.65),
        (Scale(8, "nginx", 1.9), 0.05),
        (Scale(1, "nginx"), 1.0),
    ],
)
def test_without_a_limit_each_gets_what_the_machine_has_for_all(scale: Scale, cpus: float) -> None:
    assert default_cpus(scale, MACHINE) == cpus


@pytest.mark.parametrize(
    ("scale", "cpus", "memory", "message"),
    [
        (
            Scale(3, "haproxy"),
            1.0,
            "128MiB",
            "--cpus: found 1 for each of 3 and 0.5 for the front, 3.5 in all, allowed: at most the 2 CPUs of this",
        ),
        (Scale(3, "dns"), 1.0, "128MiB", "--cpus: found 1 for each of 3, 3 in all, allowed: at most the 2 CPUs"),
        (Scale(8, "nginx", 2.0), None, "128MiB", "--cpus: found 0.05 for each of 8 and 2 for the front, 2.4 in all"),
        (Scale(2, "nginx", 9.0), 0.5, "128MiB", "--front-cpus: found 9.0, allowed: a number from 0.05 to 2"),
        (Scale(2, "dns"), 0.5, "5GiB", "--memory: found 5GiB for each of 2, 10GiB in all, allowed: at most the 8GiB"),
    ],
)
def test_more_than_the_machine_is_refused(scale: Scale, cpus: float | None, memory: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_limits(cpus, memory, MACHINE, scale)
    assert str(refused.value).startswith(message)


def test_one_server_alone_is_bounded_as_ever() -> None:
    assert check_limits(None, "128MiB", MACHINE) == ServerLimits(1.0, 128 * 2**20)
    assert check_limits(2.0, "128MiB", MACHINE).cpus == 2.0


def test_compose_is_told_of_nothing_where_there_is_one_server() -> None:
    assert variables(Scale(), "spmt") == {}
    assert variables(Scale(1, "nginx"), "spmt") == {"BACKEND": "spmt", "FRONT_CPUS": "0.5", "FRONT_THREADS": "1"}
    assert variables(Scale(2, "haproxy", 1.5), "spmt") == {
        "SERVER_PORT": "",
        "BACKEND": "spmt",
        "FRONT_CPUS": "1.5",
        "FRONT_THREADS": "2",
    }
    assert variables(Scale(2, "dns"), "spmt") == {"SERVER_PORT": "", "BACKEND": "spmt"}


def test_each_container_has_a_probe_that_the_compose_file_knows() -> None:
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert probes(Scale(1, "nginx"), "spmt") == ["spmt", "nginx"]
    most = probes(Scale(MOST_REPLICAS, "haproxy"), "spmt")
    assert most == ["1", "2", "3", "4", "5", "6", "7", "8", "haproxy"]
    assert {f"probe-{name}" for name in most} <= set(services)


def test_up_says_where_each_answers_and_what_a_person_would_type(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    built: list[str] = []

    def compose(*arguments: str, **_: object) -> str:
        commands.append(arguments)
        return f"127.0.0.1:90{len(commands):02}\n" if arguments[0] == "port" else ""

    monkeypatch.setattr(by_hand, "_compose", compose)
    monkeypatch.setattr(by_hand.images, "build_missing", lambda names, _: built.extend(names))
    said: list[str] = []
    by_hand.up(["spmt"], ServerLimits(0.5, 2**27), 2, False, said.append, Scale(2, "haproxy"))
    assert built == ["spmt", "haproxy", "locust", "probe"]
    (up,) = (one for one in commands if one[0] == "up")
    assert " ".join(up) == (
        "up --detach --wait --scale worker=2 --scale spmt=2 spmt haproxy probe-1 probe-2 probe-haproxy locust worker"
    )
    assert ("run", "--rm", "--no-deps", "-T", "client", "haproxy", "hello") in commands
    assert [line.partition(":")[0] for line in said[1:-1]] == [
        "spmt-1",
        "spmt-2",
        "haproxy",
        "the same without this",
        "Locust",
    ]
    assert said[-3].endswith(
        "SERVER_CPUS=0.5 SERVER_MEMORY=134217728 PACKET_LOG= SERVER_PORT= BACKEND=spmt FRONT_CPUS=0.5 FRONT_THREADS=1 "
        "docker compose up --detach --scale worker=2 --scale spmt=2 spmt haproxy probe-1 probe-2 probe-haproxy locust"
    )


def test_a_front_that_hands_nothing_on_is_said_in_one_line_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []

    def compose(*arguments: str, **_: object) -> str:
        commands.append(arguments[0])
        if arguments[0] == "run":
            raise UserError("docker compose run failed: client: nginx:8081: the server closed the connection")
        return ""

    monkeypatch.setattr(by_hand, "_compose", compose)
    monkeypatch.setattr(by_hand.images, "build_missing", lambda *_: None)
    with pytest.raises(UserError) as refused:
        by_hand.up(["spmt"], ServerLimits(0.5, 2**27), 1, False, lambda _: None, Scale(2, "nginx"))
    assert str(refused.value) == (
        "nginx hands no line on to spmt: nginx:8081: the server closed the connection; docker compose logs nginx"
    )
    assert commands[-1] == "down"


@pytest.mark.parametrize("front", OF_HTTP)
def test_a_cache_is_before_servers_that_speak_http_alone(front: str) -> None:
    check_front(Scale(1, front), http=True)
    check_front(Scale(2, "nginx"), http=False)
    with pytest.raises(UserError, match=f"^--front: found {front} without --http, allowed: with it"):
        check_front(Scale(1, front), http=False)


def test_one_server_over_http_may_have_a_sidecar() -> None:
    beside = scale_by_hand.with_sidecar(Scale(), "envoy", ["spmt"], http=True)
    assert beside == Scale(sidecar="envoy")
    assert variables(beside, "spmt-http") == {"BACKEND": "spmt-http", "PORT": "8082"}
    for nothing in (None, "none"):
        assert scale_by_hand.with_sidecar(Scale(), nothing, ["spmt"], http=False) == Scale()


@pytest.mark.parametrize(
    ("scale", "sidecar", "models", "http", "message"),
    [
        (Scale(), "nginx", ["spmt"], True, "--sidecar: found 'nginx', allowed: none, envoy"),
        (Scale(), "envoy", ["spmt"], False, "--sidecar: found envoy without --http, allowed: with it: a line is "),
        (Scale(2, "dns"), "envoy", ["spmt"], True, "--sidecar: found envoy with 2 replicas, allowed: with one server"),
        (Scale(), "envoy", ["spmt", "mpst"], True, "--sidecar: found envoy with 2 models, allowed: with one server"),
    ],
)
def test_a_sidecar_that_cannot_be_is_refused_in_one_line(
    scale: Scale, sidecar: str, models: list[str], http: bool, message: str
) -> None:
    with pytest.raises(UserError) as refused:
        scale_by_hand.with_sidecar(scale, sidecar, models, http)
    assert str(refused.value).startswith(message)
