"""`python3 -m behind.postgres` becomes the PostgreSQL that follows from the environment, with its data in /tmp/data.

A primary, a shard and a router fill a copy of the image's empty cluster before anybody can connect; a standby copies
its primary's.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from behind import postgres_texts as texts
from behind.postgres_settings import PORT, Settings, read
from behind.settings import USER, run

TEMPLATE = Path("/opt/template")
DATA = Path("/tmp/data")
_PASSWD = Path("/tmp/passwd")

_PRIMARY_INTERVAL_S = 0.25


def main() -> None:
    """Make the data directory and become the server. SettingsError for a bad value."""
    settings = read(os.environ)
    if os.getuid() == 0:
        print("postgres: must not run as root: give the container another user", file=sys.stderr)
        sys.exit(2)
    # As the first process of the container it would not hear any of them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _stop)
    os.umask(0o077)
    # A container that is started again has its data in a fresh /tmp, one that is only its process again has not.
    shutil.rmtree(DATA, ignore_errors=True)
    if settings.role == "standby":
        _copy_primary(settings)
    else:
        _fill(settings)
    # Kept from what the server logs of its environment and hands on to its children.
    environment = {name: value for name, value in os.environ.items() if name != "BEHIND_PASSWORD"}
    os.execvpe("postgres", ["postgres", "-D", str(DATA)], environment)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _configure(settings: Settings) -> None:
    (DATA / "postgresql.conf").write_text(texts.configuration(settings))
    (DATA / "pg_hba.conf").write_text(texts.access())


def _fill(settings: Settings) -> None:
    shutil.copytree(TEMPLATE, DATA, copy_function=shutil.copyfile)
    DATA.chmod(0o700)
    _begin_timeline(int(time.time()))
    _configure(settings)
    # In single-user mode it asks who its user is called, which not every user of a container is.
    _PASSWD.write_text(f"postgres:x:{os.getuid()}:{os.getgid()}::/tmp:/bin/false\n")
    library = "libnss_wrapper.so"
    named = {"LD_PRELOAD": library, "NSS_WRAPPER_PASSWD": str(_PASSWD), "NSS_WRAPPER_GROUP": "/dev/null"}
    alone = ["postgres", "--single", "-F", "-j", "-D", str(DATA), "-c", "exit_on_error=on"]
    # Nobody else is there to apply anything.
    alone += ["-c", "synchronous_commit=off", "-c", "log_min_messages=error", USER]
    filled = subprocess.run(
        alone,
        input=texts.statements(settings),
        text=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **named},
        check=False,
    )
    if filled.returncode != 0:
        print("postgres: its data could not be made; what it said stands above", file=sys.stderr)
        sys.exit(1)


def _begin_timeline(number: int) -> None:
    """Have what it writes ahead begin with a timeline of its own.

    All come of one template: a standby would otherwise take a primary that was started anew, with other data, for the
    one that it has lost, and apply what is not its to apply.
    """
    name = f"{number:08X}"
    (DATA / "pg_wal" / f"{name}.history").write_text("# It has no past.\n")
    reset = ["pg_resetwal", f"--next-wal-file={name}0000000000000010", str(DATA)]
    subprocess.run(reset, check=True, stdout=subprocess.DEVNULL)


def _copy_primary(settings: Settings) -> None:
    """Copy the primary's data, as soon as there is one."""
    where = f"host={settings.primary} port={PORT} user={texts.OBSERVER} application_name={settings.name}"
    copy = ["pg_basebackup", "-D", str(DATA), "-d", f"{where} connect_timeout=5", "-X", "stream", "-c", "fast", "-R"]
    environment = {**os.environ, "PGPASSWORD": settings.password}
    said = ""
    while True:
        tried = subprocess.run([*copy, "--no-sync"], env=environment, capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            break
        if (why := _reason(tried.stderr)) != said:
            said = why
            print(f"postgres: waiting for {settings.primary}: {why}", file=sys.stderr)
        shutil.rmtree(DATA, ignore_errors=True)
        time.sleep(_PRIMARY_INTERVAL_S)
    _configure(settings)


def _reason(text: str) -> str:
    """The line that tells why, of what pg_basebackup said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), "no reason given")


if __name__ == "__main__":
    sys.exit(run("postgres", main))
