"""What Compose prints when it fails becomes one line that says what to do."""

import pytest

from testbed.errors import UserError
from testbed.plan.fields import Machine
from testbed.stack import by_hand
from testbed.stack.by_hand import check_limits, explain

TAKEN_BY_A_CONTAINER = """ Container threadmill-spst-1  Starting
Error response from daemon: driver failed programming external connectivity on endpoint threadmill-spst-1 (97c0): \
Bind for 127.0.0.1:8081 failed: port is already allocated
"""
TAKEN_BY_A_PROGRAM = """Error response from daemon: driver failed programming external connectivity on endpoint spst: \
Error starting userland proxy: listen tcp4 127.0.0.1:8089: bind: address already in use
"""


@pytest.mark.parametrize(("errors", "port"), [(TAKEN_BY_A_CONTAINER, 8081), (TAKEN_BY_A_PROGRAM, 8089)])
def test_a_port_in_use_is_named(errors: str, port: int) -> None:
    assert explain("up", errors).startswith(f"port {port} of 127.0.0.1 is in use: ")


def test_another_failure_is_told_in_composes_own_last_line() -> None:
    assert explain("up", "warning: a\n\nno such image: x\n\n") == "docker compose up failed: no such image: x"
    assert explain("down", "") == "docker compose down failed: no reason given"


@pytest.mark.parametrize(
    ("cpus", "memory", "message"),
    [
        (99.0, "128MiB", "--cpus: found 99.0, allowed: a number from 0.05 to 2"),
        (0.0, "128MiB", "--cpus: found 0.0, allowed: "),
        (1.0, "128", "--memory: found '128', allowed: a size from 16MiB to 8GiB with its unit"),
    ],
)
def test_a_limit_by_hand_is_bounded_as_in_a_sweep(cpus: float, memory: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_limits(cpus, memory, Machine(2, 8 * 2**30))
    assert message in str(refused.value)


NEW = ("spmt", "probe-spmt", "locust", "worker")


@pytest.mark.parametrize("end", [KeyboardInterrupt, UserError])
@pytest.mark.parametrize(
    ("running", "removal"),
    [
        ("", [("down", "--timeout", "0")]),
        ("spst\n", [("stop", "--timeout", "0", *NEW), ("rm", "--force", *NEW)]),
        ("spmt\n", [("stop", "--timeout", "0", *NEW[1:]), ("rm", "--force", *NEW[1:])]),
    ],
)
def test_a_stack_that_is_cut_off_while_it_starts_is_removed_and_why_it_ended_stays(
    end: type[BaseException], running: str, removal: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []

    def compose(*arguments: str, **_: object) -> str:
        commands.append(arguments)
        if arguments[0] == "up":
            raise end("cut off")
        if arguments[0] == removal[-1][0]:
            raise UserError("Docker does not answer")
        return running

    monkeypatch.setattr(by_hand, "_compose", compose)
    monkeypatch.setattr(by_hand.images, "build_missing", lambda *_: None)
    said: list[str] = []
    with pytest.raises(end, match="cut off"):
        by_hand.up(["spmt"], by_hand.ServerLimits(1.0, 2**27), 1, False, said.append)
    # At once: what has only just started may not hear that it is to end.
    assert commands[-len(removal) :] == removal
    assert "something is left: Docker does not answer" in said[-1]
