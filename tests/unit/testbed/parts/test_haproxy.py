"""HAProxy's counters, read out of an answer that one has given, and out of answers that are none."""

from pathlib import Path

import pytest

from testbed.parts.asking import Address, PartError
from testbed.parts.counts import UNKNOWN, FrontCounts, ServerCounts
from testbed.parts.haproxy import HAProxy, parse
from tests.unit.testbed.parts.answering import answering

# Of a HAProxy 3.0 before two servers with a place for a third, each of which gets one connection at a time: of seven
# clients one has gone, two are served and four wait.
ANSWER = (Path(__file__).parents[3] / "fixtures" / "fronts" / "haproxy-show-stat.csv").read_text()


def changed(server: str, **columns: str) -> str:
    """The answer with other values in a line."""
    names = ANSWER.splitlines()[0].removeprefix("# ").split(",")
    lines = []
    for line in ANSWER.splitlines():
        values = line.split(",")
        if values[1:2] == [server]:
            for name, value in columns.items():
                values[names.index(name)] = value
        lines.append(",".join(values))
    return "\n".join(lines) + "\n"


def test_the_counts_of_clients_and_of_each_server_are_found() -> None:
    assert parse(ANSWER) == FrontCounts(
        connections=7,
        open=6,
        open_most=7,
        limit=8000,
        waiting=4,
        waiting_most=5,
        servers={
            "fs-1": ServerCounts(connections=1, open=1, waiting=0, waiting_most=0, failed=0),
            "fs-2": ServerCounts(connections=2, open=1, waiting=0, waiting_most=0, failed=0),
            "fs-3": ServerCounts(connections=0, open=0, waiting=0, waiting_most=0, failed=0),
        },
    )


def test_those_that_wait_for_one_server_wait_too() -> None:
    counts = parse(changed("fs-2", qcur="3", qmax="4"))
    assert counts.waiting == 7
    assert counts.servers["fs-2"].waiting == 3
    # The longest of two queues need not have been at the same time.
    assert counts.waiting_most is None
    alone = parse(changed("fs-2", qmax="4").replace(changed("BACKEND").splitlines()[5], backend_without_queue()))
    assert alone.waiting_most == 4


def backend_without_queue() -> str:
    return changed("BACKEND", qcur="0", qmax="0").splitlines()[5]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "Unknown command\n", ANSWER.splitlines()[0], ANSWER[: ANSWER.index("servers,BACKEND")]],
    ids=["nothing", "an empty line", "an error", "only the head", "cut off before the sum"],
)
def test_from_a_bad_answer_nothing_is_known(text: str) -> None:
    assert parse(text) == UNKNOWN


def test_a_column_that_is_no_number_is_not_known_and_never_zero() -> None:
    counts = parse(changed("fs-1", stot="", qcur="many"))
    assert counts.servers["fs-1"] == ServerCounts(open=1, waiting_most=0, failed=0)
    assert counts.waiting is None
    assert parse(changed("FRONTEND", stot="-")).connections is None


def test_without_the_clients_line_the_servers_are_known_all_the_same() -> None:
    counts = parse(ANSWER.replace("clients,FRONTEND", "others,FRONTEND"))
    assert (counts.connections, counts.open, counts.limit) == (None, None, None)
    assert counts.servers["fs-2"].connections == 2


MOVED = "IP changed from '192.0.2.1' to '10.0.0.3' by 'stats socket command'\n\n"


def test_servers_are_told_and_asked_about_by_the_runtime_api() -> None:
    with answering({"set server servers/fs-3 addr": MOVED, "set server": "\n", "show stat": ANSWER}) as (port, asked):
        front = HAProxy(Address("front", port))
        front.set_address("fs-3", "10.0.0.3", 8081)
        front.enable("fs-3")
        front.drain("fs-1")
        assert front.sessions("fs-2") == 1
        assert front.read() == parse(ANSWER)
    assert asked[:3] == [
        "set server servers/fs-3 addr 10.0.0.3 port 8081\n",
        "set server servers/fs-3 state ready\n",
        "set server servers/fs-1 state drain\n",
    ]


def test_what_it_refuses_is_an_error_of_one_line() -> None:
    with answering({"set server": "No such server.\n\n", "show stat": "\n"}) as (port, _):
        front = HAProxy(Address("front", port))
        with pytest.raises(PartError, match=r"^front refused state ready for fs-9: No such server\.$"):
            front.enable("fs-9")
        with pytest.raises(PartError, match=r"^front refused address 10\.0\.0\.1 for fs-9: No such server\.$"):
            front.set_address("fs-9", "10.0.0.1", 8081)
        with pytest.raises(PartError, match=r"^front does not say how many connections fs-9 has$"):
            front.sessions("fs-9")


def test_an_address_that_got_no_answer_is_refused_and_not_taken_for_told() -> None:
    with (
        answering({"set server": "\n"}) as (port, _),
        pytest.raises(PartError, match=r"^front refused address .* no answer$"),
    ):
        HAProxy(Address("front", port)).set_address("fs-3", "10.0.0.3", 8081)


def test_one_that_is_not_there_is_an_error_of_one_line() -> None:
    with answering({}) as (port, _):
        pass
    with pytest.raises(PartError, match=rf"^front does not answer at 127\.0\.0\.1:{port}: "):
        HAProxy(Address("front", port)).read()


# As the management guide 3.0 has it, section 9.3: two addresses, the second draining, and a third one until just now.
SERVERS_STATE = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight
3 servers 1 server-1 172.18.0.2 2 0 1
3 servers 2 server-2 172.18.0.5 2 8 1
3 servers 3 server-3 172.18.0.6 0 32 1
3 servers 4 server-4 - 0 32 1
"""


@pytest.mark.parametrize(
    ("address", "place"), [("172.18.0.2", "server-1"), ("172.18.0.5", "server-2"), ("172.18.0.6", None), ("-", None)]
)
def test_which_place_an_address_has_is_found_and_one_that_is_gone_has_none(address: str, place: str | None) -> None:
    with answering({"show servers state servers": SERVERS_STATE}) as (port, _):
        assert HAProxy(Address("haproxy", port)).slot_at(address) == place
