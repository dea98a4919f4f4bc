"""The first process of the watched container in a PID namespace that several containers share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe import cgroup, first
from probe.__main__ import BadArgument, clock_of, has_ended, parse
from probe.first import Candidate, candidates, choose
from probe.processes import Processes
from probe.sockets import Sockets
from tests.unit.probe.trees import NETSTAT, SNMP, V1_MEMBERSHIP, V2_GROUP, V2_MEMBERSHIP, add_process, tcp_table, write

SERVER = "python3 -m servers"
OTHER = "0::/../another.scope\n"


def a_pod(proc: Path) -> Path:
    """/proc of a pod: PID 1 is the pod's own, 7 a server with two workers, 20 a probe, each in a container's group."""
    add_process(proc, 1, parent=0, membership="0::/../pause.scope\n")
    for pid, parent in ((7, 0), (8, 7), (9, 7)):
        add_process(proc, pid, parent, membership=V2_MEMBERSHIP)
    add_process(proc, 20, parent=0, membership=OTHER)
    write(proc / "7/root/sys/fs/cgroup", V2_GROUP)
    commands = {1: "/pause", 7: "python3 -m servers spmt", 8: "python3 -m servers spmt", 9: "python3 -m servers spmt"}
    commands[20] = "python3 -m probe --first-process python3 -m servers"
    return write(proc, {f"{pid}/cmdline": text.replace(" ", "\0") + "\0" for pid, text in commands.items()})


@pytest.mark.parametrize(
    ("found", "words", "pid"),
    [
        ([], SERVER, None),
        ([Candidate(1, 1, "/pause"), Candidate(7, 2, "python3 -m servers spmt")], SERVER, 7),
        # Before the shell of the image has become the server.
        ([Candidate(7, 2, 'sh -c exec python3 -m servers "$MODEL"')], SERVER, 7),
        ([Candidate(7, 2, "nginx: master process nginx -c /tmp/nginx.conf")], "nginx", 7),
        # What is run in the container later is younger.
        ([Candidate(3, 9, "python3 -m servers x"), Candidate(7, 2, "python3 -m servers spmt")], SERVER, 7),
        ([Candidate(9, 2, "a b"), Candidate(8, 2, "a b")], "a  b", 8),
        ([Candidate(20, 1, "python3 -m probe --first-process python3 -m servers")], SERVER, None),
        ([Candidate(7, 2, "haproxy -db")], "nginx", None),
    ],
)
def test_it_is_the_oldest_whose_command_line_has_the_words(found: list[Candidate], words: str, pid: int | None) -> None:
    assert choose(iter(found), words, own=20) == pid


def test_only_what_has_its_parent_outside_is_a_containers_first_process(tmp_path: Path) -> None:
    found = list(candidates(a_pod(tmp_path)))
    assert sorted(one.pid for one in found) == [1, 7, 20]
    assert choose(iter(found), SERVER, own=20) == 7


def test_one_that_ends_while_it_is_looked_at_is_left_out(tmp_path: Path) -> None:
    a_pod(tmp_path)
    (tmp_path / "7/cmdline").unlink()
    (tmp_path / "1/stat").write_text("")
    assert [one.pid for one in candidates(tmp_path)] == [20]


def test_the_servers_processes_are_those_below_it_and_of_no_other_container(tmp_path: Path) -> None:
    sample = Processes(a_pod(tmp_path), 1024, first=7).read()
    assert sample is not None
    assert {pid for pid, _ in sample.processes} == {7, 8, 9}


def test_of_containers_in_one_control_group_descent_alone_tells(tmp_path: Path) -> None:
    for pid, parent in ((1, 0), (7, 0), (8, 7), (20, 0)):
        add_process(tmp_path, pid, parent, membership=V1_MEMBERSHIP)
    sample = Processes(tmp_path, 1024, first=7).read()
    assert sample is not None
    assert {pid for pid, _ in sample.processes} == {7, 8}


def test_control_group_and_sockets_are_the_servers_own(tmp_path: Path) -> None:
    proc = a_pod(tmp_path)
    group = cgroup.find(proc, 7)
    assert group.read().pids == 17
    with pytest.raises(OSError, match="1/root"):
        cgroup.find(proc)
    write(proc / "7/net", {"snmp": SNMP, "netstat": NETSTAT, "tcp": tcp_table(("1F91", "0A", 3))})
    sockets = Sockets(proc, 8081, 7)
    assert sockets.read().established == 12
    assert sockets.accept_queue() == 3


def test_without_it_the_reason_names_its_pid(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    processes = Processes(tmp_path, 1024, first=7)
    assert processes.read() is None
    assert processes.unavailable["processes"] == "PID 7 has ended or cannot be seen"


def test_words_are_asked_for() -> None:
    assert parse([]).first_process is None
    assert parse(["--first-process", SERVER]).first_process == SERVER
    with pytest.raises(BadArgument, match="--first-process: found nothing"):
        parse(["--first-process", "  "])


@contextmanager
def running() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_sampling_ends_with_the_server() -> None:
    with running() as server:
        assert not clock_of(server.pid).wait(0)
        assert not has_ended(server.pid)
    assert has_ended(server.pid)
    assert clock_of(server.pid).wait(0)


def test_the_machines_own_proc_can_be_read() -> None:
    # Where this runs in a container, its first process has its parent outside; else there are the kernel's.
    found = {one.pid for one in candidates(first.PROC)}
    assert 1 in found and os.getpid() not in found
