"""A machine like the ones users have, made and run here: Debian 13 in software emulation, with cgroup version 2,
systemd, AppArmor and Docker Engine 26. It is for finding out what is different there, not for timing: programs run
about ten times slower than outside.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.errors import Breakdown, UserError
from testbed.stack import apt, images
from testbed.stack.programs import CommandFailed, Commands
from tests.waiting import wait_until

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
# Where the tree is, inside. The user who runs the sweeps is an ordinary one who may use Docker.
USER = "tester"
HOME = f"/home/{USER}"
TREE = f"{HOME}/threadmill"
BUNDLE = "/etc/ssl/certs/of-the-machine-outside.pem"
PROCESSORS = 2
MEMORY_MIB = 6000
# It is sparse: what is not written takes no room.
DISK = "20G"
BOOT_TIMEOUT_S = 1200.0
# On a busy machine the first services take longer than systemd would wait for them.
PATIENT = "systemd.default_timeout_start_sec=900"
# The program of each package that this takes, and the package.
NEEDED = (
    ("mmdebstrap", "mmdebstrap"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ssh", "openssh-client"),
)

Say = Callable[[str], None]


def ensure(commands: Commands, say: Say) -> None:
    """What this machine lacks is installed. UserError, one line, where that cannot be done."""
    if os.geteuid() != 0:
        raise UserError("make test-vm makes a root file system and needs root; run: sudo make test-vm")
    for program, package in NEEDED:
        apt.ensure(program, package, "make test-vm", commands, say)


def make_root(archive: Path, commands: Commands) -> None:
    """A root file system with Docker Engine 26 as a tar archive, 135 s. UserError where it cannot be made."""
    packages = ",".join((HERE / "packages.txt").read_text().split())
    command = ["mmdebstrap", "--variant=apt", f"--include={packages}", "trixie", str(archive)]
    try:
        commands.run(command)
    except CommandFailed as failure:
        raise UserError(f"the machine's root file system could not be made: {images.reason(failure.lines)}") from None


class Machine:
    """One machine, its disk, its key and what it prints in a directory."""

    def __init__(self, directory: Path, commands: Commands, say: Say) -> None:
        self.directory = directory
        self._commands = commands
        self._say = say

    @property
    def _port(self) -> int:
        return int((self.directory / "port").read_text())

    @property
    def is_made(self) -> bool:
        return (self.directory / "disk.img").is_file()

    def make(self) -> None:
        """Its disk, with all it takes to run a sweep of this checkout but the images."""
        archive, root = self.directory / "root.tar", self.directory / "root"
        self._say("[vm] making a Debian 13 root file system (about 3 min) ...")
        make_root(archive, self._commands)
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="fully_trusted", numeric_owner=True)
        archive.unlink()
        self._say("[vm] users, keys, network, the virtual environment (about 1 min) ...")
        self._settle(root)
        for name in ("vmlinuz", "initrd"):
            (found,) = (root / "boot").glob(f"{name}*")
            shutil.copy(found, self.directory / name)
        disk = self.directory / "disk.unfinished"
        self._run("mkfs.ext4", "-q", "-d", str(root), str(disk), DISK)
        shutil.rmtree(root)
        disk.rename(self.directory / "disk.img")

    def _settle(self, root: Path) -> None:
        (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
        (root / "etc/hostname").write_text("threadmill-vm\n")
        (root / "etc/hosts").write_text("127.0.0.1 localhost threadmill-vm\n")
        network = root / "etc/systemd/network/any.network"
        network.write_text("[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n")
        key = self.directory / "key"
        self._run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        inside = f"useradd --create-home --shell /bin/bash --groups docker {USER}"
        inside += "; systemctl --quiet enable ssh docker systemd-networkd"
        self._run("chroot", str(root), "sh", "-ec", inside)
        shutil.copy(images.ca_bundle(dict(os.environ)), root / BUNDLE.lstrip("/"))
        for home in ("root", HOME.lstrip("/")):
            (root / home / ".ssh").mkdir(mode=0o700, exist_ok=True)
            shutil.copy(key.with_suffix(".pub"), root / home / ".ssh/authorized_keys")
        self._unpack_tree(root / TREE.lstrip("/"))
        # In the root that runs here at full speed: inside it takes two minutes.
        resolver = root / "etc/resolv.conf"
        resolver.unlink(missing_ok=True)
        shutil.copy("/etc/resolv.conf", resolver)
        variables = [f"PIP_CERT={BUNDLE}", f"SSL_CERT_FILE={BUNDLE}"]
        variables += [f"{name}={value}" for name, value in os.environ.items() if name == "PIP_INDEX_URL"]
        command = ("env", "-i", f"HOME={HOME}", "PATH=/usr/sbin:/usr/bin", *variables, "make", "-C", TREE, "setup-venv")
        self._run("chroot", str(root), *command)
        self._run("chroot", str(root), "chown", "-R", f"{USER}:{USER}", HOME)
        resolver.unlink()
        # The name server of the emulated network.
        resolver.write_text("nameserver 10.0.2.3\n")

    def _unpack_tree(self, target: Path) -> None:
        target.mkdir(parents=True)
        with subprocess.Popen(["git", "-C", str(PROJECT), "archive", "HEAD"], stdout=subprocess.PIPE) as archive:
            subprocess.run(["tar", "-x", "-C", str(target)], stdin=archive.stdout, check=True)

    def _run(self, *command: str) -> None:
        try:
            self._commands.run(command)
        except CommandFailed as failure:
            raise Breakdown(f"{' '.join(command[:4])}: {images.reason(failure.lines)}") from None

    def start(self) -> None:
        """Boot it, unless it runs; back once it answers by ssh and its engine does (about 1 min)."""
        if self._pid() is None:
            self._boot()
        wait_until(self._answers, f"{self.directory} boots; see console.log there", BOOT_TIMEOUT_S)

    def _boot(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        (self.directory / "port").write_text(str(port))
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max"]
        command += ["-smp", str(PROCESSORS), "-m", str(MEMORY_MIB), "-display", "none"]
        command += [
            "-kernel",
            "vmlinuz",
            "-initrd",
            "initrd",
            "-append",
            f"root=/dev/vda rw console=ttyS0 quiet {PATIENT}",
        ]
        command += ["-drive", "file=disk.img,format=raw,if=virtio,cache=unsafe", "-device", "virtio-net-pci,netdev=n0"]
        command += ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{port}-:22", "-serial", "file:console.log"]
        with (self.directory / "qemu.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.directory / "pid").write_text(str(process.pid))

    def _pid(self) -> int | None:
        """Of the machine that runs from this directory: a number alone may be another process's by now."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.directory / "pid").read_text())
            if Path(f"/proc/{pid}/cwd").resolve() == self.directory.resolve():
                return pid
        return None

    def _answers(self) -> bool:
        if self._pid() is None:
            raise Breakdown(f"the machine ended: {(self.directory / 'qemu.log').read_text().strip()[-300:]}")
        done = subprocess.run(self.ssh("docker info"), capture_output=True, timeout=120, check=False)
        return done.returncode == 0

    def ssh(self, command: str, user: str = USER) -> list[str]:
        """The command that runs this one inside."""
        options = ["-i", str(self.directory / "key"), "-p", str(self._port), "-o", "StrictHostKeyChecking=no"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30"]
        return ["ssh", *options, "-o", "ServerAliveInterval=30", f"{user}@127.0.0.1", command]

    def run(self, command: str, on_line: Callable[[str], None] | None = None, user: str = USER) -> list[str]:
        """Run it inside, in the tree. CommandFailed."""
        return self._commands.run(self.ssh(f"cd {TREE} && {command}", user), on_line)

    def carry_tree(self) -> None:
        """This checkout as it was last committed, in place of what is there."""
        keep = "find . -mindepth 1 -maxdepth 1 ! -name .venv ! -name results -exec rm -rf {} +"
        self._pipe(["git", "-C", str(PROJECT), "archive", "HEAD"], f"cd {TREE} && {keep} && tar -x")

    def carry_images(self, names: Sequence[str]) -> None:
        """These images, from the engine outside."""
        self._pipe(["docker", "save", *names], "docker load --quiet")

    def _pipe(self, source: list[str], command: str) -> None:
        with subprocess.Popen(source, stdout=subprocess.PIPE) as out:
            done = subprocess.run(self.ssh(command), stdin=out.stdout, capture_output=True, text=True, check=False)
        if out.returncode != 0 or done.returncode != 0:
            raise Breakdown(f"`{' '.join(source[:2])}` into the machine failed: {done.stderr.strip()[-300:]}")

    def fetch(self, directory: str, target: Path) -> None:
        """Bring this directory out."""
        target.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(self.ssh(f"tar -c -C {directory} ."), stdout=subprocess.PIPE) as out:
            done = subprocess.run(["tar", "-x", "--no-same-owner", "-C", str(target)], stdin=out.stdout, check=False)
        if out.returncode != 0 or done.returncode != 0:
            raise Breakdown(f"{directory} of the machine could not be brought out")

    def stop(self) -> None:
        """Its power is cut: nothing on its disk is of use any more."""
        if (pid := self._pid()) is not None:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: self._pid() is None or _is_dead(pid), "the machine ends", 60)


def _is_dead(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True
