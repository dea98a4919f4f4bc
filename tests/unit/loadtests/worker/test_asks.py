"""What a load asks of a store or a broker: keys by the law, one writer for each, and no more asked than is known."""

import itertools
import re
from collections import Counter

import pytest

from loadtests import combinations, fields, replies
from loadtests.field import OptionError
from loadtests.worker import keys
from loadtests.worker.asks import Asks
from loadtests.worker.versions import Versions

KEYS, DRAWS = 50, 50_000


def asks(worker=0, workers=1, **form):
    found = fields.parse({"target": "spmt", "behind": "store", "keys": KEYS, **form}, ["spmt"])
    return Asks(found, worker, workers)


@pytest.mark.parametrize("zipf", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("count", [1, 2, KEYS])
def test_keys_are_drawn_by_the_law(count, zipf):
    found = Counter(itertools.islice(keys.draws(count, zipf, "a seed"), DRAWS))
    weights = [(n + 1) ** -zipf for n in range(count)]
    expected = [DRAWS * weight / sum(weights) for weight in weights]
    assert found.total() == DRAWS
    assert found.keys() <= set(range(count))
    # Pearson's statistic has a mean of count - 1 and a variance of twice that; six standard deviations above.
    statistic = sum((found[key] - expected[key]) ** 2 / expected[key] for key in range(count))
    assert statistic <= (count - 1) + 6 * (2 * (count - 1)) ** 0.5


def test_a_seed_gives_the_same_keys_again_and_another_one_others():
    one, again, other = (list(itertools.islice(keys.draws(KEYS, 1.0, seed), 100)) for seed in ("a", "a", "b"))
    assert one == again != other


LINE = re.compile(rb"!(read|write|send)=(all|\d+)(?::(\d+))? rest\n")


def asked(user):
    verb, key, version = LINE.fullmatch(next(user)).groups()
    return verb.decode(), int(key) if key != b"all" else None, int(version or 0)


def test_each_key_has_one_writer_whose_versions_rise():
    writers = {}
    for worker in range(3):
        user = asks(worker, 3, reads=0, zipf=1).user(itertools.repeat(b"rest\n"))
        last = 0
        for _ in range(300):
            verb, key, version = asked(user)
            assert (verb, key % 3) == ("write", worker)
            assert version > last
            last = version
            assert writers.setdefault(key, worker) == worker
            user.answered()
    assert writers.keys() == set(range(KEYS))


def test_no_key_is_written_twice_at_a_time_and_without_a_free_one_the_request_reads():
    shared = asks(reads=0, zipf=3)
    users = [shared.user(itertools.repeat(b"rest\n")) for _ in range(KEYS)]
    assert sorted(asked(user)[1] for user in users) == list(range(KEYS))
    one_more = shared.user(itertools.repeat(b"rest\n"))
    assert asked(one_more)[0] == "read"
    users[7].answered()
    assert asked(one_more)[0] == "write"


def confirm(user):
    user.answered()


def least_asked_after(end):
    """What a read asks of the only key, once a write was confirmed and another ended like this."""
    shared = asks(keys=1, reads=0.5)
    user = shared.user(itertools.repeat(b"rest\n"))
    versions = []
    while len(versions) < 2:
        verb, _, version = asked(user)
        if verb == "write":
            (end if versions else confirm)(user)
            versions.append(version)
    while True:
        verb, _, version = asked(user)
        if verb == "read":
            return version, versions
        user.failed(replies.UnknownKeyError())


@pytest.mark.parametrize(
    ("end", "which"),
    [
        (confirm, 1),
        (lambda user: user.failed(replies.SilenceError()), 0),
        (lambda user: user.failed(replies.UnknownKeyError()), 0),
        (lambda user: user.left(), 0),
    ],
    ids=["confirmed", "unknown", "not done", "left"],
)
def test_a_read_asks_for_the_last_version_that_was_confirmed(end, which):
    least, versions = least_asked_after(end)
    assert least == versions[which]


@pytest.mark.parametrize(("error", "then"), [(replies.ResetError(), 0), (replies.ExhaustedError(), 2)])
def test_once_an_outcome_is_not_known_no_more_is_asked_of_that_key_ever_after(error, then):
    clock = itertools.count(1)
    versions = Versions(1, clock_us=lambda: next(clock))
    user_outcome = versions.not_written if error.is_undone else versions.maybe_written
    versions.to_write(0, lambda: 0)
    versions.next()
    user_outcome(0)
    versions.to_write(0, lambda: 0)
    versions.written(0, versions.next())
    assert versions.confirmed.get(0, 0) == then


def test_a_read_of_a_key_of_another_worker_asks_for_nothing():
    user = asks(1, 2, reads=0.5).user(itertools.repeat(b"rest\n"))
    least = {}
    for _ in range(2_000):
        verb, key, version = asked(user)
        if verb == "read":
            least[key] = max(least.get(key, 0), version)
            assert user.is_checked == (version > 0)
        user.answered()
    assert {key for key, version in least.items() if version} == set(range(1, KEYS, 2))


def test_by_http_the_query_begins_with_what_is_asked():
    rest = b"&sleep=5 HTTP/1.1\r\n\r\nx"
    user = asks(protocol="http", reads=0, keys=1).user(itertools.repeat(rest))
    assert re.fullmatch(rb"POST /\?write=0:\d+" + re.escape(rest), next(user))
    assert next(user) == b"POST /?read=0:0" + rest
    assert next(asks(protocol="http", scans=1).user(itertools.repeat(rest))) == b"POST /?read=all" + rest


def test_the_mix_is_as_asked_for():
    user = asks(reads=0.75, scans=0.2).user(itertools.repeat(b"rest\n"))
    found = Counter()
    for _ in range(10_000):
        next(user)
        found[user.verb] += 1
        user.answered()
    # Six standard deviations.
    assert found["write"] / 10_000 == pytest.approx(0.25, abs=0.026)
    assert found["scan"] / 10_000 == pytest.approx(0.15, abs=0.022)


def test_messages_of_several_workers_all_differ_even_when_the_clock_stands():
    every = [Versions(KEYS, worker, 3, clock_us=lambda: 1_000) for worker in range(3)]
    found = [versions.of_message() for versions in every for _ in range(100)]
    assert len(set(found)) == 300


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"zipf": 1}, "zipf: nothing is behind, so 0, not 1"),
        ({"reads": 0.5}, "reads: 0.5 needs behind store"),
        ({"behind": "broker", "reads": 0.5}, "reads: 0.5 needs behind store"),
        ({"behind": "broker", "scans": 0.5}, "scans: 0.5 needs behind store"),
        ({"behind": "store", "keys": 0}, "keys: at least 1 with a store behind, not 0"),
        ({"behind": "cache"}, "behind: none or store or broker, not 'cache'"),
    ],
)
def test_what_would_have_no_effect_is_refused(form, refusal):
    with pytest.raises(OptionError, match=re.escape(refusal)):
        fields.parse({"target": "spmt", **form}, ["spmt"])


def test_the_table_of_keys_is_made_before_the_first_is_drawn_and_nobody_begins_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    table = keys._table
    monkeypatch.setattr(keys, "_table", lambda count, zipf: made.append(count) or table(count, zipf))
    keys.draws(500, 1.1, "a seed")
    assert made == [500]
    asked = {"target": "spmt", "behind": "store", "keys": "1000000"}
    assert fields.parse({**asked, "zipf": "1.1"}, ["spmt"]).preparation_s == pytest.approx(4)
    assert fields.parse(asked, ["spmt"]).preparation_s == 0


@pytest.mark.parametrize("protocol", ["line", "http"])
def test_of_the_users_so_many_ask_for_the_work_and_the_others_send_bare_echoes(protocol):
    for worker, working in ((0, 2), (1, 1)):
        found = asks(worker, 2, behind="none", spinners=3, spin_units=7, hash_rounds=2, protocol=protocol)
        assert found.sends_whole
        told = []
        for _ in range(4):
            words = found.words
            user = found.user(itertools.repeat(b"whole\n"))
            assert next(user) == b"whole\n"
            told.append((user.verb, words))
        assert told == [("work", [b"spin=7", b"hash=2"])] * working + [("echo", [])] * (4 - working)


def test_somebody_has_to_send_the_echoes():
    found = fields.parse({"target": "spmt", "spinners": 3}, ["spmt"])
    assert combinations.too_few_users(found, 3, 1) == (
        "3 users of whom 3 ask for the work: somebody has to send the bare echoes"
    )
    assert combinations.too_few_users(found, 4, 1) == ""
