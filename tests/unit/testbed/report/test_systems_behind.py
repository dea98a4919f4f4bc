"""What stands behind the servers, compared as a system: the sweep's first is what the others are measured by."""

from pathlib import Path
from typing import Any

import pytest

from testbed.plan.cell import Cell
from testbed.report import standing, systems, work
from testbed.report.build import html
from testbed.report.view import View
from testbed.results import summary
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import Page, text, view_of

# Rates of one database, of two shards of it, and of one with a standby.
RATES = {"shards": 400.0, "standbys": 1500.0, "one": 1000.0}
SWEEP: dict[str, Any] = {
    "models": ["spmt"],
    "limits": {"cpus": 0.5},
    # One with shards is first in the alphabet, and not in the sweep.
    "behind": [{"postgres": {"standbys": 1, "reads": "standby"}}, "postgres", {"postgres": {"shards": 2}}],
    "workload": {"zipf": [0, 1.1]},
}


def measured(cell: Cell, block: int) -> dict[str, Any]:
    kind = "shards" if '"shards":2' in cell.behind else "standbys" if '"standbys":1' in cell.behind else "one"
    drift = 1 + 0.01 * (block - 2)
    stale = 3 if kind == "standbys" else 0
    return {
        "verdict": "backend-bound",
        "throughput_rps": RATES[kind] * drift,
        "behind_cpu_us_per_request": 100_000 / RATES[kind],
        "stale": stale,
        "reads_checked": 100,
        "stale_share": stale / 100,
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> View:
    return view_of(make_run(tmp_path_factory.mktemp("behind") / "run", SWEEP, measured=measured))


def test_each_is_compared_with_the_first_of_the_sweep(seen: View) -> None:
    found = standing.standings(seen)
    assert [one.heading for one in found] == [
        "spmt, skew of the keys (Zipf) 0",
        "spmt, skew of the keys (Zipf) 1.1",
    ]
    one, shards = standing.lines(seen, found[0])
    assert one.startswith(
        "postgres: serves 0.67 (0.67 to 0.67) times the requests of postgres, 1 standby, reads standby; "
    )
    assert one.endswith(
        "What is behind takes 1.50 (1.50 to 1.50) times the CPU for a request. 0 % of its reads were stale, 3 % there."
    )
    assert shards.startswith("postgres, 2 shards: serves 0.27 (0.27 to 0.27) times")
    assert "What is behind takes 3.75 (3.75 to 3.75) times the CPU for a request." in shards
    assert "choose postgres, 1 standby, reads standby" in text(str(standing.choose(seen, found[0])))


def test_the_page_opens_with_the_system_and_has_no_choice_of_models(seen: View) -> None:
    page = html(seen.results)
    told = text(page)
    assert "In short, which system:" in told
    assert "only spmt was measured" not in told
    assert "only one model was measured" not in told
    found = Page(page)
    assert found.count("section", id="systems") == 1 and found.count("section", id="choice") == 0


def test_with_one_thing_behind_there_is_no_system_to_choose(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", {**SWEEP, "behind": "postgres", "workload": {}}, measured=measured)
    assert systems.section(view_of(path)) == ""


def test_a_request_that_asks_what_is_behind_is_no_bare_echo(seen: View) -> None:
    row = seen.groups[0].rows[0]
    assert work.kind(row) == "reads and writes of a store"
    assert work.request({**row, "reads": 0.9, "scans": 0.5}).startswith(
        "The server reads a value of a store, or writes one (90\N{NO-BREAK SPACE}% of requests read, "
        "50\N{NO-BREAK SPACE}% of the reads over all keys). "
    )
    broker = '{"nats":{"cpus":0.3},"pool":4}'
    assert work.kind({**row, "behind": broker}) == "messages to a broker"
    assert work.request({**row, "behind": broker}).startswith("The server sends a message to a broker. ")
    assert work.kind({**row, "behind": "none"}) == "no work but the echo"


def test_warnings_name_what_is_behind_in_words(seen: View) -> None:
    rows = [dict(row) for row in seen.results.rows]
    for row in rows:
        row["throughput_rps"] *= 1 + 0.3 * (row["block"] - 2)
    told = [one for one in summary.sweep_warnings(rows) if "throughput" in one]
    assert any("behind postgres, 0.4 CPU, 2 shards" in one for one in told)
    assert all("{" not in one for one in told)


def test_how_often_a_cache_made_the_database_be_asked(tmp_path: Path) -> None:
    def asked(cell: Cell, block: int) -> dict[str, Any]:
        locked = '"lock":true' in cell.behind
        counts = {"cache_hit_ratio": 0.95, "cache_fetches": 5 if locked else 75, "server_served": 1500}
        return {**measured(cell, block), **counts}

    stands = {"valkey": {"ttl": "1s", "lock": [False, True], "over": "postgres"}}
    path = make_run(tmp_path / "run", {**SWEEP, "behind": [stands], "workload": {}}, measured=asked)
    (found,) = standing.standings(view_of(path))
    (line,) = standing.lines(view_of(path), found)
    assert "The database was asked for 0.333 % of its requests, 5 % there." in line


def test_how_many_messages_a_queue_had_left(tmp_path: Path) -> None:
    def asked(cell: Cell, block: int) -> dict[str, Any]:
        return {**measured(cell, block), "messages_waiting": 2 if '"consumers":4' in cell.behind else 300 + block}

    stands = [{"rabbitmq": {"consumers": [1, 4]}}]
    path = make_run(tmp_path / "run", {**SWEEP, "behind": stands, "workload": {}}, measured=asked)
    (found,) = standing.standings(view_of(path))
    (line,) = standing.lines(view_of(path), found)
    assert "At the window's end 2 messages waited, 302 there." in line


@pytest.mark.parametrize(
    ("third", "told"),
    [(5, "15 of its messages were lost."), (None, "How many of its messages were lost is not known.")],
)
def test_messages_that_were_lost_are_added_up_only_where_every_trial_knows(
    tmp_path: Path, third: int | None, told: str
) -> None:
    def asked(cell: Cell, block: int) -> dict[str, Any]:
        slow = '"slow":1' in cell.behind
        return {**measured(cell, block), "messages_lost": (third if block == 3 else 5) if slow else 0}

    stands = [{"nats": {"subscribers": 3, "slow": [0, 1], "task": "1ms"}}]
    path = make_run(tmp_path / "run", {**SWEEP, "behind": stands, "workload": {}}, measured=asked)
    (found,) = standing.standings(view_of(path))
    assert told in standing.lines(view_of(path), found)[0]
