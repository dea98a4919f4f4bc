import random

import pytest

from loadtests.worker import payload


@pytest.mark.parametrize("size", [1, 2, 64, 5000, 65536])
def test_no_line_equals_another_of_the_ring(size):
    lines = payload.ring(random.Random(1), size)
    assert len(set(lines)) == len(lines) >= 2


@pytest.mark.parametrize("size", [1, 64, 65536])
def test_a_payload_has_the_size_asked_for_in_printable_characters_and_one_newline(size):
    for line in payload.ring(random.Random(2), size):
        assert len(line) == size + 1
        assert line.endswith(b"\n")
        assert line[:-1].isalnum()


def test_directives_come_first_and_are_those_asked_for():
    (line, *_others) = payload.ring(random.Random(3), 7, sleep_us=5000, spin_units=2000)
    assert line.startswith(b"!sleep=5000 !spin=2000 ")
    assert len(line) == len(b"!sleep=5000 !spin=2000 ") + 8
    assert payload.directives(spin_units=3) == b"!spin=3 "
    assert payload.directives() == b""


def test_users_do_not_share_payloads_so_that_a_reply_to_another_user_is_noticed():
    rng = random.Random(4)
    assert not set(payload.ring(rng, 64)) & set(payload.ring(rng, 64))


def test_a_ring_of_large_payloads_stays_small():
    assert sum(map(len, payload.ring(random.Random(5), 65536))) < 4 * payload.RING_BYTES
