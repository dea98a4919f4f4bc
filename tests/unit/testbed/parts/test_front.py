"""A front as a service of a trial, and what it is told."""

from dataclasses import replace

import pytest

from fronts import haproxy as haproxy_configuration
from fronts import settings
from testbed.names import FRONTS as IMAGES
from testbed.names import HTTP_FRONTS, front_image
from testbed.parts import front, haproxy, nginx
from testbed.parts import trial as parts
from testbed.parts.front import FRONTS
from testbed.plan.fields import CACHES, OF_HTTP, PROXIES, QUEUEING
from testbed.plan.trials import Trial
from testbed.stack import compose, server_services, system
from testbed.stack.compose import compose_text
from testbed.stack.naming import SERVER_PORT
from testbed.stack.run import Run
from testbed.stack.services import Limits, Service
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of

RUN = Run(**run_of({}))


def trial(front_of: str = "haproxy", more: str = "", model: str = "spmt") -> Trial:
    http = "\nworkload: {protocol: http}" if front_of in OF_HTTP else ""
    of = f"models: {model}\nlimits: {{cpus: 1}}\nreplicas: {{count: 2}}"
    return trial_of(f"{of}\nfront: {{kind: {front_of}{more}}}{http}")


def front_of(of: Trial) -> Service:
    (found,) = (one for one in parts.boxes(RUN, of) if one.role == "front")
    return found


def test_every_front_that_a_sweep_may_ask_for_has_an_image_and_a_row() -> None:
    assert tuple(FRONTS) == PROXIES
    assert {front_image(name) for name in PROXIES} == {*IMAGES, *HTTP_FRONTS}
    assert haproxy.COUNTERS_PORT == haproxy_configuration.RUNTIME_PORT
    assert haproxy.PAGE_PORT == nginx.COUNTERS_PORT == settings.PAGE_PORT
    assert settings.PORT == SERVER_PORT


@pytest.mark.parametrize("name", PROXIES)
def test_what_it_is_told_is_what_it_can_be_told(name: str) -> None:
    for balance in settings.BALANCES if name != "varnish" else settings.BALANCES[:1]:
        told = settings.read(dict(front_of(trial(name, f", balance: {balance}, cpus: 0.3")).environment))
        assert (told.servers, told.spare, told.balance) == (("spmt-1", "spmt-2"), (), balance)
        assert (told.threads, told.connections, told.server_connections) == (1, 1024, 0)


def test_it_starts_after_the_servers_and_has_the_name_that_the_load_asks_for() -> None:
    stack = parts.stack(RUN, MODELS, trial())
    service = stack.service("front")
    assert (service.after, service.aliases, service.image) == (
        *(("spmt-1", "spmt-2"), ("spmt",)),
        "threadmill/haproxy",
    )
    assert service.published == (9999, 8404)
    assert [one.name for one in system.measured(stack)] == ["spmt-1", "spmt-2", "front"]
    rendered = compose.project(stack, {"load": "../../load"})["services"]
    assert rendered["front"]["depends_on"] == ["spmt-1", "spmt-2"]
    assert rendered["front"]["networks"] == {"default": {"aliases": ["spmt"]}}
    assert rendered["front"]["tmpfs"] == ["/tmp"]
    assert rendered["probe-front"]["pid"] == "service:front"
    assert "threadmill/haproxy" in compose_text({"services": rendered})


def test_a_cache_is_told_that_it_is_one_and_varnish_may_run_what_it_compiles() -> None:
    nginx_cache, varnish = (front_of(trial(name)) for name in CACHES)
    assert (nginx_cache.image, nginx_cache.environment["CACHE"]) == ("threadmill/nginx", "on")
    assert "CACHE" not in front_of(trial("nginx")).environment
    assert (varnish.image, varnish.limits.tasks, varnish.published) == ("threadmill/varnish", 1024, (8404,))
    rendered = compose.project(parts.stack(RUN, MODELS, trial("varnish")), {"load": "../../load"})["services"]
    assert rendered["front"]["tmpfs"] == ["/tmp:exec"]
    assert rendered["spmt-1"]["environment"]["FACE"] == "http"


def test_without_a_front_of_its_own_a_trial_has_none() -> None:
    dns = trial_of("models: spmt\nreplicas: {count: 2}\nfront: dns")
    assert [one.role for one in parts.boxes(RUN, dns)] == ["server", "server"]
    assert [one.role for one in parts.boxes(RUN, trial_of("models: spmt"))] == ["server"]


def test_one_server_behind_a_front_is_named_by_number_too() -> None:
    alone = trial_of("models: spmt\nfront: nginx")
    assert [one.name for one in parts.boxes(RUN, alone)] == ["spmt-1", "front"]


@pytest.mark.parametrize(
    ("model", "slots"), [("spst", "1"), ("spmt", "0")], ids=["one at a time", "one thread for each"]
)
def test_with_the_queue_in_front_a_server_gets_as_many_as_it_serves_at_once(model: str, slots: str) -> None:
    assert front_of(trial(more=", queue: front", model=model)).environment["SERVER_MAXCONN"] == slots


def test_nginx_is_never_told_to_queue() -> None:
    assert "nginx" not in QUEUEING
    both = trial_of("models: spst\nreplicas: {count: 2}\nfront: {kind: nginx, queue: server}")
    assert front_of(both).environment["SERVER_MAXCONN"] == "0"


def test_room_for_every_user_and_holder() -> None:
    many = trial_of(
        "models: event-loop\nreplicas: {count: 2}\nfront: haproxy\nload: {users: 8, idle_holders: 5000}",
    )
    assert front_of(many).environment["MAXCONN"] == "5072"


def test_servers_that_may_join_are_told_as_spare_ones_and_not_waited_for() -> None:
    of = trial()
    servers = server_services.servers(RUN, of)
    later = replace(servers[0], name="spmt-3", joins_later=True)
    service = front.service(RUN, of, (*servers, later))
    assert (service.environment["SERVERS"], service.environment["SPARE_SERVERS"]) == ("spmt-1 spmt-2", "spmt-3")
    assert service.after == ("spmt-1", "spmt-2")
    with pytest.raises(ValueError, match=r"^nginx cannot be told of servers while it runs: spmt-3$"):
        front.service(RUN, trial("nginx"), (*servers, later))


def test_its_quota_is_within_the_servers_processors_or_on_those_they_leave() -> None:
    assert front_of(trial(more=", cpus: 0.3")).limits == Limits(0.3, "2-3", 256 * 2**20, 256)
    of = trial_of("models: spmt\nlimits: {cpus: 2, limit: cpuset}\nreplicas: {count: 2}\nfront: haproxy")
    run = replace(RUN, cpu_sets=replace(RUN.cpu_sets, server="1-3"))
    assert front.limits(run, of.cell, 2).processors == "3"
    assert front.limits(RUN, of.cell, 2).processors == "2-3"
