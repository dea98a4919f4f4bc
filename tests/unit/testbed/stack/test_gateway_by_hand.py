"""A gateway by hand that limits or asks for a key: one line for what cannot be, and what Compose is told of it."""

import pytest
import yaml

from testbed.errors import UserError
from testbed.plan.axes.front import API_KEY
from testbed.plan.fields import GATEWAYS
from testbed.stack.by_hand import PROJECT
from testbed.stack.gateway_by_hand import Admission, check_admission, variables


@pytest.mark.parametrize("front", GATEWAYS)
def test_a_gateway_is_told_of_limit_and_key(front: str) -> None:
    found = check_admission(front, 100.0, "key")
    assert found == Admission(100.0, API_KEY)
    assert variables(found) == {"RATE_LIMIT": "100", "API_KEY": API_KEY}
    assert variables(check_admission(front, None, "none")) == {}
    # It hands them on where the shell has them.
    environment = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"][front]["environment"]
    assert {name: environment[name] for name in variables(found)} == {"RATE_LIMIT": None, "API_KEY": None}


@pytest.mark.parametrize(
    ("front", "rate_limit", "auth", "says"),
    [
        ("haproxy", 100.0, None, "--rate-limit: found 100 with front haproxy, allowed: with --front haproxy-http or"),
        ("none", None, "key", "--auth: found key with front none, allowed: with --front haproxy-http or envoy"),
        ("envoy", None, "password", "--auth: found 'password', allowed: none or key"),
        ("envoy", 0.5, None, "--rate-limit: found 0.5, allowed: none, or requests per second, 1 to 1000000"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    front: str, rate_limit: float | None, auth: str | None, says: str
) -> None:
    with pytest.raises(UserError) as refused:
        check_admission(front, rate_limit, auth)
    assert str(refused.value).startswith(says)
    assert "\n" not in str(refused.value)


def test_nothing_asked_for_is_nothing_with_any_front() -> None:
    assert check_admission("nginx", None, None) == Admission()
