"""Several containers of a model by hand: the commands of the docs as they stand there, what each container then gets,
what `watch` and Locust's page show of each, and that nothing is left."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from testbed.results import web_runs
from testbed.results.findings import exit_report
from testbed.results.reading import trials
from tests.e2e.browsing import chromium
from tests.e2e.compose import PROJECT, Compose, docker, left_of, own_compose
from tests.e2e.stack import CLIENT, orchestrate, terminal
from tests.integration.loadtests.locust_stack import LocustApi
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images"), pytest.mark.timeout(240)]

_SECTION = (PROJECT / "docs/by-hand.md").read_text().partition("## Several containers")[2].partition("\n## ")[0]
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", _SECTION, re.DOTALL) for line in block.splitlines()]
IN_COMPOSE = [line for line in COMMANDS if "docker compose up" in line]
OURS = [line.partition("orchestrate.py ")[2].split() for line in COMMANDS if "orchestrate.py" in line]
_HEADER = (PROJECT / "docker-compose.yml").read_text().partition("name: threadmill")[0]
IN_HEADER = re.findall(r"SERVER_PORT= .*docker compose up --scale .*", _HEADER)
NAMES = ("spmt-1", "spmt-2", "spmt-3")


@pytest.fixture
def compose() -> Iterator[Compose]:
    with own_compose() as compose:
        yield compose


def echoes(address: tuple[str, int], count: int) -> None:
    """So many connections, each open until all have brought a line back."""
    opened = [socket.create_connection(address, 20) for _ in range(count)]
    try:
        for number, connection in enumerate(opened):
            line = b"hello %d\n" % number
            connection.sendall(line)
            assert connection.makefile("rb").readline() == line
    finally:
        for connection in opened:
            connection.close()


def until_it_hands_on(address: tuple[str, int]) -> None:
    """Wait until the front knows its servers."""

    def does() -> bool:
        try:
            echoes(address, 1)
        except (OSError, AssertionError):
            return False
        return True

    wait_until(does, "a line through the front", 30)


def page_of(compose: Compose, front: str, path: str = "/") -> str:
    host, port = compose.address(front, 8404)
    assert host == "127.0.0.1"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{host}:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def servers_up(compose: Compose) -> int:
    rows = [line.split(",") for line in page_of(compose, "haproxy", "/;csv").splitlines()]
    return sum(row[0] == "servers" and row[1].startswith("server-") and row[17].startswith("UP") for row in rows)


def exit_reports(compose: Compose, model: str) -> list[dict[str, Any]]:
    """Of every container of this model, once it has been told to stop."""
    compose("stop", model)
    reports = [exit_report(docker("logs", container)) for container in compose("ps", "-aq", model).split()]
    assert None not in reports
    return [report for report in reports if report]


def test_the_docs_name_the_commands_that_are_tried_here() -> None:
    assert [" ".join(line.split()[-4:]) for line in IN_COMPOSE] == [
        "--scale spmt=3 haproxy locust",
        "--no-recreate --scale spmt=4 spmt",
        "probe-1 probe-2 probe-3 probe-haproxy",
    ]
    assert [line[0] for line in OURS] == ["up", "watch", "down"]
    assert len(IN_HEADER) == 3


def test_three_behind_haproxy_by_the_commands_of_the_docs(compose: Compose) -> None:
    start, one_more, _ = IN_COMPOSE
    compose.typed(start)
    assert compose.services() == ["haproxy", "locust", "spmt", "spmt", "spmt", "worker"]
    front = compose.address("haproxy", 8081)
    until_it_hands_on(front)
    wait_until(lambda: servers_up(compose) == 3, "three servers at HAProxy")
    assert "Statistics Report for HAProxy" in page_of(compose, "haproxy")
    echoes(front, 12)
    # It follows, and what is there stays.
    before = set(compose("ps", "-q", "spmt").split())
    compose.typed(one_more)
    after = set(compose("ps", "-q", "spmt").split())
    assert before < after and len(after) == 4
    wait_until(lambda: servers_up(compose) == 4, "a fourth server at HAProxy")
    echoes(front, 12)
    reports = exit_reports(compose, "spmt")
    assert len(reports) == 4
    assert all(report["accepted"] >= 3 for report in reports), reports
    assert sum(report["served"] for report in reports) >= 24


@pytest.mark.parametrize("line", IN_HEADER)
def test_the_commands_in_the_header_of_the_compose_file_bring_several_up(line: str, compose: Compose) -> None:
    compose.typed(line.replace("docker compose up", "docker compose up --detach"))
    (model, count) = re.findall(r"--scale ([\w-]+)=(\d)", line)[0]
    running = compose.services()
    assert running.count(model) == int(count)
    for front in {"haproxy", "nginx"} & set(running):
        until_it_hands_on(compose.address(front, 8081))
        assert all(report["accepted"] for report in served_each(compose, front, model, int(count)))


def served_each(compose: Compose, front: str, model: str, count: int) -> list[dict[str, Any]]:
    echoes(compose.address(front, 8081), 4 * count)
    return exit_reports(compose, model)


def test_each_of_several_has_a_port_and_a_front_is_confined_like_any_box(compose: Compose) -> None:
    compose("up", "--detach", "--scale", "spmt=2", "haproxy", "nginx", FRONT_CPUS="0.25")
    ports = {compose.address("spmt", 8081, number)[1] for number in (1, 2)}
    assert len(ports) == 2
    for front in ("haproxy", "nginx"):
        container = compose.container(front)
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges=true"]
        assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (250_000_000, 256 * 2**20, 256 * 2**20)
        assert host["RestartPolicy"]["Name"] == "no"
        assert container["Config"]["User"] == "10001:10001"
        published = [one["HostIp"] for bindings in host["PortBindings"].values() for one in bindings]
        assert set(published) == {"127.0.0.1"}


def ours(compose: Compose, *arguments: str) -> str:
    done = orchestrate(*arguments, environment=compose.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_up_with_a_front_says_where_it_answers_and_down_leaves_nothing(compose: Compose) -> None:
    said = ours(compose, "up", "spmt", "--replicas", "2", "--front", "nginx", "--cpus", "0.25")
    addresses = dict(re.findall(r"^([\w-]+): (127\.0\.0\.1:\d+), ", said, re.MULTILINE))
    assert list(addresses) == ["spmt-1", "spmt-2", "nginx"]
    for address in addresses.values():
        host, _, port = address.partition(":")
        echoes((host, int(port)), 2)
    assert "active connections" in page_of(compose, "nginx").lower()
    assert compose.services() == [*("locust", "nginx", "probe-1", "probe-2", "probe-nginx", "spmt", "spmt", "worker")]
    limits = [CLIENT.containers.get(one).attrs["HostConfig"]["NanoCpus"] for one in compose("ps", "-q", "spmt").split()]
    assert limits == [250_000_000] * 2
    # What it says one would type starts nothing anew.
    (typed,) = re.findall(r"^the same without this: (.*)$", said, re.MULTILINE)
    before = set(compose("ps", "-q").split())
    compose.typed(typed)
    assert set(compose("ps", "-q").split()) == before
    ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--replicas", "0"), "--replicas: found 0, allowed: a whole number from 1 to 8"),
        (("--front", "traefik"), "--front: found 'traefik', allowed: none, dns, haproxy, nginx, nginx-cache, varnish,"),
        (("--replicas", "3", "--cpus", "99"), "--cpus: found 99.0, allowed: "),
        (("--replicas", "8", "--memory", "1TiB"), "--memory: found '1TiB', allowed: "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    arguments: tuple[str, ...], message: str, compose: Compose
) -> None:
    done = orchestrate("up", "spmt", *arguments, environment=compose.environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"orchestrate.py: {message}")
    assert left_of(compose.name) == []


def test_watch_has_a_row_for_each_and_follows_those_that_come_and_go(compose: Compose) -> None:
    compose("up", "--detach", "--wait", "--scale", "spmt=2", "haproxy", SERVER_CPUS="0.25")
    name = compose.name
    front = compose.address("haproxy", 8081)
    until_it_hands_on(front)
    looks = [
        json.loads(line) for line in orchestrate("watch", f"{name}-haproxy-1", "--once", "--json").stdout.splitlines()
    ]
    assert [(look["container"], look["role"]) for look in looks] == [(f"{name}-haproxy-1", "front")]
    with terminal("watch", f"{name}-haproxy-1", "--interval", "0.5") as screen:
        screen.wait_for("haproxy  0.5 CPUs, 256MiB")
        screen.interrupt()
        assert screen.end() == 0
    with terminal("watch", name, "--interval", "0.5") as screen:
        for one in ("haproxy-1", "spmt-1", "spmt-2"):
            screen.wait_for(f"\n{one} ")
        screen.wait_for("spmt, 2 containers behind haproxy")
        compose("up", "--detach", "--no-recreate", "--scale", "spmt=3", "spmt", SERVER_CPUS="0.25")
        screen.wait_for("\nspmt-3 ")
        screen.wait_for("spmt, 3 containers behind haproxy")
        shown = len(screen.output)
        compose("up", "--detach", "--no-recreate", "--scale", "spmt=2", "spmt", SERVER_CPUS="0.25")
        wait_until(lambda: "spmt, 2 containers behind haproxy" in screen.output[shown:], "one row less", 30)
        screen.interrupt()
        assert screen.end() == 0
    assert "Traceback" not in screen.output
    assert not [one for one in CLIENT.containers.list(all=True, ignore_removed=True) if "threadmill-watch" in one.name]


@pytest.fixture(scope="module")
def three(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Compose, LocustApi]]:
    """Three behind HAProxy with the page and a probe beside two of them and the front, by the commands of the docs."""
    results = tmp_path_factory.mktemp("results")
    results.chmod(0o777)
    with own_compose() as compose:
        start, _, probes = IN_COMPOSE
        compose.typed(start, RESULTS=str(results))
        compose.typed(probes.replace(" probe-3", ""), RESULTS=str(results))
        host, port = compose.address("locust", 8089)
        api = LocustApi(f"http://{host}:{port}", results)
        wait_until(lambda: api.is_ready(1), "a worker", 60)
        until_it_hands_on(compose.address("haproxy", 8081))
        yield compose, api


@pytest.fixture
def page(three: tuple[Compose, LocustApi]) -> Iterator[Page]:
    _, api = three
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1280, "height": 1600})
        opened.set_default_timeout(15_000)
        opened.goto(api.base_url, wait_until="networkidle")
        yield opened
        api.stop()


def table(page: Page) -> list[list[str]]:
    return [row.locator("td").all_text_contents() for row in page.locator("table tbody tr").all()]


def test_the_page_loads_the_front_and_tells_every_container_apart(
    three: tuple[Compose, LocustApi], page: Page, tmp_path: Path
) -> None:
    compose, api = three
    options = page.locator('select[name="target"] option').all_text_contents()
    assert "haproxy" in options and "nginx" not in options
    expect(page.locator('select[name="target"]')).to_have_value("haproxy")
    for name, value in {"userCount": "6", "spawnRate": "6", "windowS": "6"}.items():
        page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    trial_id = wait_until(lambda: (found := api.status())["users"] and found["trial_id"], "the run to start")
    page.get_by_role("tab", name="Server").click()
    wait_until(lambda: [row[0] for row in table(page) if row].count("CPU") == 3, "figures of three containers")
    rows = table(page)
    heads = [row[0] for row in rows]
    assert rows[0][:2] == ["4 containers", "cores used: not known"]
    for name in ("haproxy", *(f"{compose.name}-{one}" for one in NAMES)):
        assert name in heads, heads
    # Each of the two that have a probe, and the front, has figures of its own; the third says what it lacks.
    assert heads.count("CPU") == 3
    (lacking,) = (row for row in rows if row[0] == f"{compose.name}-spmt-3")
    assert lacking[2].endswith("BACKEND=spmt docker compose up -d --no-deps probe-3")
    api.wait_status("the result", final=True, users=0)
    load = api.result(trial_id)
    assert load["failed"] == 0 and load["ok"] > 0
    assert load["served_by"] == {
        "model": "spmt",
        "front": "haproxy",
        "servers": [f"{compose.name}-{one}" for one in NAMES],
    }
    files = {
        "load.json": (api.results / "load" / f"{trial_id}.json").read_text(),
        "probe.ndjson": (api.results / "load" / f"{trial_id}.probe.ndjson").read_text(),
    }
    told = {(line["model"], line["container"]) for line in map(json.loads, files["probe.ndjson"].splitlines())}
    assert told == {
        ("haproxy", "haproxy"),
        ("spmt", f"{compose.name}-spmt-1"),
        ("spmt", f"{compose.name}-spmt-2"),
    }
    web_runs.store(tmp_path, trial_id, files, machine_cpus=2)
    (row,) = trials(tmp_path, {}).rows
    assert (row["model"], row["replicas"], row["front"], row["users"]) == ("spmt", 3, "haproxy", 6)
    assert row["cpu_used_s"] is None, "one of three has no probe"
    assert row["throughput_rps"] > 0


def test_a_model_by_its_name_shows_each_of_its_containers(three: tuple[Compose, LocustApi]) -> None:
    compose, api = three
    api.start(target="spmt", users=2)

    def shown() -> list[str] | None:
        tables = api.get("/stats/requests").get("extended_stats", [])
        return [row["what"] for row in tables[0]["data"]] if tables else None

    rows = wait_until(shown, "the tab")
    assert rows is not None
    assert rows[0] == "3 containers"
    assert [row for row in rows if row.startswith(compose.name)] == [f"{compose.name}-{one}" for one in NAMES]
    api.stop()
