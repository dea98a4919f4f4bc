"""`orchestrate.py manifests`: what it writes, what it says, what it refuses."""

from pathlib import Path

import pytest
from rich.console import Console

from testbed import commands
from testbed.errors import UserError

SWEEP = "name: a\nmodels: [spst, spmt]\nlimits: {cpus: 0.5}\n"


def manifests(*words: str) -> str:
    """What the command prints."""
    arguments = commands.parser("orchestrate.py", None).parse_args(["manifests", *words])
    console = Console(width=200)
    with console.capture() as captured:
        assert commands.command("manifests").run(arguments, console) == 0
    return captured.get()


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(SWEEP)
    return file


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_for_each_cell_and_a_page_above(sweep: Path, tmp_path: Path, there: bool) -> None:
    directory = tmp_path / "out" / "made"
    if there:
        directory.mkdir(parents=True)
    printed = manifests(str(sweep), "--kubernetes", str(directory))
    assert sorted(path.name for path in directory.iterdir()) == ["001-spst-0.5cpu", "002-spmt-0.5cpu", "README.md"]
    assert (directory / "002-spmt-0.5cpu" / "collect" / "kustomization.yaml").is_file()
    assert directory.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in directory.parent.iterdir()] == ["made"]
    assert printed.splitlines()[-1] == f"2 cells: {directory}/README.md says how one is run"
    assert "not done: server: at most 4096 processes and threads" in printed


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("", "threadmill/spst"),
        ("registry.example/team", "registry.example/team/spst"),
        ("localhost:5000", "localhost:5000/spst"),
    ],
)
def test_images_come_from_the_registry_that_is_named(sweep: Path, tmp_path: Path, registry: str, name: str) -> None:
    manifests(str(sweep), "--kubernetes", str(tmp_path / "made"), *(["--registry", registry] if registry else []))
    text = (tmp_path / "made" / "001-spst-0.5cpu" / "kustomization.yaml").read_text()
    assert f"- name: threadmill/spst\n  newName: {name}\n  newTag: latest\n" in text


@pytest.mark.parametrize("registry", ["https://registry.example", "team/", "reg istry", "a/b:1", "Reg/UPPER"])
def test_a_registry_is_a_host_and_a_prefix(sweep: Path, tmp_path: Path, registry: str) -> None:
    with pytest.raises(UserError, match=r"^--registry: found '.*', allowed: HOST\[:PORT\]\[/PREFIX\]"):
        manifests(str(sweep), "--kubernetes", str(tmp_path / "made"), "--registry", registry)
    assert not (tmp_path / "made").exists()


def test_what_is_there_is_not_written_over(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").write_text("x")
    with pytest.raises(UserError, match="a directory with something in it; allowed: a directory that is new, or empty"):
        manifests(str(sweep), "--kubernetes", str(tmp_path / "made"))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["mine"]
    with pytest.raises(UserError, match=f"found {sweep}, a file; allowed"):
        manifests(str(sweep), "--kubernetes", str(sweep))


def test_where_nothing_can_be_written_one_line_says_so(sweep: Path) -> None:
    with pytest.raises(UserError, match=f"^--kubernetes: {sweep}/made: cannot be written: File exists$"):
        manifests(str(sweep), "--kubernetes", str(sweep / "made"))


def test_a_sweep_that_cannot_be_is_refused_by_its_file(sweep: Path, tmp_path: Path) -> None:
    sweep.write_text(SWEEP + "network: shared\n")
    with pytest.raises(UserError, match=f"^{sweep}: network: found shared in every cell"):
        manifests(str(sweep), "--kubernetes", str(tmp_path / "made"))
    sweep.write_text(SWEEP + "wrong: 1\n")
    with pytest.raises(UserError, match=f"^{sweep}:4: wrong: unknown key"):
        manifests(str(sweep), "--kubernetes", str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


def test_more_than_this_machine_has_is_no_matter_for_a_cluster(sweep: Path, tmp_path: Path) -> None:
    sweep.write_text("name: a\nmodels: spst\nlimits: {cpus: 96, memory: 512GiB}\n")
    manifests(str(sweep), "--kubernetes", str(tmp_path / "made"))
    assert "cpu: '96'" in (tmp_path / "made" / "001-spst-96cpu" / "spst.yaml").read_text()
