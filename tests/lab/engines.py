"""Docker engines of the tests' own, each as if on a machine of its own: with host name, network, data and socket.

The machine's own engine is only asked for its storage driver and its images. Needs root, `dockerd`, `ip`, `nsenter`,
`unshare` and `iptables`. Whatever a lab has made is gone at its end: processes by their ids, mounts, rules, network,
files.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

NEEDED = ("dockerd", "docker", "ip", "nsenter", "unshare", "iptables")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
STANDARD = ("bridge", "host", "none", "ingress", "docker_gwbridge")
# An engine that is installed in a root file system of another Debian: it sees this machine's processors, control groups
# and temporary files, and what it mounts there goes with it.
_ENTER = (
    'mount --bind "$0" "$0"; for place in proc sys dev tmp; do mount --rbind "/$place" "$0/$place"; done; '
    'mount -t tmpfs run "$0/run"; '
    'exec chroot "$0" "$@"'
)
ROOTED = ("unshare", "--mount", "--propagation", "slave", "sh", "-ec", _ENTER)
# A shell's own words: the program `hostname` is not everywhere.
NAMED = ("unshare", "--uts", "sh", "-c", 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"')


def lacking() -> str:
    """Why no engine of the tests' own can be started here, in one line; empty where one can."""
    if os.getuid() != 0:
        return "tests/lab starts Docker engines of its own: it needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"tests/lab starts Docker engines of its own: it lacks {', '.join(missing)}" if missing else ""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout


@dataclass(frozen=True)
class Machine:
    """What an engine is on: `device` is the other end of its cable, at the bridge."""

    name: str
    namespace: str
    address: str
    device: str


def _make(stack: ExitStack, command: Sequence[str], undo: Sequence[str]) -> None:
    """Run it, and have it undone at the end of the stack, also if it was cut short: there may be nothing to undo."""
    stack.callback(subprocess.run, undo, capture_output=True, timeout=120, check=False)
    _run(*command)


class LabEngine:
    """One engine. `via` is what a command has to be started with to run in its machine's network. `root`: its programs
    are those of the root file system there, not this machine's."""

    def __init__(self, directory: Path, on: Machine, root: Path | None = None) -> None:
        self.directory = directory
        self.root = root
        self.name = on.name
        self.address = on.address
        self.host = f"unix://{directory}/docker.sock"
        self.via = ("nsenter", f"--net=/run/netns/{on.namespace}")
        self.environment = {**os.environ, "DOCKER_HOST": self.host}
        self._device = on.device
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir()
        (directory / "daemon.json").write_text("{}")

    def start(self) -> None:
        """Start it, and return once it answers."""
        driver = _run("docker", "info", "--format", "{{.Driver}}").strip()
        rooted = () if self.root is None else (*ROOTED, str(self.root))
        command = [*self.via, *NAMED, self.name, *rooted, "dockerd", "--host", self.host]
        command += ["--config-file", str(self.directory / "daemon.json")]
        for name in ("data-root", "exec-root", "pidfile"):
            command += [f"--{name}", str(self.directory / name)]
        # One that was killed leaves the file, and its number may be another process's by now.
        (self.directory / "pidfile").unlink(missing_ok=True)
        with (self.directory / "log").open("ab") as log:
            # nsenter becomes dockerd in the end: the process is the engine's.
            self._process = subprocess.Popen(
                [*command, "--storage-driver", driver], stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._is_settled, f"the engine of {self.directory} answers", START_TIMEOUT_S)
        if self._process.poll() is not None:
            raise AssertionError(f"dockerd ended: {(self.directory / 'log').read_text()[-2000:]}")

    def _is_settled(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None or self.answers()

    def answers(self) -> bool:
        command = ("docker", "--host", self.host, "version")
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

    def kill(self) -> None:
        """SIGKILL, as when the machine runs out of memory. The containers live on without it; its containerd does not,
        and a dockerd that is started before that has gone would take it for a living one.
        """
        self._end(signal.SIGKILL)
        with contextlib.suppress(FileNotFoundError):
            companion = Path("/proc", (self.directory / "exec-root/containerd/containerd.pid").read_text().strip())
            wait_until(lambda: not companion.exists(), "containerd has gone with its dockerd")

    def lose_power(self) -> None:
        """All that runs on its machine ends at once: the engine, the containers, and nobody is told."""
        self._end(signal.SIGKILL)
        self._kill_what_is_left()

    def stop(self) -> None:
        """SIGTERM: it ends its containers first."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def docker(self, *arguments: str) -> str:
        return _run("docker", "--host", self.host, *arguments)

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """Without its network, but for the socket."""
        cable = ("ip", "link", "set", self._device)
        with ExitStack() as stack:
            _make(stack, (*cable, "down"), (*cable, "up"))
            yield

    @contextmanager
    def apart_from(self, other: "LabEngine") -> Iterator[None]:
        """Nothing gets through from it to that one, nor back; both reach all others."""
        with ExitStack() as stack:
            for way in (("INPUT", "--source", other.address), ("OUTPUT", "--destination", other.address)):
                rule = (*way, "--jump", "DROP")
                _make(stack, (*self.via, "iptables", "--insert", *rule), (*self.via, "iptables", "--delete", *rule))
            yield

    def containers(self) -> list[str]:
        return self.docker("ps", "--all", "--format", "{{.Names}}").split()

    def networks(self) -> list[str]:
        """But for those that every engine has, or every one in a swarm."""
        return [name for name in self.docker("network", "ls", "--format", "{{.Name}}").split() if name not in STANDARD]

    def volumes(self) -> list[str]:
        return self.docker("volume", "ls", "--quiet").split()

    def load(self, images: Sequence[str]) -> None:
        """Bring these images over from the machine's own engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
            done = subprocess.run(
                ["docker", "--host", self.host, "load"],
                stdin=save.stdout,
                capture_output=True,
                timeout=300,
                check=False,
            )
        assert (save.returncode, done.returncode) == (0, 0), done.stderr.decode()

    def clean(self) -> None:
        """End it and all it has started, whether it lives or not."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            if self.answers() and (left := self.containers()):
                self.docker("rm", "--force", *left)
        self.stop()
        self._kill_what_is_left()
        _remove_groups([entry.name for entry in self.directory.glob("data-root/containers/*")])

    def _kill_what_is_left(self) -> None:
        """A killed engine's containers, the shims above them and what mounts their file systems live on."""
        for pid in _processes_of(self.directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _processes_of(self.directory), f"the processes of {self.directory} are gone")


def _parents() -> dict[int, tuple[int, str]]:
    """Of every process its parent and its command line."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(entry.name)] = int(parent), (entry / "cmdline").read_bytes().decode(errors="replace")
    return found


def _processes_of(directory: Path) -> list[int]:
    """What was started with a path in this directory, and the descendants of that, those first."""
    everything = _parents()
    mine = {pid for pid, (_, command) in everything.items() if f"{directory}/" in command and pid != os.getpid()}
    grown = True
    while grown:
        children = {pid for pid, (parent, _) in everything.items() if parent in mine}
        grown = not children <= mine
        mine |= children
    return sorted(mine - {os.getpid(), os.getppid()}, reverse=True)


def _remove_groups(container_ids: Sequence[str]) -> None:
    """The control groups of containers that nobody was left to remove."""
    for name in container_ids:
        for group in Path("/sys/fs/cgroup").glob(f"**/{name}"):
            with contextlib.suppress(OSError):
                group.rmdir()


def _unmount(directory: Path) -> None:
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((place for place in places if place.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


@contextmanager
def engines(count: int = 1, root: Path | None = None) -> Iterator[list[LabEngine]]:
    """So many engines, `n1` and so on, on one network, started and answering; nothing of them is left afterwards."""
    token = secrets.token_hex(3)
    bridge, net = f"tm{token}", f"10.{secrets.randbelow(50) + 100}.{secrets.randbelow(256)}"
    directory = Path(tempfile.mkdtemp(prefix=f"threadmill-lab-{token}-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        stack.callback(_unmount, directory)
        _make(stack, ("ip", "link", "add", bridge, "type", "bridge"), ("ip", "link", "del", bridge))
        _run("ip", "addr", "add", f"{net}.254/24", "dev", bridge)
        _run("ip", "link", "set", bridge, "up")
        for way in (("-i", bridge), ("-o", bridge)):
            # The machine's own engine has what is forwarded dropped, and packets over a bridge go through that, too.
            rule = ("FORWARD", *way, "-j", "ACCEPT")
            _make(stack, ("iptables", "-I", *rule), ("iptables", "-D", *rule))
        made = []
        for number in range(1, count + 1):
            on = Machine(f"n{number}", f"{bridge}n{number}", f"{net}.{number}", f"{bridge}v{number}")
            _make(stack, ("ip", "netns", "add", on.namespace), ("ip", "netns", "del", on.namespace))
            _run("ip", "link", "add", on.device, "type", "veth", "peer", "name", "eth0", "netns", on.namespace)
            _run("ip", "link", "set", on.device, "master", bridge, "up")
            _run("ip", "-n", on.namespace, "addr", "add", f"{on.address}/24", "dev", "eth0")
            for end in ("eth0", "lo"):
                _run("ip", "-n", on.namespace, "link", "set", end, "up")
            _run("ip", "-n", on.namespace, "route", "add", "default", "via", f"{net}.254")
            made.append(LabEngine(directory / on.name, on, root))
            stack.callback(made[-1].clean)
        for engine in made:
            engine.start()
        yield made
