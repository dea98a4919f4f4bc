"""What a request does with stores and brokers, without any."""

from collections import Counter
from typing import Any

import pytest

from servers import protocol
from servers.behind import steps
from servers.behind.config import KINDS, BehindConfig, read_behind
from servers.behind.failures import REFUSED, UNKNOWN_KEY, BackendError
from servers.behind.steps import BROKER, CACHE, DATABASE, Call
from servers.behind.values import value_of
from servers.protocol import Ask

SIZE = 20
READ, WRITE, SCAN, SEND = Ask("read", 7, 5), Ask("write", 7, 6), Ask("read", None, None), Ask("send", 7, 8)


def config(kind: str, **told: str) -> BehindConfig:
    where = {"BEHIND_WRITE": "a:1", "BEHIND_CACHE": "b:2", "VALUE_BYTES": str(SIZE)}
    found = read_behind({"BEHIND": kind, **where, **told})
    assert found is not None
    return found


def done(ask: Ask, told: BehindConfig, *answers: Any) -> tuple[bytes, list[Any], Counter[str]]:
    """The reply, what was called or waited for, and what was counted, when the calls are answered so."""
    counted: Counter[str] = Counter()
    work = steps.of(told)(ask, told, lambda name: counted.update([name]))
    asked: list[Any] = []
    left = list(answers)
    answer: Any = None
    try:
        while True:
            step = work.throw(answer) if isinstance(answer, BackendError) else work.send(answer)
            asked.append(step if isinstance(step, float) else (step.store, step.method))
            answer = None if isinstance(step, float) else left.pop(0)
    except StopIteration as end:
        assert left == []
        return end.value, asked, counted


def row(version: int) -> tuple[int, str]:
    return version, value_of(7, version, SIZE)


@pytest.mark.parametrize(
    ("version", "reply"), [(5, b""), (6, b""), (4, protocol.STALE)], ids=["the least", "a newer one", "an older one"]
)
@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_a_value_that_is_older_than_it_has_to_be_is_stale(kind: str, version: int, reply: bytes) -> None:
    answer = row(version) if kind == "postgres" else row(version)[1]
    found, _, counted = done(READ, config(kind), answer)
    assert found == reply
    assert counted == Counter(reads=1, stale=1) - Counter(stale=int(not reply))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("postgres", (9, value_of(7, 8, SIZE))),
        ("postgres", (9, value_of(8, 9, SIZE))),
        ("valkey", value_of(8, 9, SIZE)),
        ("valkey", value_of(7, 9, SIZE + 1)),
        ("valkey", "rubbish"),
    ],
)
def test_a_value_that_is_not_of_its_key_and_version_is_wrong(kind: str, answer: Any) -> None:
    reply, _, counted = done(READ, config(kind), answer)
    assert (reply, counted) == (protocol.WRONG, Counter(reads=1, wrong=1))


@pytest.mark.parametrize(
    ("kind", "ask", "answer"),
    [("postgres", READ, None), ("postgres", WRITE, False), ("valkey", READ, None), ("valkey", WRITE, False)],
)
def test_a_key_that_is_not_there_is_unknown(kind: str, ask: Ask, answer: Any) -> None:
    with pytest.raises(BackendError) as caught:
        done(ask, config(kind), answer)
    assert (caught.value.name, caught.value.detail, caught.value.broken) == (UNKNOWN_KEY, "7", False)


def test_a_write_has_the_value_of_its_version_and_goes_to_who_takes_writes() -> None:
    work = steps.database(WRITE, config("postgres"), lambda _: None)
    assert next(work) == Call(DATABASE, "write", (7, 6, value_of(7, 6, SIZE)), writes=True)
    assert next(steps.database(READ, config("postgres"), lambda _: None)) == Call(DATABASE, "read", (7,))


def test_a_write_without_a_version_has_the_clocks() -> None:
    first = next(steps.database(Ask("write", 7, None), config("postgres"), lambda _: None))
    assert isinstance(first, Call) and first.arguments[1] > 1_700_000_000_000_000


@pytest.mark.parametrize("kind", ["postgres", "valkey", "valkey+postgres"])
def test_all_keys_are_counted_by_the_store_itself(kind: str) -> None:
    reply, asked, counted = done(SCAN, config(kind), None)
    assert (reply, counted) == (b"", Counter(scans=1))
    assert asked == [(CACHE, "size") if kind == "valkey" else (DATABASE, "scan")]


@pytest.mark.parametrize("kind", [kind for kind, verbs in KINDS.items() if "send" in verbs])
def test_a_message_is_its_key_and_version(kind: str) -> None:
    assert next(steps.of(config(kind))(SEND, config(kind), lambda _: None)) == Call(BROKER, "send", (b"7:8",))
    assert done(SEND, config(kind), None)[2] == Counter(sends=1)


# --- a cache aside ---


def test_what_is_in_the_cache_is_not_asked_of_the_database() -> None:
    reply, asked, counted = done(READ, config("valkey+postgres"), row(5)[1])
    assert (reply, asked, counted) == (b"", [(CACHE, "get")], Counter(hits=1, reads=1))


def test_what_is_not_is_put_there_and_a_write_takes_it_out() -> None:
    _, asked, counted = done(READ, config("valkey+postgres"), None, row(5), None)
    assert asked == [(CACHE, "get"), (DATABASE, "read"), (CACHE, "put")]
    assert counted == Counter(misses=1, fetches=1, reads=1)
    assert done(WRITE, config("valkey+postgres"), True, None)[1] == [(DATABASE, "write"), (CACHE, "delete")]


def test_a_key_that_may_not_be_cached_is_looked_for_and_not_put_there() -> None:
    told = config("valkey+postgres", CACHE_SHARE="0", CACHE_LOCK="1")
    assert done(READ, told, None, row(5))[1] == [(CACHE, "get"), (DATABASE, "read")]


def test_who_has_the_lock_fetches_and_gives_it_back() -> None:
    told = config("valkey+postgres", CACHE_LOCK="1")
    asked = done(READ, told, None, True, row(5), None, None)[1]
    assert asked == [(CACHE, "get"), (CACHE, "acquire"), (DATABASE, "read"), (CACHE, "put"), (CACHE, "delete")]


@pytest.mark.parametrize("answer", [None, BackendError(REFUSED, "no")], ids=["unknown key", "refused"])
def test_a_lock_is_given_back_when_there_is_nothing_to_be_had(answer: Any) -> None:
    told = config("valkey+postgres", CACHE_LOCK="1")
    given_back = []
    work = steps.cache_aside(READ, told, lambda _: None)
    next(work)
    work.send(None)
    work.send(True)
    last = work.throw(answer) if answer else work.send(None)
    given_back.append(last)
    assert [one.method for one in given_back if isinstance(one, Call)] == ["delete"]
    with pytest.raises(BackendError):
        work.send(None)


def test_who_has_not_waits_and_looks_again() -> None:
    told = config("valkey+postgres", CACHE_LOCK="1")
    reply, asked, counted = done(READ, told, None, False, None, False, row(4)[1])
    assert asked == [
        (CACHE, "get"),
        *2 * [(CACHE, "acquire"), steps.LOOK_S, (CACHE, "get")],
    ]
    assert (reply, counted) == (protocol.STALE, Counter(misses=1, reads=1, stale=1))


def test_nobody_waits_for_ever() -> None:
    told = config("valkey+postgres", CACHE_LOCK="1", BEHIND_WAIT="0")
    asked = done(READ, told, None, False, row(5), None)[1]
    assert asked == [(CACHE, "get"), (CACHE, "acquire"), (DATABASE, "read"), (CACHE, "put")]
