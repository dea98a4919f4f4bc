"""Idle holders, verification, and connections held for a look at the server."""

import time

import pytest

from loadtests.master.calibrate import SAMPLES
from loadtests.worker.patience import FAILURES_IN_A_ROW, REOPENINGS, TRIES
from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import LocustApi, free_port, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until

CHECKS = ["split", "coalesced", "random_payloads", "bad_directive"]


@pytest.fixture(scope="module")
def spst():
    with server("spst") as running:
        yield running


@pytest.fixture(scope="module")
def counting():
    with rigged.rigged(rigged.echo) as echoing:
        yield echoing


@pytest.fixture(scope="module")
def stack(spst, counting, tmp_path_factory):
    with (
        server("spmt") as spmt,
        server("event-loop", IDLE_TIMEOUT="1.5") as impatient,
        server("spmt", MAX_CONNECTIONS="20") as small,
        rigged.rigged(rigged.lie) as liar,
        rigged.rigged(rigged.close) as closer,
        rigged.rigged(rigged.close_after_the_echo) as fickle,
    ):
        targets = {
            "spst": spst.port,
            "spmt": spmt.port,
            "impatient": impatient.port,
            "small": small.port,
            "counting": counting.port,
            "liar": liar.port,
            "closer": closer.port,
            "fickle": fickle.port,
            "down": free_port(),
        }
        with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
            yield running


def verify(stack, target, **parameters):
    answer = stack.post("/threadmill/verify", target=target, **parameters).json()
    return answer, {check["name"]: check["status"] for check in answer["checks"]}


def test_holders_are_held_beside_the_users_and_counted_apart(stack, counting):
    before = len(counting.connections)
    result = stack.run("held", target="counting", users=4, idle_holders=21)
    held = dict.fromkeys(("wanted", "opened", "held_at_open", "held_at_close", "held_throughout", "echoes"), 21)
    nothing_wrong = {"dropped": 0, "unanswered": 0, "failures": {}, "said": ""}
    assert result["idle_holders"] == {**held, **nothing_wrong}
    assert (result["users"], result["users_starved"], result["failed"]) == (4, 0, 0)
    # One of the check before the start, the holders, the users.
    assert len(counting.connections) - before == 1 + 21 + 4
    assert result["connections_opened"] == 0
    wait_until(
        lambda: all(one.fileno() == -1 for one in counting.connections), "every connection to be closed after the run"
    )


def test_holders_a_server_drops_are_counted_and_opened_again(stack):
    result = stack.run("dropped", target="impatient", users=4, idle_holders=10, warmup_s=0, window_s=3.6)
    assert result["idle_holders"]["wanted"] == result["idle_holders"]["held_at_open"] == 10
    assert result["idle_holders"]["dropped"] >= 10
    # Its users do not fail with them: it has patience for those whom a busy machine keeps from sending for a second.
    assert result["failed"] == 0


def test_holders_that_a_server_refuses_are_not_tried_for_ever(stack):
    result = stack.run("full", target="small", users=2, idle_holders=40, warmup_s=0, window_s=0.5)
    holders = result["idle_holders"]
    # Two workers hold what the server takes; the check before the start may still have been open for the first.
    assert holders["opened"] == holders["held_throughout"] == holders["echoes"] in (19, 20)
    refused = 40 - holders["opened"]
    assert refused <= holders["failures"]["refused"] <= TRIES * refused + FAILURES_IN_A_ROW
    assert holders["said"] == "server is full: 20 connections"
    assert holders["unanswered"] == holders["dropped"] == 0


def test_holders_that_a_server_drops_again_and_again_are_let_go(stack):
    # With a fifth of a second before each time, tried for ever they would have been dropped ten times each.
    holders = stack.run("fickle", target="fickle", users=2, idle_holders=4, warmup_s=0, window_s=2)["idle_holders"]
    assert holders["held_throughout"] == 0
    assert 4 <= holders["dropped"] <= 4 * (1 + REOPENINGS)


def test_holders_that_no_slot_is_left_for_are_given_up_and_known_as_unanswered(stack):
    result = stack.run("one-slot", target="spst", users=1, idle_holders=9, warmup_s=0, window_s=0.3)
    holders = result["idle_holders"]
    assert (holders["opened"], holders["held_throughout"], holders["failures"]) == (1, 1, {"timeout": 8})
    assert (holders["echoes"], holders["unanswered"]) == (1, 8)


def test_holders_of_a_run_that_does_not_start_are_closed(stack, counting):
    before = len(counting.connections)
    # The load of an open loop is shared: each worker needs a user.
    answer = stack.swarm(target="counting", users=1, mode="open", rate=5, idle_holders=5)
    assert (answer["success"], "each worker needs one" in answer["message"]) == (False, True)
    wait_until(lambda: all(one.fileno() == -1 for one in counting.connections[before:]), "the connections to be closed")
    assert stack.run("after", target="counting", users=2)["idle_holders"]["wanted"] == 0


def test_holders_come_before_the_users_and_leave_before_them(stack):
    """A server with room for one client has a holder as that one, until the stop."""
    result = stack.run("blocked", target="spst", users=2, idle_holders=1, stop_grace_s=5)
    assert (result["users_starved"], result["ok"], result["in_flight"]) == (2, 0, 2)
    assert result["totals"] == {**result["totals"], "ok": 2, "in_flight": 0, "sent": 2}


def test_work_asked_for_in_time_is_calibrated_on_the_target_and_its_lines_are_counted(stack, counting):
    counting.lines.clear()
    # This one does nothing but echo, so any work takes it no time: more units than a request may ask for.
    refused = stack.swarm(target="counting", spin_us=5_000_000)
    assert (refused["success"], "spin_us: at most" in refused["message"]) == (False, True)
    result = stack.run("timed", target="spmt", users=1, spin_us=2_000, hash_us=500)
    options = result["options"]
    assert (options["spin_us"], options["hash_us"]) == (2_000, 500)
    # What a unit takes depends on the machine, and every one of them takes some time.
    assert 100 < options["spin_units"] < 200_000
    assert 10 < options["hash_rounds"] < 100_000
    assert result["replies_to_checks"] > 2 * SAMPLES
    both = stack.swarm(target="spmt", spin_us=5, spin_units=5)
    assert both["message"] == "spin_us: 0 where spin_units is given, not 5"


def test_an_honest_server_passes_every_check_and_every_reply_is_counted(stack, counting):
    counting.lines.clear()
    before = len(counting.connections)
    answer, statuses = verify(stack, "counting", parallel=3)
    # This one only echoes, so its answer to a bad directive is the one thing wrong with it.
    assert statuses == {**dict.fromkeys([*CHECKS, "parallel"], "pass"), "bad_directive": "fail"}
    assert "instead of !error" in next(check["reason"] for check in answer["checks"] if check["reason"])
    assert answer["replies"] == len(counting.lines)
    assert answer["connections"] == len(counting.connections) - before
    honest, statuses = verify(stack, "spmt")
    assert set(statuses.values()) == {"pass"}
    assert (honest["errors"], honest["connections"]) == (2, 4 + 4)


def test_a_model_that_serves_one_client_passes_without_the_parallel_check_and_fails_with_it(stack):
    assert verify(stack, "spst", parallel=0)[1] == dict.fromkeys(CHECKS, "pass")
    answer, statuses = verify(stack, "spst", parallel=2)
    assert statuses["parallel"] == "fail"
    assert answer["checks"][-1]["reason"] == "connection 2 of 2 open ones gets no reply"


@pytest.mark.parametrize(
    ("target", "reason"), [("liar", "sent b'byte by byte\\n', received b'byte by byt?\\n'"), ("down", "refused")]
)
def test_a_server_that_is_wrong_or_gone_fails_with_what_was_found(stack, target, reason):
    answer, statuses = verify(stack, target)
    assert statuses["split"] == "fail"
    assert reason in answer["checks"][0]["reason"]
    assert set(verify(stack, "closer")[1].values()) == {"fail"}


def test_held_connections_stay_until_they_are_released_and_every_reply_is_known(stack, counting):
    counting.lines.clear()
    assert stack.post("/threadmill/hold", target="counting", connections=5).json() == {
        "held": 5, "served": 5, "replies": 5,
    }  # fmt: skip
    assert len(counting.lines) == 5
    refused = stack.post("/threadmill/hold", target="counting", connections=5)
    assert (refused.status_code, "release first" in refused.json()["error"]) == (409, True)
    assert stack.post("/threadmill/release").json() == {"released": 5, "replies": 0, "unanswered": 0}
    wait_until(lambda: all(one.fileno() == -1 for one in counting.connections[-5:]), "the connections to be closed")
    assert stack.post("/threadmill/release").json()["released"] == 0


def test_connections_that_were_not_served_while_held_are_read_out_at_the_release(stack):
    assert stack.post("/threadmill/hold", target="spst", connections=3).json() == {
        "held": 3, "served": 1, "replies": 1,
    }  # fmt: skip
    assert stack.post("/threadmill/release").json() == {"released": 3, "replies": 2, "unanswered": 0}


def test_a_server_under_load_is_neither_verified_nor_held(stack):
    stack.start(target="spmt", trial_id="under-load")
    answers = [stack.post(f"/threadmill/{route}", target="spmt", connections=1) for route in ("verify", "hold")]
    stack.stop()
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json() == {"error": "under-load is running: stop it first"}


@pytest.mark.parametrize(
    ("route", "form", "message"),
    [
        ("verify", {"target": "nginx"}, "target: one of spst"),
        ("verify", {"target": "spmt", "parallel": "-1"}, "parallel: a whole number of connections"),
        ("hold", {"target": "spmt"}, "connections: a whole number of connections"),
    ],
)
def test_a_bad_question_is_answered_in_one_line(stack, route, form, message):
    answer = stack.post(f"/threadmill/{route}", **form)
    assert answer.status_code == 409
    assert answer.json()["error"].startswith(message)


def test_answers_do_not_wait_for_delayed_acknowledgements(stack):
    spent = []
    # Connections of their own: one on which a frozen machine has once made the kernel send again may send one segment
    # at a time from then on, and the second has to wait for the first one's acknowledgement all the same.
    for _ in range(3):
        asker = LocustApi(stack.base_url, stack.results)
        for number in range(30):
            began = time.monotonic()
            asker.post("/threadmill/release")
            if number >= 25:  # a new connection's first segments are acknowledged at once
                spent.append(time.monotonic() - began)
    # The kernel would delay every one of them by 40 ms; a busy machine delays some.
    assert min(spent) < 0.03
