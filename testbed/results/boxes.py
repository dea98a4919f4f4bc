"""The boxes of a trial as its record and its directory have them: containers that were watched, each by its name."""

from typing import Any

Record = dict[str, Any]

# What a record from before there were boxes says of its one server: today's name, and that of its column.
_OF_THE_SERVER = {
    "cpu_limit": "cpus",
    "memory_limit_bytes": "memory_bytes",
    "served": "server_served",
    "steal_share": "server_steal_share",
    "watching_cpu_share": "probe_cpu_share",
} | {
    name: name
    for name in (
        *("window_s", "cpu_used_s", "periods", "throttled_periods", "throttled_s"),
        *("memory_peak_bytes", "pss_bytes", "oom_kills", "accept_queue_max", "listen_overflows"),
        *("voluntary_switches", "involuntary_switches"),
    )
}


def boxes(record: Record) -> list[Record]:
    """Every box of a trial; of a record from before there were any, its one server with what its columns say of it."""
    found = record.get("boxes")
    if isinstance(found, list):
        # A name is part of the names of files.
        return [box for box in found if isinstance(box, dict) and _is_name(box.get("name"))]
    of_server = {name: record.get(column) for name, column in _OF_THE_SERVER.items()}
    return [{"name": str(record.get("model")), "role": "server", **of_server}]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and "/" not in value


def servers(record: Record) -> list[Record]:
    """The boxes of the servers."""
    return [box for box in boxes(record) if box.get("role") == "server"]


def exit_reports(record: Record) -> dict[str, Record]:
    """What each server reported when it ended, by its name; none of one that ended without."""
    several = record.get("exit_reports")
    names = [box["name"] for box in servers(record)][:1]
    reports = several if isinstance(several, dict) else {name: record.get("exit_report") for name in names}
    return {name: report for name, report in reports.items() if isinstance(report, dict)}


def box_file(name: str, kind: str, single: bool) -> str:
    """What a file of a box is called in its trial's directory: `probe.json` where a trial has a single server and
    nothing before it, else `NAME.probe.json`. `kind`: `probe.json`, `probe.ndjson` or `server.log`."""
    return kind if single else f"{name}.{kind}"


def server_files(record: Record, kind: str) -> dict[str, str]:
    """The files of this kind of a trial's servers, by the server's name."""
    # A load worker tells of itself.
    probed = [box for box in boxes(record) if box.get("role") != "load worker"]
    # Others may have been meant to join, and never did.
    single = len(probed) == 1 and (record.get("replicas") or 1) == 1 and (record.get("front") or "none") == "none"
    return {box["name"]: box_file(box["name"], kind, single) for box in servers(record)}
