"""A window that drifts, starts with an outlier or changes its spread is unsteady; one that only varies is not."""

import random
from dataclasses import replace

import pytest

from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.steady import steady_state

T = Thresholds()
BASE = Evidence("spmt", 1, 1, "closed", 8)


def gate(ok: tuple[int, ...], p50: tuple[float | None, ...] | None = None) -> tuple[str, str]:
    found = steady_state(replace(BASE, slice_ok=ok, slice_p50_us=p50 or (5_000.0,) * len(ok)), T)
    return found.status, found.found


# With 100,000 replies per second the counting noise is below half a percent.
@pytest.mark.parametrize(
    ("ok", "status", "found"),
    [
        ((100_000,) * 10, "pass", "steady over 10 s"),
        ((109_500,) * 5 + (100_000,) * 5, "pass", "steady"),
        ((111_000,) * 5 + (100_000,) * 5, "fail", "throughput of the first half is 11% above"),
        ((89_000,) * 5 + (100_000,) * 5, "fail", "throughput of the first half is 11% below"),
        ((100_000,) * 5 + (0,) * 5, "fail", "fell to 0"),
        ((60_000,) + (100_000,) * 9, "fail", "throughput of the first second is 6e+04"),
        ((130_000,) + (100_000,) * 9, "fail", "throughput of the first second is 1.3e+05"),
        ((100_000,) * 5, "unknown", "5 whole seconds, at least 6 are needed"),
        ((100_000,) * 6, "pass", "steady"),
        # Means agree, spreads do not; only where halves are long enough for quartiles.
        ((100_000,) * 10 + (94_500, 105_500) * 5, "fail", "lower quartile"),
        ((100_000,) * 10 + (95_200, 104_800) * 5, "pass", "steady"),
        ((100_000,) * 8 + (92_000, 108_000) * 4, "pass", "steady"),
    ],
)
def test_throughput_per_second(ok: tuple[int, ...], status: str, found: str) -> None:
    assert gate(ok)[0] == status
    assert found in gate(ok)[1]


def test_the_median_service_time_is_tested_as_well() -> None:
    drifting = gate((100_000,) * 10, (5_000.0,) * 5 + (6_000.0,) * 5)
    assert drifting[0] == "fail"
    assert "median service time of the first half" in drifting[1]


def test_few_replies_per_second_vary_by_chance_and_are_not_unsteady_for_it() -> None:
    assert gate((12, 8) * 3 + (10,) * 6)[0] == "pass"
    assert gate((13,) * 3 + (10,) * 3)[0] == "pass"
    assert gate((30,) * 3 + (10,) * 3)[0] == "fail"


@pytest.mark.parametrize("seconds", [6, 10, 20, 60])
def test_a_steady_server_with_three_percent_of_noise_is_seldom_called_unsteady(seconds: int) -> None:
    rng = random.Random(1)
    windows = [tuple(round(rng.gauss(1_000, 30)) for _ in range(seconds)) for _ in range(200)]
    assert sum(gate(window)[0] == "fail" for window in windows) <= 4
