import itertools

from hypothesis import given
from hypothesis import strategies as st

from servers.framing import LineSplitter

MAX_LINE = 12
streams = st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"\xff\x00", b"0123456789", b"!"]), max_size=40).map(b"".join)


def split(pieces: list[bytes], max_line: int = MAX_LINE) -> tuple[list[bytes], bool, int]:
    splitter = LineSplitter(max_line)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines, splitter.too_long, splitter.held_bytes


def expected(stream: bytes) -> tuple[list[bytes], bool, int]:
    lines: list[bytes] = []
    *whole, rest = stream.split(b"\n")
    for line in whole:
        if len(line) > MAX_LINE:
            return lines, True, 0
        lines.append(line + b"\n")
    return (lines, True, 0) if len(rest) > MAX_LINE else (lines, False, len(rest))


@given(streams, st.lists(st.integers(0, 200), max_size=20))
def test_lines_do_not_depend_on_how_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert split(pieces) == expected(stream)


@given(streams, streams)
def test_what_is_a_line_by_itself_is_what_a_feed_would_return(before: bytes, data: bytes) -> None:
    splitter = LineSplitter(MAX_LINE)
    splitter.feed(before)
    is_line = splitter.is_line(data)
    assert data == b"" or is_line == (splitter.feed(data) == [data])


@given(streams)
def test_single_bytes_give_the_same_lines(stream: bytes) -> None:
    assert split([stream[at : at + 1] for at in range(len(stream))]) == expected(stream)


def test_a_line_of_exactly_the_bound_is_whole_and_one_byte_more_is_too_long() -> None:
    assert split([b"x" * MAX_LINE + b"\n"]) == ([b"x" * MAX_LINE + b"\n"], False, 0)
    assert split([b"x" * (MAX_LINE + 1) + b"\n"]) == ([], True, 0)


def test_lines_before_a_too_long_one_are_kept_and_nothing_after_it() -> None:
    assert split([b"a\n" + b"x" * 50 + b"\nb\n", b"c\n"]) == ([b"a\n"], True, 0)


def test_what_is_held_back_never_exceeds_the_bound() -> None:
    splitter = LineSplitter(MAX_LINE)
    for _ in range(1000):
        splitter.feed(b"xxxxx")
        assert splitter.held_bytes <= MAX_LINE
