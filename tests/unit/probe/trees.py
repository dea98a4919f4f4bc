"""Trees of files as the kernel shows them: control groups of both versions, /proc, and the tables of sockets."""

from pathlib import Path

from probe.ended import Ended, Memory, Slot

V1_MEMBERSHIP = (
    "9:name=systemd:/docker/abc\n8:pids:/docker/abc\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n"
)
V2_MEMBERSHIP = "0::/../docker-abc.scope\n"  # as a reader in a control group namespace of its own sees it

V1_GROUP = {
    "cpu/cpu.stat": "nr_periods 205\nnr_throttled 160\nthrottled_time 9876543210\nnr_bursts 0\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuset/cpuset.cpus": "0-1\n",
    "cpuacct/cpuacct.usage": "5120123456\n",
    "cpuacct/cpuacct.stat": "user 400\nsystem 112\n",
    "memory/memory.usage_in_bytes": "12582912\n",
    "memory/memory.max_usage_in_bytes": "14680064\n",
    "memory/memory.limit_in_bytes": "134217728\n",
    "memory/memory.stat": "cache 1\nrss 8388608\nrss_huge 0\ntotal_rss 8388608\n",
    "memory/memory.kmem.usage_in_bytes": "1048576\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "pids/pids.current": "17\n",
}
V2_GROUP = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma\n",
    "cgroup.type": "domain\n",
    "cpu.stat": (
        "usage_usec 5120123\nuser_usec 4000000\nsystem_usec 1120000\n"
        "nr_periods 205\nnr_throttled 160\nthrottled_usec 9876543\nnr_bursts 0\nburst_usec 0\n"
    ),
    "cpu.max": "50000 100000\n",
    "cpuset.cpus.effective": "0-1\n",
    "memory.current": "12582912\n",
    "memory.peak": "14680064\n",
    "memory.max": "134217728\n",
    "memory.stat": "anon 8388608\nfile 1\nkernel 1048576\nkernel_stack 16384\nsock 0\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n",
    "pids.current": "17\n",
    "cpu.pressure": (
        "some avg10=1.50 avg60=0.70 avg300=0.10 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=789\n"
    ),
    "memory.pressure": "some avg10=0.00 avg60=0.00 total=5\nfull avg10=0.00 avg60=0.00 total=4\n",
    "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def v1_proc(proc: Path) -> Path:
    """/proc of a container on version 1: each controller's mount is the container's own group."""
    write(proc / "1/root/sys/fs/cgroup", {f"{name.split('/')[0]}/cgroup.procs": "1\n" for name in V1_GROUP} | V1_GROUP)
    return write(proc, {"1/cgroup": V1_MEMBERSHIP})


def v2_proc(proc: Path) -> Path:
    """/proc of a container on version 2 with a control group namespace of its own."""
    write(proc / "1/root/sys/fs/cgroup", V2_GROUP)
    return write(proc, {"1/cgroup": V2_MEMBERSHIP})


def stat(pid: int, parent: int, threads: int = 1, state: str = "S", started: int = 100, faults: int = 10) -> str:
    """`/proc/PID/stat`, of a process with a name made to be misread."""
    fields = [
        state,
        parent,
        pid,
        pid,
        0,
        -1,
        4194560,
        faults,
        5,
        2,
        1,
        8,
        4,
        0,
        0,
        20,
        0,
        threads,
        0,
        started,
        19738624,
    ]
    return f"{pid} (a) b 1 (c) " + " ".join(map(str, [*fields, 3566, *[0] * 28])) + "\n"


class KnownMemory(Memory):
    """The server's counts of ended tasks as a test sets them: `threads` of PID 1, by (voluntary, involuntary)."""

    def __init__(self) -> None:
        self.threads: list[tuple[int, int]] = []
        self.processes: list[tuple[int, int]] = []

    def counts(self) -> tuple[int, ...]:
        return self.read().counts

    def read(self) -> Ended:
        return Ended((_slot(self.processes, 0), _slot(self.threads, 1)))


def _slot(gone: list[tuple[int, int]], pid: int) -> Slot:
    count = len(gone)
    return Slot(count, count, sum(one[0] for one in gone), sum(one[1] for one in gone), count, pid)


def add_process(
    proc: Path,
    pid: int,
    parent: int = 1,
    switches: dict[int, tuple[int, int]] | None = None,
    membership: str = V1_MEMBERSHIP,
    state: str = "S",
    started: int = 100,
    pss_kb: int = 2048,
) -> None:
    """A process with one thread for each of `switches`: thread id to (voluntary, involuntary)."""
    tasks = switches or {pid: (7, 3)}
    files = {
        f"{pid}/stat": stat(pid, parent, len(tasks), state, started),
        f"{pid}/cgroup": membership,
        f"{pid}/smaps_rollup": f"0-1 ---p 0 00:00 0 [rollup]\nRss: 9000 kB\nPss:  {pss_kb} kB\nPss_Dirty: 1 kB\n",
    }
    for tid, (voluntary, involuntary) in tasks.items():
        files[f"{pid}/task/{tid}/status"] = (
            f"Name:\tvoluntary_ctxt_switches:\nPid:\t{tid}\n"
            f"voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"
        )
        files[f"{pid}/task/{tid}/schedstat"] = "120139397 43000 1438\n"
    write(proc, files)


TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"


def tcp_table(*rows: tuple[str, str, int]) -> str:
    """Rows of (local port in hex, state in hex, receive queue), each padded as the kernel does."""
    lines = [TCP_HEAD] + [
        f"{number:4}: 00000000:{port} 00000000:0000 {state} 00000000:{queue:08X} 00:00000000 00000000  1000"
        for number, (port, state, queue) in enumerate(rows)
    ]
    return "".join(line.ljust(149) + "\n" for line in lines)


NETSTAT = (
    "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\nTcpExt: 0 4 6 99\nIpExt: InNoRoutes\nIpExt: 0\n"
)
SNMP = "Ip: Forwarding\nIp: 1\nTcp: RtoMin MaxConn CurrEstab InSegs\nTcp: 200 -1 12 1200\nUdp: InDatagrams\nUdp: 0\n"
