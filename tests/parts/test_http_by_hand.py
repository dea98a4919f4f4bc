"""`up --http` with every front, sidecar and store: what a person types at it, with curl."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from testbed.names import FRONTS, http_name
from testbed.plan.axes.front import API_KEY
from testbed.plan.fields import CACHES
from tests.e2e.browsing import chromium
from tests.e2e.built import built
from tests.e2e.compose import Compose, left_of, own_compose
from tests.e2e.stack import orchestrate

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images", "images_by_hand"), pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def images_by_hand() -> None:
    """Those of the servers, of what stands before them, and of the store."""
    models = ("spst", "spmt", "event-loop")
    built([*FRONTS, "varnish", "envoy", "postgres", *map(http_name, models)])


@pytest.fixture
def compose() -> Iterator[Compose]:
    with own_compose() as compose:
        yield compose


def ours(compose: Compose, *arguments: str) -> str:
    done = orchestrate(*arguments, environment=compose.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def typed(said: str) -> list[str]:
    """What the commands that `up` shows print when a person types them."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    commands = re.findall(r"^at work: (curl .*)$", said, re.MULTILINE)
    assert commands
    # No proxy is between this machine and itself.
    direct = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return [
        subprocess.run(["sh", "-ec", one], env=direct, capture_output=True, text=True, timeout=30, check=True).stdout
        for one in commands
    ]


def answers(reply: str) -> None:
    head, _, body = reply.replace("\r\n", "\n").partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.1 200 OK"
    assert body == "hello"
    assert "content-length: 5" in head.lower()


def test_up_with_a_front_answers_curl_and_the_page_offers_http(compose: Compose) -> None:
    said = ours(compose, "up", "spmt", "--http", "--replicas", "2", "--front", "haproxy", "--cpus", "0.25")
    addresses = dict(re.findall(r"^([\w-]+): (127\.0\.0\.1:\d+), ", said, re.MULTILINE))
    assert list(addresses) == ["spmt-http-1", "spmt-http-2", "haproxy"]
    (reply,) = typed(said)
    answers(reply)
    looks = [json.loads(line) for line in ours(compose, "watch", compose.name, "--once", "--json").splitlines()]
    assert sorted(look["model"] for look in looks) == ["haproxy", "spmt", "spmt"]
    assert "was" in ours(compose, "scale", "spmt", "--cpus", "0.2")
    host, port = compose.address("locust", 8089)
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"http://{host}:{port}", wait_until="networkidle")
        expect(page.locator('select[name="protocol"]')).to_have_value("http")
        expect(page.locator('select[name="target"]')).to_have_value("haproxy")
    ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []


def test_several_models_side_by_side_answer_curl(compose: Compose) -> None:
    said = ours(compose, "up", "spst", "event-loop", "--http", "--cpus", "0.25")
    replies = typed(said)
    assert len(replies) == 2
    for reply in replies:
        answers(reply)


def test_up_with_a_store_behind_reads_what_was_written(compose: Compose) -> None:
    said = ours(compose, "up", "spmt", "--http", "--behind", "postgres", "--cpus", "0.3")
    try:
        for reply in typed(said):
            answers(reply)
    finally:
        ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []


@pytest.mark.parametrize("front", CACHES)
def test_up_with_a_cache_answers_curl(compose: Compose, front: str) -> None:
    said = ours(compose, "up", "event-loop", "--http", "--front", front, "--cpus", "0.25")
    (reply,) = typed(said)
    answers(reply)
    assert "x-cache: pass" in reply.lower()
    ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []


def test_a_cache_without_http_is_refused_in_a_line() -> None:
    done = orchestrate("up", "event-loop", "--front", "varnish")
    assert done.returncode == 2
    assert "--front: found varnish without --http" in done.stdout + done.stderr


def statuses(said: str, *headers: str) -> list[str]:
    """Those of the answers to a hundred requests, one after another, to where `up` said that the gateway is."""
    (where,) = re.findall(r"^at work: .*'(127[.0-9:]+)/", said, re.MULTILINE)
    shown = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code} ", *headers]
    command = ["curl", "--noproxy", "*", *shown, "--data", "hello", f"http://{where}/[1-100]"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def test_up_with_a_gateway_answers_curl_but_not_without_the_key_nor_above_the_limit(compose: Compose) -> None:
    told = ("--front", "envoy", "--auth", "key", "--rate-limit", "20", "--cpus", "0.25", "--replicas", "2")
    said = ours(compose, "up", "event-loop", "--http", *told)
    answers(typed(said)[0])
    assert set(statuses(said)) == set(statuses(said, "--header", "X-Api-Key: another")) == {"401"}
    found = statuses(said, "--header", f"X-Api-Key: {API_KEY}")
    # Of the bucket's two tokens one was left: none of those without the key counted against the limit.
    assert found[0] == "200"
    assert set(found) == {"200", "429"}
    ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []


def test_up_with_a_sidecar_answers_curl_and_watch_shows_it(compose: Compose) -> None:
    said = ours(compose, "up", "event-loop", "--http", "--sidecar", "envoy", "--cpus", "0.25")
    answers(typed(said)[0])
    looks = [json.loads(line) for line in ours(compose, "watch", compose.name, "--once", "--json").splitlines()]
    assert {look["role"] for look in looks} == {"server", "sidecar"}, looks
    ours(compose, "down")
    assert left_of(compose.name, volumes=False) == []
