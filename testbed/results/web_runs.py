"""Runs made from Locust's web page, brought from the results volume into results/web/, laid out like a sweep's.

Each becomes a trial (`web_record`).
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.errors import UserError
from testbed.files import write_atomically, write_json
from testbed.names import image_name
from testbed.results import reading, web_record
from testbed.results.directory import SCHEMA_VERSION, csv_text
from testbed.results.summary import summary
from testbed.stack.docker import DockerEngine

VOLUME = "threadmill_results"
DIRECTORY = "web"
_NAME = re.compile(r"load/(web-[A-Za-z0-9._-]+?)\.(json|probe\.ndjson)")
_PLACES = {"json": "load.json", "probe.ndjson": "probe.ndjson"}

Record = dict[str, Any]


def collect(results: Path, say: Callable[[str], None], source: Path | None = None) -> Path:
    """Bring over what is new and return results/web/. UserError where no run was ever made from the page.

    From the results volume of this machine's engine, or from below `source`, a directory with files of such a volume.
    """
    directory = results / DIRECTORY
    found, cpus = _of_volume(DockerEngine()) if source is None else (_brought(source), os.cpu_count() or 1)
    fresh = sorted(trial_id for trial_id in found if not (directory / "trials" / trial_id / "trial.json").exists())
    for trial_id in fresh:
        store(directory, trial_id, found[trial_id], cpus)
    if fresh:
        say(f"{len(fresh)} run{'s' if len(fresh) > 1 else ''} from the web page brought to {directory}")
    if not (directory / "trials").is_dir():
        raise UserError(
            "no run was made from the web page yet: `.venv/bin/python orchestrate.py up MODEL`, then open the page it "
            "names; a run is recorded when it stops"
        )
    describe(directory)
    return directory


def _of_volume(engine: DockerEngine) -> tuple[dict[str, dict[str, str]], int]:
    """Of each run whose result is whole, its files as a trial's directory has them; and the engine's processors."""
    return _by_run(engine.volume_files(VOLUME, "load", image_name("locust"))), engine.cpus


def _brought(source: Path) -> dict[str, dict[str, str]]:
    """The runs below a directory. UserError, one line, where there is none."""
    try:
        files = (path for path in sorted(source.rglob("web-*")) if path.is_file())
        found = _by_run((f"load/{path.name}", path.read_text(encoding="utf-8")) for path in files)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--from: {source}: cannot be read: {error}") from None
    if not found:
        raise UserError(f"--from: found {source}, allowed: a directory with results of Locust below it (web-*.json)")
    return found


def _by_run(files: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, text in files:
        if match := _NAME.fullmatch(name):
            found.setdefault(match[1], {})[_PLACES[match[2]]] = text
    return {trial_id: files for trial_id, files in found.items() if "load.json" in files}


def store(directory: Path, trial_id: str, files: dict[str, str], machine_cpus: int) -> None:
    """Write one run as a trial. Its record comes last: a trial with a record is whole."""
    place = directory / "trials" / trial_id
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(place / name, text)
    load = json.loads(files["load.json"])
    lines = [json.loads(line) for line in files.get("probe.ndjson", "").splitlines()]
    write_json(place / "trial.json", web_record.record(trial_id, load, lines, machine_cpus))


def describe(directory: Path) -> None:
    """What a sweep's directory has besides its trials."""
    facts = reading.json_file(directory / "manifest.json") or {}
    found = reading.trials(directory, facts)
    write_json(directory / "manifest.json", manifest(list(found.records.values())))
    write_atomically(directory / "sweep.yaml", "# Runs from the web page: each has its own settings.\nname: web\n")
    write_atomically(directory / "trials.csv", csv_text(found.kept))
    write_json(directory / "summary.json", summary(found.kept, seed=0))


def manifest(records: list[Record]) -> Record:
    """What the runs tell of where they were made. Pure.

    Each run has its own record of its machine; here stands what all have in common, and None for what differs between
    them or was not recorded: neither the machine nor the code of whoever collects them is theirs.
    """
    hosts = [record.get("host") or {} for record in records]
    names = dict.fromkeys(name for host in hosts for name in host)
    common = {name: hosts[0].get(name) if len({host.get(name) for host in hosts}) == 1 else None for name in names}
    first = min((record["started_unix"] for record in records if "started_unix" in record), default=None)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": DIRECTORY,
        "by_hand": True,
        "started_utc": None if first is None else datetime.fromtimestamp(first, UTC).isoformat(timespec="seconds"),
        "host": common or None,
        "engine": None,
        "threadmill": None,
        "calibration": None,
    }
