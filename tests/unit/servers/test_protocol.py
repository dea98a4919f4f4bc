import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers import protocol
from servers.protocol import Ask, DirectiveError, Work, parse


@pytest.mark.parametrize(
    ("line", "work"),
    [
        (b"!sleep=5000 payload\n", Work(5000, 0)),
        (b"!spin=2000\n", Work(0, 2000)),
        (b"!spin=2 !sleep=1 hello !spin=9\n", Work(1, 2)),
        (b"!sleep=0\r\n", Work(0, 0)),
        (b"!hash=7 !spin=2 x\n", Work(0, 2, 7)),
        (b"!sleep=10000000 !spin=100000000 x\n", Work(10_000_000, 100_000_000)),
    ],
)
def test_directives_are_understood(line: bytes, work: Work) -> None:
    assert parse(line) == work


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"!sleep=x\n", "sleep must be a whole number from 0 to 10000000, found 'x'"),
        (b"!sleep=10000001 x\n", "sleep must be a whole number from 0 to 10000000, found '10000001'"),
        (b"!spin=-1\n", "spin must be a whole number from 0 to 100000000, found '-1'"),
        (b"!hash=100000001\n", "hash must be a whole number from 0 to 100000000, found '100000001'"),
        (b"!crash=segv\n", "crash is refused: ALLOW_FAULTS is not 1"),
        (b"!crash\n", "crash is refused: ALLOW_FAULTS is not 1"),
        (b"!spin\n", "spin must be a whole number from 0 to 100000000, found ''"),
        (b"!sleep=1.5\n", "sleep must be a whole number from 0 to 10000000, found '1.5'"),
        (b"!foo x\n", "unknown directive 'foo': allowed are sleep, spin, hash, read, write, send"),
        (b"!\n", "unknown directive '': allowed are sleep, spin, hash, read, write, send"),
        (b"!sleep=1 !sleep=1\n", "directive sleep is given twice"),
        (b"!\xff\xfe=1\n", "unknown directive '??': allowed are sleep, spin, hash, read, write, send"),
    ],
)
def test_a_bad_directive_is_answered_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(DirectiveError) as failure:
        parse(line)
    assert str(failure.value) == reason
    assert protocol.error(reason) == f"!error {reason}\n".encode()


@pytest.mark.parametrize("name", ["segv", "exit", "raise", "oom", "lie"])
def test_faults_are_understood_where_they_are_allowed(name: str) -> None:
    assert parse(f"!spin=3 !crash={name} x\n".encode(), allow_faults=True) == Work(spin_units=3, crash=name)


def test_an_unknown_fault_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(DirectiveError, match="crash must be one of segv, exit, raise, oom, lie, found 'sev'"):
        parse(b"!crash=sev\n", allow_faults=True)


@given(st.binary(max_size=300))
def test_whatever_a_client_sends_is_parsed_or_refused_in_one_short_line(tail: bytes) -> None:
    try:
        work = parse(b"!" + tail.replace(b"\n", b"") + b"\n")
    except DirectiveError as reason:
        answer = protocol.error(str(reason))
        assert answer.count(b"\n") == 1
        assert len(answer) < 250
        assert answer.isascii()
    else:
        assert work.sleep_us <= protocol.MAX_SLEEP_US
        assert work.spin_units <= protocol.MAX_SPIN_UNITS
        assert work.hash_rounds <= protocol.MAX_HASH_ROUNDS
        assert work.crash == ""


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        (b"!read=7\n", (Ask("read", 7, None),)),
        (b"!read=0:0 x\n", (Ask("read", 0, 0),)),
        (b"!read=all\n", (Ask("read", None, None),)),
        (b"!write=2147483647:9223372036854775807\n", (Ask("write", 2**31 - 1, 2**63 - 1),)),
        (b"!send=7:8 !read=1 !write=2\n", (Ask("read", 1, None), Ask("write", 2, None), Ask("send", 7, 8))),
        (b"payload !read=7\n", ()),
    ],
)
def test_what_a_line_asks_of_what_is_behind(line: bytes, asks: tuple[Ask, ...]) -> None:
    found = parse(line) if line.startswith(b"!") else Work()
    assert found.asks == asks


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"!read=\n", "read: the key must be a whole number from 0 to 2147483647 or all, found ''"),
        (b"!read=2147483648\n", "read: the key must be a whole number from 0 to 2147483647 or all, found '2147483648'"),
        (b"!write=all\n", "write: the key must be a whole number from 0 to 2147483647, found 'all'"),
        (b"!send=-1\n", "send: the key must be a whole number from 0 to 2147483647, found '-1'"),
        (b"!read=1:\n", "read: the version must be a whole number from 0 to 9223372036854775807, found ''"),
        (
            b"!read=1:9223372036854775808\n",
            "read: the version must be a whole number from 0 to 9223372036854775807, found '9223372036854775808'",
        ),
        (b"!read=1:2:3\n", "read: the version must be a whole number from 0 to 9223372036854775807, found '2:3'"),
        (b"!read=1 !read=2\n", "directive read is given twice"),
    ],
)
def test_keys_and_versions_have_bounds(line: bytes, reason: str) -> None:
    with pytest.raises(DirectiveError) as caught:
        parse(line)
    assert str(caught.value) == reason
