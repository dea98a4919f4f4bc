"""Trials with stores, caches and brokers behind the server: real ones under limits, and what comes of each request."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.compose import left_of
from tests.e2e.stack import containers_of, networks_of, orchestrate, terminal, wait_for_container
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.test_scaling import Found, found_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timed,
    pytest.mark.usefixtures("images", "images_behind"),
    pytest.mark.timeout(240),
]

NAME = "test-behind"
PASSWORD = secrets.token_hex(16)
STANDBYS = {"postgres": {"cpus": 0.4, "standbys": 1, "reads": "standby", "pooler": "pgbouncer"}}
SHARDS = {"postgres": {"cpus": 0.3, "shards": 2}}
CACHE = {"valkey": {"cpus": 0.1, "hits": 0.5, "over": {"postgres": {"cpus": 0.3}}}}
KILLED = {"nats": {"stream": True, "subscribers": 2, "task": "5ms", "kill": "1s"}}
NEWS = {"nats": {"subscribers": 2}}
EVERY = (STANDBYS, SHARDS, CACHE, KILLED, NEWS)
FIXED: dict[str, Any] = {
    "models": ["spmt"],
    "limits": {"cpus": 0.3},
    "workload": {"keys": 100, "reads": 0.8},
    "load": {"mode": "open", "rate": 50, "users": 4},
    "warmup": "1s",
    "duration": "3s",
    "order": {"shuffle": False},
}


@pytest.fixture(scope="module")
def sweep(images: None, images_behind: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One sweep with everything that is looked at here, and where its results are."""
    directory = tmp_path_factory.mktemp("behind")
    path = write_sweep(directory, NAME, **FIXED, behind=list(EVERY))
    done = orchestrate("sweep", path, "--results", directory / "results", environment={"BEHIND_PASSWORD": PASSWORD})
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers_of(NAME) == [] == networks_of(NAME)
    results, rows = results_of(directory / "results")
    return {"results": results, "found": [found_in(results, row) for row in rows], "rows": rows}


def of(sweep: dict[str, Any], stands: dict[str, Any]) -> Found:
    found: Found = sweep["found"][EVERY.index(stands)]
    return found


def asked(found: Found) -> dict[str, Any]:
    """What the server has asked of what is behind it."""
    return dict(found.record["exit_report"]["behind"])


def test_no_trial_is_invalid_and_every_part_was_watched_within_its_limits(sweep: dict[str, Any]) -> None:
    boxes = {
        0: {"postgres": 0.2, "standby-1": 0.2, "pgbouncer": 0.1},
        1: {"shard-1": 0.15, "shard-2": 0.15, "shards": 0.15},
        2: {"postgres": 0.3, "valkey-1": 0.1},
        3: {"nats": 0.3, "consumer-1": 0.1, "consumer-2": 0.1},
        4: {"nats": 0.3, "consumer-1": 0.1, "consumer-2": 0.1},
    }
    for place, found in enumerate(sweep["found"]):
        assert found.record["status"] == "ok", (place, found.record["reasons"])
        limits = {
            one: found.boxes[one]["cpu_limit"] for one in found.boxes if found.boxes[one]["role"] != "load worker"
        }
        assert limits == {**boxes[place], "spmt": 0.3}
        for name in boxes[place]:
            if name != "consumer-1" or place != 3:
                assert found.boxes[name]["cpu_used_s"] > 0
        assert found.record["behind_cpu_s"] > 0


def test_reads_and_writes_come_to_the_store_and_no_value_is_wrong(sweep: dict[str, Any]) -> None:
    for stands in (STANDBYS, SHARDS, CACHE):
        found = of(sweep, stands)
        counts = asked(found)
        assert counts["reads"] > 0
        assert counts["writes"] > 0
        assert counts["wrong"] == 0
        # Before the load the server is asked for one key that is not there, and has to say so.
        assert counts["errors"] == {**dict.fromkeys(counts["errors"], 0), "unknown key": 1}
        assert found.record["failed"] == 0
    # Reads pass the pooler by: they go to the standby.
    primary, standby = (of(sweep, STANDBYS).record["behind_counts"][name] for name in ("postgres", "standby-1"))
    grown = [closed["operations"] - opened["operations"] for opened, closed in (primary, standby)]
    assert grown[1] > grown[0] > 0


def test_a_cache_answers_for_the_share_of_keys_that_it_may_hold(sweep: dict[str, Any]) -> None:
    found = of(sweep, CACHE)
    assert 0.1 < found.record["cache_hit_ratio"] < 0.9
    assert asked(found)["hits"] + asked(found)["misses"] > 0


def test_a_task_whose_worker_was_killed_is_not_lost_and_news_comes_to_everybody(sweep: dict[str, Any]) -> None:
    killed, news = of(sweep, KILLED), of(sweep, NEWS)
    assert killed.boxes["consumer-1"]["ended"].startswith("consumer consumer-1 ended")
    assert killed.record["messages_sent"] == asked(killed)["sends"] > 100
    assert (killed.record["messages_lost"], killed.record["messages_late"]) == (0, 0)
    assert killed.record["messages_done"] - killed.record["messages_repeated"] == killed.record["messages_sent"]
    assert news.record["messages_done"] == 2 * news.record["messages_sent"] > 200
    assert news.record["messages_lost"] == 0


def test_the_password_is_in_no_file(sweep: dict[str, Any]) -> None:
    text = (sweep["results"] / "trials" / sweep["rows"][0]["trial_id"] / "compose.yaml").read_text()
    assert "${BEHIND_PASSWORD:?" in text
    for file in sweep["results"].rglob("*"):
        if file.is_file():
            assert PASSWORD not in file.read_text(errors="replace"), file


# --- what goes wrong ---


def test_a_part_that_does_not_come_up_or_dies_or_is_full_is_named(tmp_path: Path, name: str) -> None:
    """One sweep: of three trials the first finds no NATS, for its image is another's; the second loses its store in the
    window; the third asks for more than a tenth of a CPU answers."""
    fixed = FIXED | {"images": {"nats": "threadmill/valkey"}, "duration": "4s"}
    stands = ["nats", "valkey", {"postgres": {"cpus": 0.1}}]
    fixed |= {"limits": {"cpus": 0.5}, "load": {"users": 16}}
    path, root = write_sweep(tmp_path, name, **fixed, behind=stands), tmp_path / "results"
    with terminal("sweep", path, "--results", root) as shown:
        store = wait_for_container(name, "valkey-1")
        shown.wait_for("002-b1-spmt-0.5cpu window")
        store.kill()
        # Not every trial has come to a number.
        assert shown.end() == 1, shown.output
    results, rows = results_of(root)
    assert [row["verdict"] for row in rows] == ["invalid", "invalid", "backend-bound"]
    assert "nats was not ready within 10 s" in rows[0]["reasons"]
    assert "valkey-1 ended during the window" in rows[1]["reasons"]
    assert rows[2]["reasons"].startswith("postgres ")
    assert containers_of(name) == [] == networks_of(name)
    assert found_in(results, rows[1]).boxes["valkey-1"]["ended"]


@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_ended_in_the_middle_it_is_completed_and_leaves_nothing(tmp_path: Path, name: str, how: str) -> None:
    path = write_sweep(tmp_path, name, **FIXED, behind=[STANDBYS, KILLED])
    root = tmp_path / "results"
    with terminal("sweep", path, "--results", root) as shown:
        consumer = wait_for_container(name, "consumer-2")
        project = str(consumer.labels["com.docker.compose.project"])
        if how == "kill":
            shown.process.kill()
            shown.process.wait()
        else:
            shown.interrupt()
            assert shown.end() == 130, shown.output
            assert left_of(project) == []
    results, rows = results_of(root)
    assert [row["status"] for row in rows] == ["ok"]
    done = orchestrate("sweep", "--resume", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_of(project) == []
    _, rows = results_of(root)
    assert [row["status"] for row in rows] == ["ok", "ok"], rows[-1]["reasons"]
    assert found_in(results, rows[1]).record["messages_lost"] == 0
