"""What Envoy is told to do about servers that fail. That it does so, tests/parts/test_mesh.py tries."""

from typing import Any

import pytest

from fronts import envoy, envoy_mesh
from fronts.envoy_mesh import Mesh
from fronts.settings import SettingsError, read


def told(**environment: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    """The whole file, its route, its cluster, and the filters of a request."""
    env = {"SERVERS": "a b c", **environment}
    file = envoy.configuration(read(env), envoy_mesh.read(env))
    (listener,), (cluster,) = file["static_resources"]["listeners"], file["static_resources"]["clusters"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    return file, route["route"], cluster, [one["name"] for one in manager["http_filters"]]


def test_where_nothing_is_asked_for_nothing_is_done() -> None:
    file, route, cluster, filters = told()
    assert not {"retry_policy", "outlier_detection", "common_lb_config"} & {*route, *cluster}
    assert filters == ["envoy.filters.http.router"]
    assert "layered_runtime" not in file
    assert envoy_mesh.read({}) == Mesh()


def test_a_time_out_is_of_each_try_and_a_further_one_goes_to_another_server() -> None:
    _, route, _, _ = told(TRY_TIMEOUT_MS="500")
    assert route == {
        "cluster": "servers",
        "timeout": "0s",
        "retry_policy": {"num_retries": 0, "per_try_timeout": "0.5s"},
    }
    _, route, _, _ = told(TRY_TIMEOUT_MS="1500", RETRIES="2")
    policy = route["retry_policy"]
    assert (policy["num_retries"], policy["per_try_timeout"]) == (2, "1.5s")
    assert policy["retry_host_predicate"][0]["name"] == "envoy.retry_host_predicates.previous_hosts"
    assert "gateway-error" in policy["retry_on"] and "reset" in policy["retry_on"]


def test_a_breaker_bounds_requests_at_once_and_nothing_else() -> None:
    (thresholds,) = told(BREAKER="20")[2]["circuit_breakers"]["thresholds"]
    assert thresholds.pop("max_requests") == 20
    assert set(thresholds.values()) == {"DEFAULT", envoy_mesh.NO_BOUND}


def test_a_server_is_ejected_by_its_own_errors_alone_and_not_asked_all_the_same() -> None:
    cluster = told(EJECT="3", EJECT_FOR_MS="1500")[2]
    found = cluster["outlier_detection"]
    assert (found["consecutive_5xx"], found["base_ejection_time"], found["max_ejection_percent"]) == (3, "1.5s", 100)
    assert found["enforcing_success_rate"] == found["enforcing_failure_percentage"] == 0
    assert cluster["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}}


def test_a_sidecar_can_be_told_to_do_wrong_and_does_not_by_itself() -> None:
    file, _, _, filters = told(SIDECAR="on")
    assert filters == ["envoy.filters.http.fault", "envoy.filters.http.router"]
    assert file["layered_runtime"]["layers"] == [{"name": "told", "admin_layer": {}}]
    (fault,) = envoy_mesh.filters(Mesh(is_sidecar=True))
    config = fault["typed_config"]
    assert config["abort"]["percentage"]["numerator"] == config["delay"]["percentage"]["numerator"] == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RETRIES": "6"}, "RETRIES='6': must be a whole number from 0 to 5"),
        ({"TRY_TIMEOUT_MS": "0.5"}, "TRY_TIMEOUT_MS='0.5': must be a whole number from 0 to 60000"),
        ({"EJECT_FOR_MS": "1"}, "EJECT_FOR_MS='1': must be a whole number from 100"),
        ({"SIDECAR": "yes"}, "SIDECAR='yes': must be on or off"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=f"^{says}"):
        envoy_mesh.read(environment)
