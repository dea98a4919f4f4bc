"""docs/course.md: every command of its exercises is taken apart and held against what would run it."""

import argparse
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from testbed import commands as command_line
from testbed.claims.catalogue import CLAIMS
from testbed.commands.given import checked_models
from testbed.errors import UserError
from testbed.plan import sweepfile, trials
from testbed.plan.behind_values import read as read_behind
from testbed.plan.estimate import expected_s
from testbed.plan.fields import Machine
from testbed.run import claiming
from testbed.stack import by_hand, gateway_by_hand, scale_by_hand

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docs/course.md").read_text(encoding="utf-8")
# The least that the course asks for.
SMALL = Machine(cpus=2, memory_bytes=4 * 2**30)
EXERCISES = 10
PARTS = ["Predict", "Run", "Read", "Explain", "A question that only the measurement answers"]
LONGEST_S = 120

PYTHON = ".venv/bin/python"
# Of the shell itself.
_SHELL = {"wait"}
_FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[str]:
    """The command lines of all blocks, and those that stand in back quotes in the text."""
    blocks = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]*orchestrate\.py [^`\n]+)`", _FENCE.sub("", text))
    return blocks + [line.replace("orchestrate.py", f"{PYTHON} orchestrate.py", 1) for line in inline]


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line of the shell, in words."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    one: list[str] = []
    for word in words:
        if word in ("&", "&&", ";", "|"):
            yield one
            one = []
        else:
            one.append(word)
    if one:
        yield one


class Refused(Exception):
    """A command that would not run as it stands there."""


def check(line: str) -> None:
    """Refused, or UserError as the command itself would print it, where a command of this line cannot run."""
    for words in simple_commands(line):
        if words[0] in _SHELL and len(words) == 1:
            continue
        if words[:2] == [PYTHON, "orchestrate.py"]:
            _check_orchestrate(words[2:])
        elif words[:2] == ["docker", "compose"]:
            _check_compose(words[2:])
        elif words[0] == PYTHON and words[1].startswith("docs/examples/"):
            _check_example(words[1], words[2:])
        else:
            raise Refused(f"nobody knows how to check {words}")


def _parsed(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    try:
        return parser.parse_args(words)
    except SystemExit:
        raise Refused(f"{words}: not parsed") from None


def _check_orchestrate(words: list[str]) -> None:
    given = _parsed(command_line.parser("orchestrate.py", None), words)
    if given.command == "sweep":
        sweep = sweepfile.load(PROJECT / given.file, SMALL)
        if not trials.trials(sweep):
            raise Refused(f"{given.file}: no trial")
    elif given.command == "claims":
        names = claiming.named(given.names)
        _, refused = claiming.asked(names, given.quick, SMALL)
        if refused:
            raise Refused(str(refused))
    elif given.command == "up":
        _check_up(given)
    elif given.command == "watch":
        checked_models([given.model] if given.model else [])
    elif given.command == "scale":
        checked_models([given.model])
    elif given.command != "down":
        raise Refused(f"nobody knows how to check {words}")


def _check_up(given: argparse.Namespace) -> None:
    names = checked_models(given.models)
    scale = scale_by_hand.check_scale(names, given.replicas, given.front, given.front_cpus)
    scale_by_hand.check_front(scale, given.http)
    gateway_by_hand.check_admission(scale.front, given.rate_limit, given.auth)
    by_hand.check_limits(given.cpus, given.memory, SMALL, scale)
    if given.behind is not None:
        read_behind(yaml.safe_load(given.behind))


def _check_compose(words: list[str]) -> None:
    """`up` and `run` of services that stand in the file."""
    file = "docker-compose.yml"
    if words[0] in ("-f", "--file"):
        file, words = words[1], words[2:]
    if not (PROJECT / file).is_file():
        raise Refused(f"{file}: no such file")
    services = yaml.safe_load((PROJECT / file).read_text(encoding="utf-8"))["services"]
    verb, named = words[0], [word for word in words[1:] if not word.startswith("-")]
    if verb not in ("up", "run", "down") or not set(named[:1] if verb == "run" else named) <= set(services):
        raise Refused(f"docker compose {words}: found {named}, allowed: {', '.join(services)}")


def _check_example(name: str, words: list[str]) -> None:
    """The script's own parser takes these arguments; nothing of it is run."""
    path = PROJECT / name
    if not path.is_file():
        raise Refused(f"{name}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Taken(Exception):
        pass

    taken_by = argparse.ArgumentParser.parse_args

    def take(self: argparse.ArgumentParser, *_: object) -> None:
        taken_by(self, words)
        raise Taken

    with pytest.MonkeyPatch.context() as patch, suppress(Taken):
        patch.setattr(sys, "argv", [name, *words])
        patch.setattr(argparse.ArgumentParser, "parse_args", take)
        try:
            module.main()
        except SystemExit:
            raise Refused(f"{name} {words}: not parsed") from None


@pytest.mark.parametrize("line", dict.fromkeys(lines(TEXT)))
def test_every_command_runs_as_it_stands_there(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        f"{PYTHON} orchestrate.py sweep sweeps/course/gone.yaml",
        f"{PYTHON} orchestrate.py sweep sweeps/course/threads.yaml --quick",
        f"{PYTHON} orchestrate.py sweep docs/course.md",
        f"{PYTHON} orchestrate.py claims second-clients --quick",
        f"{PYTHON} orchestrate.py claims second-client --quickly",
        f"{PYTHON} orchestrate.py up spts --cpus 1",
        f"{PYTHON} orchestrate.py up spst --cpus 3",
        f"{PYTHON} orchestrate.py up spst --front apache",
        f"{PYTHON} orchestrate.py watch spts --once",
        f"{PYTHON} orchestrate.py send spst hello",
        f"{PYTHON} docs/examples/clients.py 8081 --client-count 4",
        f"{PYTHON} docs/examples/clients.py http",
        f"{PYTHON} docs/examples/gone.py",
        "docker compose up spts",
        "docker compose -f docs/patterns/gone.compose.yaml up",
        "python orchestrate.py down",
        f"{PYTHON} orchestrate.py down; curl localhost",
    ],
)
def test_a_command_that_is_wrong_is_noticed(line: str) -> None:
    with pytest.raises((Refused, UserError)):
        check(line)


def test_commands_are_found_in_blocks_and_in_text() -> None:
    assert lines("Run `orchestrate.py down`:\n```\nwait\na & b\n```\n") == [
        "wait",
        "a & b",
        f"{PYTHON} orchestrate.py down",
    ]
    assert list(simple_commands("a 'b c' & d; e")) == [["a", "b c"], ["d"], ["e"]]
    assert len(lines(TEXT)) > 3 * EXERCISES


def sections() -> list[str]:
    return re.split(r"^## (?=\d+\. )", TEXT, flags=re.MULTILINE)[1:]


def test_there_are_ten_exercises_in_their_order() -> None:
    assert [one.partition(".")[0] for one in sections()] == [str(number + 1) for number in range(EXERCISES)]


@pytest.mark.parametrize("section", sections(), ids=lambda one: one.partition("\n")[0])
def test_an_exercise_has_all_its_parts_and_something_to_run(section: str) -> None:
    assert re.findall(r"^\*\*([A-Z][\w ]+)\.\*\*", section, re.MULTILINE) == PARTS
    run = section.partition("**Run.**")[2].partition("**Read.**")[0]
    question = section.partition(f"**{PARTS[-1]}.**")[2]
    assert _FENCE.search(run)
    assert _FENCE.search(question) or "in a copy of" in " ".join(question.split())


@pytest.mark.parametrize("path", sorted((PROJECT / "sweeps/course").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_sweep_of_the_course_is_short_and_asked_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ") and text.index("?") < text.index("\nname: ")
    sweep = sweepfile.load(path, SMALL)
    assert sweep.name == path.stem
    assert expected_s(sweep) <= LONGEST_S
    assert f"{PYTHON} orchestrate.py sweep sweeps/course/{path.name}" in lines(TEXT)


def test_what_the_course_says_of_a_copy_can_be_changed_there() -> None:
    """The keys that readers are told to set stand in the file, or are allowed there."""
    for file, key in (("threads", "cpus: 0.25"), ("retry-storm", "breaker: 16")):
        assert f"`{key}`" in TEXT
        given = sweepfile.values((PROJECT / f"sweeps/course/{file}.yaml").read_text(encoding="utf-8"))
        section = "limits" if file == "threads" else "front"
        changed = {**given, section: {**given[section], **yaml.safe_load(f"{{{key}}}")}}
        assert trials.trials(sweepfile.parse(yaml.safe_dump(changed), Path(f"{file}.yaml"), SMALL))


def test_claims_that_need_more_than_two_processors_are_said_to() -> None:
    named = {word for line in lines(TEXT) if " claims " in line for word in line.split() if word in CLAIMS}
    assert {name for name in named if CLAIMS[name].processors > SMALL.cpus} == {"processes-compute", "loop-computes"}
    assert "With three processors or more, `orchestrate.py claims processes-compute loop-computes`" in TEXT
