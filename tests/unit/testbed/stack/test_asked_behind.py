"""What the check of a server is told of what stands behind it."""

from typing import Any

import pytest

from testbed.stack.locust_api import asked_behind
from tests.unit.testbed.stack.golden_cases import trial_of


@pytest.mark.parametrize(
    ("behind", "seen"),
    [
        ("postgres", "at once"),
        ("{postgres: {standbys: 1}}", "at once"),
        ("{postgres: {standbys: 1, reads: standby}}", "soon"),
        ("{postgres: {standbys: 1, reads: standby, commit: remote_apply}}", "at once"),
        ("{valkey: {over: postgres}}", "at once"),
        ("{valkey: {over: {postgres: {standbys: 1, reads: standby}}}}", "any"),
    ],
)
def test_a_copy_that_lags_is_not_asked_for_what_was_just_written(behind: str, seen: str) -> None:
    asked = _asked(f"behind: {behind}\nworkload: {{keys: 50}}\nload: {{users: 4}}")
    assert (asked["behind"], asked["keys"], asked["seen"]) == ("store", 50, seen)


def test_a_scan_is_checked_where_there_are_some_and_nothing_behind_is_told_of_nothing() -> None:
    assert _asked("behind: postgres\nworkload: {scans: 0.1}")["scans"] == "true"
    assert _asked("behind: postgres")["scans"] == "false"
    assert _asked("behind: nats")["behind"] == "broker"
    assert _asked("load: {users: 4}") == {}


def _asked(sweep: str) -> dict[str, Any]:
    return asked_behind(trial_of(f"models: spmt\nlimits: {{cpus: 0.5}}\n{sweep}").cell)
