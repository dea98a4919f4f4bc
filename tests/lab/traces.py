"""What there is of a lab on this machine, looked at from outside."""

import subprocess
import tempfile
from pathlib import Path

LISTS = (("ip", "-brief", "link"), ("ip", "netns"), ("iptables", "--list-rules"), ("ps", "-eo", "args"), ("mount",))


def traces(token: str) -> list[str]:
    """What this machine has of the lab with this token: devices, namespaces, rules, processes, mounts, files."""
    found = [str(path) for path in Path(tempfile.gettempdir()).glob(f"*{token}*")]
    for command in LISTS:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [line for line in listed if token in line]
    return found
