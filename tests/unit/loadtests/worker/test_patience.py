"""When a server that does not take its idle holders is given up, at moments that are made up."""

import pytest

from loadtests.worker.patience import FAILURES_IN_A_ROW, STALL_S, Patience, longest_opening_s

NOW = 1000.0


def test_it_ends_when_nothing_has_gone_forward_for_too_long():
    patience = Patience(10, NOW)
    assert patience.ends_at == NOW + STALL_S
    patience.came(1, NOW + 2)
    assert patience.ends_at == NOW + 2 + STALL_S


def test_where_each_that_comes_costs_another_its_place_nothing_goes_forward():
    patience = Patience(10, NOW)
    patience.came(1, NOW + 1)
    patience.came(1, NOW + 2)
    assert patience.ends_at == NOW + 1 + STALL_S


@pytest.mark.parametrize("wanted", [10, 10_000])
def test_a_server_that_goes_on_taking_them_slowly_is_given_up_at_last(wanted):
    patience = Patience(wanted, NOW)
    ends_at = NOW + longest_opening_s(wanted)
    patience.came(1, ends_at - STALL_S / 2)
    assert patience.ends_at == ends_at


def test_too_many_failures_in_a_row_end_it_and_one_that_comes_begins_a_new_row():
    patience = Patience(10_000, NOW)
    for _ in range(FAILURES_IN_A_ROW - 1):
        patience.failed()
    assert not patience.has_failed
    patience.came(1, NOW)
    patience.failed()
    assert not patience.has_failed
    for _ in range(FAILURES_IN_A_ROW - 1):
        patience.failed()
    assert patience.has_failed


def test_those_that_a_server_has_dropped_have_the_time_of_an_opening():
    patience = Patience(10, NOW)
    patience.came(1, NOW)
    patience.came(2, NOW)
    patience.begin_again(1, NOW + 500)
    assert patience.ends_at == NOW + 500 + STALL_S
    patience.came(2, NOW + 501)
    assert patience.ends_at == NOW + 501 + STALL_S
