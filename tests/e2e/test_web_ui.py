"""The web page as a person uses it, in headless Chromium."""

import os
import re
import shutil

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.integration.loadtests.locust_stack import free_port, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with server("spmt") as spmt, server("event-loop") as event_loop:
        targets = {"spst": free_port(), "spmt": spmt.port, "event-loop": event_loop.port}
        with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
            yield running


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, stack):
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    opened.set_default_timeout(15_000)
    opened.goto(stack.base_url)
    # Once something has run, the page opens with its statistics.
    form, new = opened.locator("form"), opened.get_by_role("button", name="New", exact=True)
    form.or_(new).first.wait_for()
    if new.is_visible():
        new.click()
    yield opened
    opened.close()
    stack.stop()
    wait_until(lambda: stack.status()["state"] in ("ready", "stopped"), "the run to be over")


def choices(page: Page) -> list[str]:
    return page.locator('select[name="target"] option').all_text_contents()


def requests_in_table(page: Page, name: str) -> int:
    row = page.locator("tr", has=page.get_by_role("cell", name=name, exact=True))
    texts = row.first.locator("td").all_text_contents() if row.count() else []
    return int(texts[2].replace(",", "")) if len(texts) > 2 and texts[2].strip().isdigit() else 0


def test_the_page_offers_every_model_and_has_chosen_one_that_is_up(page):
    assert choices(page) == ["spst", "spmt", "event-loop"]
    expect(page.locator('select[name="target"]')).to_be_visible()
    expect(page.locator('select[name="target"]')).to_have_value("spmt")


def test_the_form_shows_what_matters_and_hides_what_has_no_meaning_here(page):
    expect(page).to_have_title("Threadmill")
    for name in ("target", "connection", "payloadBytes", "thinkMs", "sleepUs", "spinUnits", "warmupS", "windowS"):
        expect(page.locator(f'[name="{name}"]')).to_be_visible()
    for name in ("host", "profile"):
        expect(page.locator(f'input[name="{name}"]')).to_be_hidden()
    expect(page.locator('[name="trialId"]')).to_have_count(0)


def test_a_person_chooses_a_model_starts_sees_requests_rise_and_stops(page, stack):
    page.locator('select[name="target"]').select_option("event-loop")
    page.locator('input[name="userCount"]').fill("4")
    page.locator('input[name="spawnRate"]').fill("4")
    page.get_by_role("button", name="Start", exact=True).click()
    first = wait_until(lambda: requests_in_table(page, "event-loop"), "requests in the table")
    wait_until(lambda: requests_in_table(page, "event-loop") > first, "requests to rise")
    assert stack.status()["users"] == 4
    page.get_by_role("button", name="Stop", exact=True).click()
    status = stack.wait_status("the result", final=True, users=0)
    result = stack.result(status["trial_id"])
    assert (result["target"], result["users"], result["failed"]) == ("event-loop", 4, 0)
    assert result["ok"] > 0


def test_pressing_start_at_once_just_works(page, stack):
    users = int(page.locator('input[name="userCount"]').input_value())
    page.get_by_role("button", name="Start", exact=True).click()
    wait_until(lambda: requests_in_table(page, "spmt"), "requests in the table")
    assert stack.status()["users"] == users > 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("payloadBytes", "lots", "payload_bytes: a whole number from 1 to 65536, not 'lots'"),
        ("connection", "maybe", "connection: persistent, per-request or a whole number"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_in_the_page(page, stack, name, value, message):
    page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text(re.compile(re.escape(message)))
    assert stack.status()["users"] == 0


def test_a_model_that_is_not_up_is_refused_with_the_command_that_starts_it(page):
    page.locator('select[name="target"]').select_option("spst")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("spst is not up: docker compose up spst")
