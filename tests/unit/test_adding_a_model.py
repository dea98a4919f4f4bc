"""docs/adding-a-model.md, followed to the letter for another model in a copy of the tree. Without Docker."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers.models import MODELS, SERVERS, TABLE

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs/adding-a-model.md").read_text(encoding="utf-8")
EXAMPLE = "prefork-reuseport"
PLACES = ("servers", "testbed", "loadtests", "probe", "benchmarks", "images", "requirements", "sweeps", "docs", "tests")
FILES = ("README.md", "Makefile", "docker-compose.yml", "orchestrate.py", "pyproject.toml", "LICENSE", ".ci/run")

# The other one that a newcomer might think of next.
NAME = "mpmt-reuseport"
PLACE, PORT = len(MODELS) + 1, max(TABLE[name].port for name in SERVERS) + 1
ABOUT = "Worker processes made at start, each accepting on a socket of its own, with a thread per connection."
CODE = f'''"""{ABOUT}"""

from servers.models import spmt
from servers.models.traits import SERVES_ONE, WORKERS, Roles, Traits, unlimited
from servers.pool import supervise
from servers.server import Server

TRAITS = Traits(
    place={PLACE},
    port={PORT},
    about=__doc__,
    roles=Roles("keeps its workers", child="accepts, starts threads", thread=SERVES_ONE),
    processes=lambda size: 1 + size.workers,
    threads=lambda size: 1 + size.workers + size.connections,
    slots=unlimited,
    interpreters=lambda size: size.workers,
    pool=WORKERS,
    sockets=lambda size: size.workers,
)


def serve(server: Server) -> None:
    supervise(server, spmt.serve, own_sockets=True)
'''
SWEEP = f"""\
name: added
models: [{NAME}, spst]
pools: {{workers: [2, 3]}}
"""

_BLOCK = re.compile(r"^`([\w./-]+)`\n```(?:python|yaml|markdown)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(_BLOCK.findall(PAGE))


def test_the_pages_example_is_in_the_tree_as_the_page_shows_it() -> None:
    assert list(BLOCKS) == ["servers/models/prefork_reuseport.py", "docker-compose.yml", "README.md", "docs/README.md"]
    first, *others = BLOCKS
    assert (PROJECT / first).read_text(encoding="utf-8") == BLOCKS[first]
    for name in others:
        assert BLOCKS[name] in (PROJECT / name).read_text(encoding="utf-8"), name


def ours(text: str) -> str:
    """What the page says of its example, said of the other model."""
    text = re.sub(rf"^\| {TABLE[EXAMPLE].place} \|", f"| {PLACE} |", text, flags=re.MULTILINE)
    return text.replace(EXAMPLE, NAME).replace(str(TABLE[EXAMPLE].port), str(PORT))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree, and then what the page says, step by step."""
    tree = tmp_path_factory.mktemp("copy")
    for place in PLACES:
        # With what is compiled, less what another process is just writing.
        shutil.copytree(PROJECT / place, tree / place, ignore=shutil.ignore_patterns("*.pyc.*"))
    for file in FILES:
        (tree / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT / file, tree / file)

    # 1. The file
    (tree / f"servers/models/{NAME.replace('-', '_')}.py").write_text(CODE, encoding="utf-8")
    # 2. The entry, below the last model without a package, and what `make docs` does
    entry = BLOCKS["docker-compose.yml"]
    change(tree / "docker-compose.yml", entry, f"{entry}\n{ours(entry)}")
    assert python(tree, "-m", "testbed.docs").stdout == "written: docker-compose.yml\n"
    # 3. What people read
    for name in ("README.md", "docs/README.md"):
        change(tree / name, BLOCKS[name], BLOCKS[name] + ours(BLOCKS[name]))
    last = f"`{EXAMPLE}` {TABLE[EXAMPLE].port}"
    assert last in PAGE
    change(tree / "README.md", last, f"{last}, {ours(last)}")
    own_file = f"servers/models/{EXAMPLE.replace('-', '_')}.py"
    page = ours((tree / f"docs/models/{EXAMPLE}.md").read_text(encoding="utf-8"))
    page = page.replace(own_file, own_file.replace(EXAMPLE.replace("-", "_"), NAME.replace("-", "_")))
    page = page.replace("spst.serve, own", "spmt.serve, own")
    (tree / f"docs/models/{NAME}.md").write_text(page, encoding="utf-8")
    return tree


def python(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_command_line_lists_it_last_of_the_models(copy: Path) -> None:
    done = python(copy, "orchestrate.py", "models")
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert names[: len(SERVERS) + 1] == [*MODELS, NAME, *SERVERS[len(MODELS) :]]
    assert ABOUT in done.stdout


def test_a_sweep_crosses_its_pool(copy: Path) -> None:
    (copy / "added.yaml").write_text(SWEEP)
    done = python(copy, "orchestrate.py", "sweep", "added.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count(f"{NAME}-1cpu"), done.stdout.count("spst-1cpu")) == (2, 1), done.stdout


def test_its_shape_its_roles_and_its_look_are_known(copy: Path) -> None:
    script = f"""
from testbed.judge import shape
from testbed.report.colours import look, LOOKS
from testbed.watch.roles import role
print(shape.expected({NAME!r}, 3, 2, 0), shape.serving_slots({NAME!r}, 2, 0), shape.surely_served({NAME!r}, 2, 0))
print(role({NAME!r}, False, True), len(set(LOOKS.values())) == len(LOOKS), {NAME!r} in LOOKS)
"""
    done = python(copy, "-c", script)
    assert done.stdout.splitlines() == [
        "3 processes with 6 threads None None",
        "accepts, starts threads True True",
    ], done.stderr


def test_a_real_server_of_it_echoes(copy: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "servers", NAME],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "2"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            started = next(line for line in process.stdout if "Server started" in line)
            address = ("127.0.0.1", int(started.split()[-1]))
            with socket.create_connection(address, 10) as one, socket.create_connection(address, 10) as other:
                for client in (other, one):
                    client.sendall(b"hello\n")
                    assert client.recv(100) == b"hello\n"
            process.terminate()
            assert "accepted 2, served 2" in process.stdout.read()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_what_the_page_runs_in_the_end_is_green(copy: Path) -> None:
    (tests,) = re.findall(r"^\.venv/bin/python -m (pytest tests/unit/.*)$", PAGE, re.MULTILINE)
    done = python(copy, "-m", *tests.split(), "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


# What leaves a step out, and which tests then say so: of each step other ones.
LEFT_OUT = {
    "probe": ("docker-compose.yml", f"  probe-{NAME}: .*\n", ""),
    "targets": ("docker-compose.yml", f",{NAME},event", ",event"),
    "readme": ("README.md", rf"^\| `threadmill/{NAME}` .*\n", ""),
    "map": ("docs/README.md", rf"^\| \d+ \| \[{NAME}\].*\n", ""),
}
NOTICED = {
    "probe": [f"test_a_models_probe_looks_at_it_and_tells_its_name[{NAME}]"],
    "targets": [
        "test_the_load_is_told_of_every_model_and_which_serve_one_client_at_a_time[locust]",
        "test_the_load_is_told_of_every_model_and_which_serve_one_client_at_a_time[worker]",
    ],
    "readme": [f"test_the_readme_has_a_row_for_the_model[{NAME}]", "test_there_is_no_page_of_a_model_that_is_none"],
    "map": [f"test_the_map_of_the_docs_has_a_row_for_the_model_and_its_page_is_there[{NAME}]"],
}


def test_each_step_that_was_left_out_is_noticed(copy: Path) -> None:
    whole = {name: (copy / name).read_text(encoding="utf-8") for name, _, _ in LEFT_OUT.values()}
    try:
        for name, without, instead in LEFT_OUT.values():
            shorter, found = re.subn(without, instead, (copy / name).read_text(), count=1, flags=re.MULTILINE)
            assert found == 1, without
            (copy / name).write_text(shorter, encoding="utf-8")
        done = python(copy, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "tests/unit/test_models_table.py")
    finally:
        for name, text in whole.items():
            (copy / name).write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    failed = re.findall(r"^FAILED tests/unit/test_models_table\.py::(\S+)", done.stdout, re.MULTILINE)
    assert sorted(failed) == sorted(test for tests in NOTICED.values() for test in tests), done.stdout
