"""A server is asked to commit a fault by a request of the master's own, whatever else is on."""

import pytest


def asked(stack, target, how="segv"):
    return stack.post("/threadmill/crash", target=target, how=how).json()


def test_one_that_ends_the_connection_has_done_what_it_was_asked(stack, counting):
    # As a process does that dies; that real servers do, tests/integration/servers/test_faults.py says.
    assert asked(stack, "closer") == {"error": "", "connections": 1}
    counting.lines.clear()
    assert asked(stack, "counting", "exit")["error"] == "counting answered as if nothing had been asked of it"
    assert counting.lines == [b"!crash=exit threadmill-crash\n"]


def test_what_came_of_it_otherwise_is_told(stack):
    refused = asked(stack, "spmt")
    assert refused["connections"] == 1
    assert refused["error"] == ("spmt: refused: the server answered !error (crash is refused: ALLOW_FAULTS is not 1)")
    assert asked(stack, "down") == {"error": "down takes no connection", "connections": 0}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"target": "spmt", "how": "lie"}, "how: segv or exit or raise or oom, not 'lie'"),
        ({"target": "elsewhere", "how": "segv"}, "target: one of spst, spmt"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_line(stack, form, message):
    response = stack.post("/threadmill/crash", **form)
    assert response.status_code == 409
    assert response.json()["error"].startswith(message)


def test_pages_of_other_sites_cannot_ask_for_it(stack):
    elsewhere = {"Origin": "https://example.org"}
    assert stack.post("/threadmill/crash", headers=elsewhere, target="spmt", how="segv").status_code == 403
