"""The web page as a person uses it, in headless Chromium."""

import os
import re

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from servers.models import SERVERS
from testbed.results import web_runs
from testbed.results.reading import trials
from testbed.stack.machine import find_browser
from tests.e2e.compose import own_compose
from tests.integration.loadtests.locust_stack import LocustApi
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

CHROMIUM = find_browser()


@pytest.fixture(scope="module")
def stack(images, tmp_path_factory):
    """Two models, Locust's master and two workers in their containers, as `docker compose up` starts them."""
    directory = tmp_path_factory.mktemp("stack")
    results = directory / "results"
    results.mkdir(mode=0o777)
    results.chmod(0o777)
    with own_compose() as compose:
        services = ("spmt", "probe-spmt", "event-loop", "locust")
        compose("up", "--detach", *services, "--scale", "worker=2", RESULTS=str(results))
        host, port = compose.address("locust", 8089)
        running = LocustApi(f"http://{host}:{port}", results)
        wait_until(lambda: running.is_ready(2), "two workers", 60)
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
    # Idle, because the first answers about the state of the run draw the page anew.
    opened.goto(stack.base_url, wait_until="networkidle")
    # Once something has run, the page opens with its statistics.
    field, new = opened.locator('input[name="userCount"]'), opened.get_by_role("button", name="New", exact=True)

    def form_is_open():
        field.or_(new).first.wait_for()
        if not field.is_visible():
            new.click()
        return field.is_visible()

    wait_until(form_is_open, "the form")
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
    assert choices(page) == list(SERVERS)
    expect(page.locator('select[name="target"]')).to_be_visible()
    expect(page.locator('select[name="target"]')).to_have_value("spmt")


def test_the_form_shows_what_matters_and_hides_what_has_no_meaning_here(page):
    expect(page).to_have_title("Threadmill")
    for name in (
        *("target", "mode", "rate", "loadProfile", "arrivals", "thinkMs", "connection", "idleHolders"),
        *("payloadBytes", "sleepUs", "spinUs", "hashUs", "warmupS", "windowS"),
    ):
        expect(page.locator(f'[name="{name}"]')).to_be_visible()
    for name in ("host", "profile"):
        expect(page.locator(f'input[name="{name}"]')).to_be_hidden()
    for name in ("trialId", "seed", "stopGraceS", "replyTimeoutS", "spinUnits", "hashRounds"):
        expect(page.locator(f'[name="{name}"]')).to_have_count(0)


def test_the_target_comes_first_and_fields_are_named_as_a_person_would(page):
    labels = {
        "target": "Target (the model to load)",
        "thinkMs": "Think time (ms between reply and next request)",
        "spinUs": "Spin per request (us of CPU, holding Python's lock)",
    }
    for name, text in labels.items():
        field = page.locator(".MuiFormControl-root", has=page.locator(f'> * [name="{name}"]')).last
        expect(field.locator("label")).to_have_text(text)
    expect(page.locator('input[name="precise"]').locator("xpath=ancestor::label")).to_be_visible()
    fields = page.locator("form .MuiFormControl-root:visible, form .MuiFormControlLabel-root:visible").all()
    places = [(box["y"], box["x"], field) for field in fields if (box := field.bounding_box())]
    first = min(places, key=lambda place: place[:2])[2]
    expect(first.locator('select[name="target"]')).to_have_count(1)


def opacity(page: Page, name: str) -> float:
    field = page.locator(".MuiFormControl-root", has=page.locator(f'[name="{name}"]')).last
    return float(field.evaluate("element => getComputedStyle(element).opacity"))


def test_fields_of_the_other_mode_are_faded_and_those_of_this_one_are_not(page):
    assert (opacity(page, "thinkMs"), opacity(page, "connection")) == (1, 1)
    assert opacity(page, "rate") == opacity(page, "arrivals") < 0.5
    page.locator('select[name="mode"]').select_option("open")
    assert opacity(page, "thinkMs") < 0.5
    assert (opacity(page, "rate"), opacity(page, "arrivals"), opacity(page, "connection")) == (1, 1, 1)


def test_an_open_loop_with_idle_holders_is_started_from_the_form_and_recorded(page, stack):
    page.locator('select[name="mode"]').select_option("open")
    page.locator('select[name="arrivals"]').select_option("poisson")
    for name, value in {"rate": "200", "idleHolders": "3", "spinUs": "300", "windowS": "1", "spawnRate": "8"}.items():
        page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    trial_id = wait_until(lambda: (found := stack.status())["users"] and found["trial_id"], "the run to start")
    stack.wait_status("the result", final=True, users=0)
    result = stack.result(trial_id)
    options = {name: result["options"][name] for name in ("mode", "rate", "arrivals", "idle_holders")}
    assert options == {"mode": "open", "rate": 200, "arrivals": "poisson", "idle_holders": 3}
    assert (result["idle_holders"]["held_throughout"], result["failed"]) == (3, 0)
    # What 300 us come to on this machine is known only roughly: 60 units of a slow one, 30,000 of no one.
    assert result["options"]["spin_us"] == 300
    assert 60 < result["options"]["spin_units"] < 30_000
    assert 100 < result["offered"] < 300


def test_a_profile_typed_into_the_form_is_the_rate_that_the_run_follows(page, stack):
    page.locator('select[name="mode"]').select_option("open")
    for name, value in {"loadProfile": "60x1s, 240x1s,120-0x1s", "windowS": "4"}.items():
        page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    trial_id = wait_until(lambda: (found := stack.status())["users"] and found["trial_id"], "the run to start")
    stack.wait_status("the result", final=True, users=0)
    result = stack.result(trial_id)
    assert (result["options"]["load_profile"], result["options"]["rate"]) == ("60x1s,240x1s,120-0x1s", 0)
    # By second: a step, another, the area under the ramp, and then the rate at its end.
    assert [piece["offered"] for piece in result["slices"] if piece["in_window"]] == [60, 240, 60, 0]
    assert (result["offered"], result["failed"]) == (360, 0)


def test_a_combination_that_makes_no_sense_is_refused_with_a_message_in_the_page(page, stack):
    page.locator('select[name="mode"]').select_option("open")
    page.get_by_role("button", name="Start", exact=True).click()
    message = "rate: mode open needs requests per second above 0, not 0"
    expect(page.get_by_role("alert")).to_have_text(message)
    assert stack.status()["users"] == 0


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
        ("loadProfile", "100x20s,400", "load_profile: segment 2, '400': allowed: segments such as 100x20s, "),
        ("loadProfile", "100x20s", "load_profile: '100x20s' needs mode open"),
        ("payloadBytes", "lots", "payload_bytes: a whole number from 1 to 65536, not 'lots'"),
        ("connection", "maybe", "connection: persistent, per-request or a whole number"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_in_the_page(page, stack, name, value, message):
    page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text(re.compile(re.escape(message)))
    assert "\n" not in page.get_by_role("alert").inner_text()
    assert stack.status()["users"] == 0


def test_a_model_that_is_not_up_is_refused_with_the_command_that_starts_it(page):
    page.locator('select[name="target"]').select_option("spst")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("spst is not up: docker compose up spst")


def test_the_list_of_targets_says_which_are_up(page):
    option = page.locator('select[name="target"] option')
    expect(option.and_(page.locator('[value="spmt"]'))).to_have_attribute("label", "spmt (up)")
    expect(option.and_(page.locator('[value="spst"]'))).to_have_attribute("label", "spst (not up)")


def server_figures(page: Page) -> dict[str, str]:
    """The Server tab's table: what it is, and what it is now."""
    rows = page.locator("table tbody tr").all()
    texts = [row.locator("td").all_text_contents() for row in rows]
    return {cells[0]: cells[1] for cells in texts if len(cells) == 3}


def test_the_server_tab_shows_the_probes_live_figures_of_the_target(page, stack):
    page.locator('input[name="userCount"]').fill("6")
    page.locator('input[name="spawnRate"]').fill("6")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("tab", name="Server").click()

    def shown():
        figures = server_figures(page)
        # A thread for each user, one that accepts. A busy machine reads some figures later than others.
        return figures if figures.get("threads") == "7" and "-" not in figures.values() else None

    figures = wait_until(shown, "the figures of the server", 30)
    assert re.fullmatch(r"[01]\.\d\d of 1", figures["CPU"]), figures
    assert re.fullmatch(r"\d+\.\d MiB of 128", figures["memory"]), figures
    assert figures["processes"] == "1"
    assert figures["accept queue"] == "0"


def test_a_target_without_a_probe_says_how_to_start_one(page, stack):
    page.locator('select[name="target"]').select_option("event-loop")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("tab", name="Server").click()
    expect(page.get_by_text("docker compose up -d probe-event-loop")).to_be_visible()


def test_a_finished_run_is_recorded_with_its_settings_and_the_probes_lines(page, stack, tmp_path):
    for name, value in {"userCount": "5", "payloadBytes": "100", "windowS": "4"}.items():
        page.locator(f'input[name="{name}"]').fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    trial_id = wait_until(lambda: (found := stack.status())["users"] and found["trial_id"], "the run to start")
    stack.wait_status("the result", final=True, users=0)
    files = {
        "load.json": (stack.results / "load" / f"{trial_id}.json").read_text(),
        "probe.ndjson": (stack.results / "load" / f"{trial_id}.probe.ndjson").read_text(),
    }
    web_runs.store(tmp_path, trial_id, files, machine_cpus=2)
    (row,) = trials(tmp_path, {}).rows
    assert (row["model"], row["cpus"], row["payload_bytes"], row["users"]) == ("spmt", 1.0, 100, 5)
    assert row["verdict"] != "invalid", row["reasons"]
    assert row["cpu_used_s"] > 0
    assert row["throughput_rps"] > 0
