"""A replica by hand leaves: it drains first, and its place at the front is given back whatever happens."""

from collections.abc import Callable

import pytest

from testbed.parts.asking import PartError
from testbed.parts.haproxy import HAProxy
from testbed.run.leaving import take_out

HEAD = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n"
STATS = "# pxname,svname,scur\nservers,server-2,{open}\nservers,BACKEND,{open}\n"


class Runtime:
    """A runtime API of two places, of which connections leave the second one by one."""

    name = "haproxy"

    def __init__(self, connections: int = 0, leaving: int = 1, deaf: str = "") -> None:
        self.connections, self.leaving, self.deaf = connections, leaving, deaf
        self.done: list[str] = []
        self.looks_until_forgotten = 2

    def ask(self, question: str) -> str:
        question = question.strip()
        if self.deaf and question.startswith(self.deaf):
            raise PartError("haproxy does not answer")
        if question.startswith("show servers"):
            self.looks_until_forgotten -= "stop" in self.done
            gone = 0x20 if self.looks_until_forgotten < 0 else 0
            return HEAD + f"3 servers 1 server-1 10.0.0.1 2 0\n3 servers 2 server-2 10.0.0.2 2 {gone}\n"
        if question == "show stat":
            found, self.connections = self.connections, max(0, self.connections - self.leaving)
            return STATS.format(open=found)
        self.done.append(question.removeprefix("set server servers/"))
        return ""


def left(runtime: Runtime, address: str = "10.0.0.2", stop: Callable[[], None] | None = None) -> str:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    stops = stop or (lambda: runtime.done.append("stop"))
    return take_out(HAProxy(runtime), address, stops, lambda: now[0], wait)


def test_it_is_stopped_once_its_connections_have_gone_and_then_its_place_is_given_back() -> None:
    runtime = Runtime(connections=3)
    assert left(runtime) == "is stopped, 1.5 s after it was told to drain"
    assert runtime.done == ["server-2 state drain", "stop", "server-2 state ready"]
    assert runtime.looks_until_forgotten < 0, "given back before the front had forgotten it"


def test_connections_that_stay_are_cut_after_a_while_and_that_is_said() -> None:
    assert left(Runtime(connections=2, leaving=0)).endswith("s after it was told to drain, 2 connections were cut")


def test_one_that_the_front_has_not_found_is_stopped_at_once() -> None:
    runtime = Runtime(connections=3)
    assert left(runtime, "10.0.0.9") == "is stopped, 0.0 s"
    assert runtime.done == ["stop"]


@pytest.mark.parametrize("deaf", ["show servers", "show stat", "set server servers/server-2 state drain"])
def test_a_front_that_does_not_answer_keeps_none(deaf: str) -> None:
    runtime = Runtime(connections=3, deaf=deaf)
    assert left(runtime) == "is stopped without draining: haproxy does not answer"
    assert "stop" in runtime.done


def test_an_interrupt_leaves_it_in_service() -> None:
    runtime = Runtime()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        left(runtime, stop=interrupted)
    assert runtime.done == ["server-2 state drain", "server-2 state ready"]


def test_without_a_front_it_is_stopped() -> None:
    done: list[str] = []
    assert take_out(None, "10.0.0.2", lambda: done.append("stop"), lambda: 0.0, lambda _: None) == "is stopped, 0.0 s"
    assert done == ["stop"]
