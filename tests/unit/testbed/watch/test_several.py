"""Several containers in one look: a row for each, in the width and height there is, and sums only of what is known."""

import pytest

from testbed.watch.load import Load
from testbed.watch.several import SeveralView
from testbed.watch.view import LEAST_HEIGHT, LEAST_WIDTH, Look
from tests.unit.testbed.watch.made import line, target

LOAD = Load("running", "web-20260101T000000Z-haproxy", "haproxy", True, 20, 1234.4, 0.0)
FRONT = target(name="threadmill-haproxy-1", model="haproxy", role="front", cpus=0.25)


def looks(count: int = 2, **changes: object) -> list[Look]:
    known_as = ("spmt", "haproxy")
    servers = [
        Look(target(name=f"threadmill-spmt-{number + 1}"), line(**changes), LOAD, 61.0, known_as)
        for number in range(count)
    ]
    return [Look(FRONT, line(cpus=0.1, accept_queue=0), LOAD, 61.0, known_as), *servers]


def text(found: list[Look], width: int = 160, height: int | None = None, plain: bool = False) -> list[str]:
    return [one.plain for one in SeveralView(plain).lines(found, width, height)]


def test_every_container_has_a_row_with_its_own_figures() -> None:
    shown = text(looks())
    assert shown[0] == "spmt, 2 containers behind haproxy"
    assert "servers together  1.00 of 1 CPUs" in shown
    assert "load              1,234 requests/s from 20 users" in shown
    rows = {row.split()[0]: row for row in shown if row.startswith("threadmill-")}
    assert list(rows) == ["threadmill-haproxy-1", "threadmill-spmt-1", "threadmill-spmt-2"]
    assert "0.10 of 0.25" in rows["threadmill-haproxy-1"] and "40%" in rows["threadmill-haproxy-1"]
    for expected in (
        "0.50 of 0.5",
        "100%",
        "70%",
        "32MiB of 128MiB",
        " 512",
        " 3/s",
        " 20 ",
        "28,624",
        "2,345",
        "1:01",
    ):
        assert expected in rows["threadmill-spmt-2"], expected


def test_what_stands_behind_them_has_a_row_each_and_is_no_server() -> None:
    parts = [
        Look(target(name=f"threadmill-{name}-1", model=model, role=role), line(), LOAD, 61.0)
        for name, model, role in (("postgres", "postgres", "store"), ("standby-1", "postgres", "store"))
    ]
    shown = text([*looks(1), *parts])
    assert shown[0] == "spmt, 1 container behind haproxy before postgres"
    assert "servers together  0.50 of 0.5 CPUs" in shown
    assert sum(row.startswith("threadmill-") for row in shown) == 4


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    unknown = Look(target(name="threadmill-spmt-3"), line(cpus=None), LOAD, 1.0)
    shown = text([*looks(), unknown])
    assert "servers together  - of 1.5 CPUs" in shown
    unlimited = Look(target(name="threadmill-spmt-3", cpus=None), line(), LOAD, 1.0)
    assert "servers together  1.50 CPUs" in text([*looks(), unlimited])


@pytest.mark.parametrize("width", [LEAST_WIDTH, 80, 100, 240])
@pytest.mark.parametrize("height", [LEAST_HEIGHT, 24, None])
def test_it_fits_the_terminal_and_says_what_did_not(width: int, height: int | None) -> None:
    shown = text(looks(30), width, height)
    assert max(map(len, shown)) <= width
    assert height is None or len(shown) == height
    assert height is None or shown[-1] == f"+ {len(text(looks(30), width)) - height + 1} lines"


def test_names_are_without_that_of_the_project() -> None:
    mine = [Look(target(name=f"threadmill-spmt-{n}", project="threadmill"), line(), LOAD, 1.0) for n in (1, 2)]
    shown = text(mine)
    assert [row.split()[0] for row in shown if row.startswith("spmt-")] == ["spmt-1", "spmt-2"]
    assert shown[-1] == "processes and threads of one: watch threadmill-spmt-2"


def test_where_there_is_little_room_the_most_telling_columns_stay() -> None:
    (head,) = (row for row in text(looks(), LEAST_WIDTH) if "CPU" in row and "CONN" in row)
    assert "UP" not in head and "MEMORY" not in head
    (wide,) = (row for row in text(looks(), 240) if "CONN" in row)
    assert wide.split() == [
        "CPU",
        "THROTTLED",
        "MEMORY",
        "QUEUE",
        "OVERFLOWS",
        "CONN",
        "THREADS",
        "VOL/S",
        "INVOL/S",
        "UP",
    ]


def test_a_terminal_too_small_says_so() -> None:
    assert text(looks(), 40) == [f"40 x any: too small, {LEAST_WIDTH} x {LEAST_HEIGHT} is needed"]


def test_without_utf8_everything_is_ascii() -> None:
    assert "".join(text(looks(), 160, plain=True)).isascii()
    assert not "".join(text(looks(), 160)).isascii()


def test_a_front_by_itself_is_told_as_it_is() -> None:
    assert text(looks(0) + looks(0))[0] == "haproxy, haproxy"
