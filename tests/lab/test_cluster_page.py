"""The commands of docs/cluster.md are typed as they stand there, on engines that are in no swarm yet."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.e2e.stack import PROJECT, TIMEOUT_S
from tests.lab.engines import LabEngine, engines
from tests.lab.sweeps import FIRST, ids, rows_of, write_sweep
from tests.waiting import wait_until

PAGE = PROJECT / "docs" / "cluster.md"
HEADING = "## By hand"
# What every reader has to put there is put there; the lab's engine has its images, and no way out to build others.
FIRST_LINE = re.compile(r"^n1=\S+ n2=\S+ n3=\S+ address=\S+$", re.MULTILINE)


def commands(page: str) -> str:
    """The first block of code under the heading."""
    found = re.search(rf"^{HEADING}.*?^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no block of code under {HEADING}"
    return found[1]


def placed(script: str, nodes: Sequence[LabEngine], instead: Mapping[str, str]) -> str:
    """The commands, with the lab's engines in their first line and this in place of that. Each has to occur."""
    variables = " ".join([*(f"{node.name}={node.host}" for node in nodes), f"address={nodes[0].address}"])
    script, count = FIRST_LINE.subn(variables, script)
    assert count == 1, script
    for what, other in instead.items():
        assert what in script, what
        script = script.replace(what, other)
    return script


def typed(script: str, directory: Path, timeout_s: float = TIMEOUT_S) -> str:
    """What the commands print; every one has to end well."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def words_instead(sweep: Path, results: Path) -> dict[str, str]:
    return {
        "make images\n": "",
        ".venv/bin/python orchestrate.py": f"{sys.executable} {PROJECT}/orchestrate.py",
        "sweep sweeps/quickstart.yaml": f"sweep {sweep} --results {results}",
        "orchestrate.py report": f"orchestrate.py report --results {results}",
    }


@pytest.mark.timeout(400)
def test_the_commands_of_the_page_lead_from_three_engines_to_a_report(images: list[str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    with engines(3) as nodes:
        nodes[0].load(images)
        sweep = write_sweep(tmp_path, repeat=1)
        said = typed(placed(commands(PAGE.read_text()), nodes, words_instead(sweep, results)), tmp_path)
        assert "ok      node n2: server, " in said
        assert ids(rows_of(results)) == [FIRST]
        assert len(list(results.glob("*/report.html"))) == 1
        for node in nodes:
            assert node.docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "inactive"
            assert node.containers() == node.volumes() == []
            wait_until(lambda node=node: not node.networks(), f"{node.name} has no network")
