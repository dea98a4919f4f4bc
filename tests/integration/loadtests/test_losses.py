"""What a run does that loses a worker, its server or its directory. Each test breaks its stack, so each has its own."""

import signal
import socket

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until


def test_a_server_that_dies_is_failures_to_connect_and_the_run_goes_on(tmp_path):
    with rigged.rigged(rigged.echo) as dying, locust_stack({"dying": dying.port}, tmp_path, 1) as alone:
        alone.start(target="dying", trial_id="dies", window_s=1)
        wait_until(lambda: dying.lines, "requests")
        dying.stop()
        wait_until(lambda: alone.status()["window_closes_in_s"] < 0, "the window to close")
        assert alone.stop()["complete"] is True
        result = alone.result("dies")
        assert result["failures"]["connect"] > 0
        assert result["failures"]["bad_echo"] == 0
        assert result["users"] == 4


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_worker_lost_during_a_run_ends_it_without_a_result(tmp_path, signum):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path) as stack:
        stack.start(target="spmt", trial_id="lost")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.workers[0].send_signal(signum)
        status = wait_until(lambda: (found := stack.status())["error"] and found, "the loss to be noticed", 15)
        assert status["workers_expected"] == 2
        assert status["workers"] == 1
        assert status["error"] == "1 of 2 workers lost: the run is stopped and not recorded"
        answer = stack.stop()
        assert (answer["complete"], answer["file"]) == (False, "")
        assert (answer["workers_final"], answer["workers_expected"]) == (1, 2)
        stack.wait_status("no users", users=0, final=False)
        assert not (tmp_path / "load" / "lost.json").exists()
        if signum == signal.SIGKILL:
            # The stack is of use again with the worker that is left.
            assert stack.run("after", target="spmt")["workers"] == 1


def test_a_stop_right_after_a_worker_died_does_not_claim_to_be_complete(tmp_path):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path) as stack:
        stack.start(target="spmt", trial_id="half")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.workers[1].kill()
        answer = stack.stop()
        assert (answer["complete"], answer["workers_final"], answer["workers_expected"]) == (False, 1, 2)
        assert not (tmp_path / "load" / "half.json").exists()


def test_a_worker_that_joins_during_a_run_spoils_it(tmp_path):
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path, workers=1) as stack:
        stack.start(target="spmt", trial_id="joined")
        wait_until(lambda: stack.status()["users"] == 4, "all users")
        stack.add_worker()
        wait_until(lambda: "a worker joined" in stack.status()["error"], "the newcomer to be noticed")
        assert stack.stop()["complete"] is False
        stack.wait_ready(2)
        assert stack.run("both", target="spmt")["workers"] == 2


def test_without_a_worker_nothing_starts_and_the_page_says_why(tmp_path):
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=0) as stack:
        assert stack.swarm(target="one") == {
            "success": False,
            "message": "no worker is ready: docker compose up worker",
        }
        assert stack.stop()["complete"] is False


def test_a_directory_that_cannot_be_written_is_said_and_not_hidden(tmp_path):
    (tmp_path / "load").write_text("a file where the directory should be")
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=1) as stack:
        answer = stack.swarm(target="one", trial_id="nowhere")
        assert answer["success"] is False
        assert answer["message"].startswith("results cannot be written: ")
        assert stack.status()["users"] == 0


def test_bad_targets_stop_locust_at_start_with_one_line(tmp_path):
    message = "TARGET_ADDRESSES: each item is model=host:port"
    with pytest.raises(AssertionError, match=message), locust_stack({"": 1}, tmp_path, workers=0):
        pass


def test_a_port_is_free_again_after_a_stack(tmp_path):
    with rigged.rigged(rigged.echo) as echoing, locust_stack({"one": echoing.port}, tmp_path, workers=1) as stack:
        port = int(stack.base_url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
