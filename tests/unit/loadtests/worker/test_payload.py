import random

import pytest

from loadtests.worker import payload


@pytest.mark.parametrize("size", [1, 2, 64, 5000, 65536])
def test_no_payload_equals_another_of_the_ring(size):
    payloads = payload.ring(random.Random(1), size)
    assert len(set(payloads)) == len(payloads) >= 2


@pytest.mark.parametrize("size", [1, 64, 65536])
def test_a_payload_has_the_size_asked_for_in_printable_characters(size):
    for one in payload.ring(random.Random(2), size):
        assert len(one) == size
        assert one.isalnum()


def test_the_words_are_those_asked_for():
    assert payload.words(sleep_us=5000, spin_units=2000) == [b"sleep=5000", b"spin=2000"]
    assert payload.words(spin_units=3, hash_rounds=4) == [b"spin=3", b"hash=4"]
    assert payload.words() == []


def test_users_do_not_share_payloads_so_that_a_reply_to_another_user_is_noticed():
    rng = random.Random(4)
    assert not set(payload.ring(rng, 64)) & set(payload.ring(rng, 64))


def test_a_ring_of_large_payloads_stays_small():
    assert sum(map(len, payload.ring(random.Random(5), 65536))) < 4 * payload.RING_BYTES
