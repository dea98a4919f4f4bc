"""What the engine and the kernel tell of a container by hand, and what one more that is as it needs."""

from typing import Any

import pytest

from testbed.stack.replicas_by_hand import Counted, alike, counted, waiting


def stats(**kept: int) -> dict[str, Any]:
    return {
        "read": "2026-01-02T00:00:01.930555577Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 1_228_175_679}},
        "memory_stats": {"usage": 30 * 2**20, "stats": kept},
    }


@pytest.mark.parametrize(
    "kept", [{"inactive_file": 5 * 2**20}, {"inactive_file": 2**20, "total_inactive_file": 5 * 2**20}]
)
def test_counts_are_those_of_either_version_of_control_groups(kept: dict[str, int]) -> None:
    found = counted(stats(**kept))
    assert found is not None
    assert (found.cpu_s, found.memory_bytes) == (1.228175679, 25 * 2**20)
    assert found.at_s % 1 == pytest.approx(0.930555, abs=1e-5)


def test_of_a_container_that_has_ended_nothing_is_known() -> None:
    ended = {"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}
    assert counted(ended) is None
    assert isinstance(counted(stats()), Counted)


HEAD = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(number: int, port: int, state: str, queue: int) -> bytes:
    return b"   %d: 00000000:%04X 00000000:0000 %s 00000000:%08X 00:00000000 00000000 0 0 1\n" % (
        *(number, port, state.encode(), queue),
    )


def test_what_waits_is_counted_at_the_servers_port_of_every_listening_socket() -> None:
    first = HEAD + row(0, 8081, "0A", 3) + row(1, 9000, "0A", 50) + row(2, 8081, "01", 70)
    second = HEAD + row(0, 8081, "0A", 4)
    assert waiting(first + second) == 7
    assert waiting(HEAD + row(0, 8081, "0A", 0)) == 0


def test_where_nobody_listens_it_is_not_known() -> None:
    assert waiting(b"") is None
    assert waiting(HEAD + row(0, 8081, "01", 70)) is None


def test_one_more_is_as_those_that_run() -> None:
    attributes = {
        "HostConfig": {"NanoCpus": 350_000_000, "Memory": 2**27},
        "Config": {"Env": ["WORKERS=3", "PACKET_LOG=", "PATH=/usr/bin"]},
    }
    assert alike("prefork", attributes) == {
        "SERVER_PORT": "",
        "BACKEND": "prefork",
        "SERVER_CPUS": "0.35",
        "SERVER_MEMORY": str(2**27),
        "WORKERS": "3",
        "PACKET_LOG": "",
    }
