"""The proof of the calibration compares within a block, and only valid trials."""

import pytest

from benchmarks.proofs.calibration import own_cost


def row(spin_us: int, cost_us: float, block: int = 1, verdict: str = "server-bound") -> dict[str, str]:
    return {
        "model": "spmt",
        "block": str(block),
        "spin_us": str(spin_us),
        "cpu_us_per_request": str(cost_us),
        "verdict": verdict,
    }


def test_what_a_request_costs_beyond_a_bare_echo_of_its_block() -> None:
    found = own_cost([row(0, 50.0), row(500, 550.0), row(0, 100.0, block=2), row(500, 700.0, block=2)])
    assert found == {"spmt": [pytest.approx(1.0), pytest.approx(1.2)]}


def test_without_a_valid_bare_echo_nothing_is_told() -> None:
    assert own_cost([row(0, 50.0, verdict="invalid"), row(500, 550.0)]) == {}
