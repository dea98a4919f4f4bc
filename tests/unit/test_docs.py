"""What docs/ and README.md say is there is there: links, files, commands, columns, models, quoted code, diagrams."""

import itertools
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.record.histogram import Histogram
from loadtests.record.results import supported_percentile
from servers.models import MODELS
from testbed import commands as command_line
from testbed.plan import sweepfile

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), PROJECT / "README.md"])

# First words of Mermaid's diagrams, https://mermaid.js.org/intro/syntax-reference.html
DIAGRAMS = ("flowchart", "sequenceDiagram", "stateDiagram-v2")
# Places in the project's tree whose files pages name in back quotes.
PLACES = ("servers/", "testbed/", "probe/", "loadtests/", "images/", "sweeps/", "tests/", "benchmarks/", "docs/")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# [label]: place "what is named"
_DEFINED = re.compile(r'^\[[\w-]+\]: (\S+)(?: "[^"]+")?$', re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"orchestrate\.py ([^\n`]+)")
_QUOTE = re.compile(r"^`(servers/[\w/]+\.py)`\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
every_model_page = pytest.mark.parametrize("page", sorted((DOCS / "models").glob("*.md")), ids=name_of)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    text = _FENCE.sub("", text_of(page))
    for link in [*_LINK.findall(text), *_DEFINED.findall(text)]:
        if link.startswith(("http://", "https://")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(text_of(target))):
            broken.append(link)
    return broken


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `orchestrate.py` command, in blocks and in back quotes, without the shell's part."""
    blocks = [line for _, block in _FENCE.findall(text) for line in block.splitlines() if "orchestrate.py " in line]
    inline = re.findall(r"`([^`\n]*orchestrate\.py [^`\n]+)`", _FENCE.sub("", text))
    for line in [*blocks, *inline]:
        found = _COMMAND.search(line)
        assert found is not None, line
        words = shlex.shlex(found[1], posix=True, punctuation_chars=True)
        words.whitespace_split = True
        yield list(itertools.takewhile(lambda word: word[0] not in "&|<>;()", words))


def filled(arguments: list[str]) -> list[str]:
    """Placeholders replaced as a reader would."""
    return [{"MODEL": "spmt", "...": "spst"}.get(word.strip("[]"), word.strip("[]")) for word in arguments]


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](page.md#one-two) [b](gone.md) [c](#three) [d](https://example.org/x)\n")
    assert broken_links(page) == ["gone.md", "#three"]


@every_page
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`([\w./-]+)`", _FENCE.sub("", text_of(page)))
    missing = [name for name in named if name.startswith(PLACES) and not (PROJECT / name).exists()]
    in_commands = re.findall(r"(?:docs/examples|sweeps)/[\w.-]+", text_of(page))
    missing += [name for name in in_commands if not (PROJECT / name.rstrip(".")).exists()]
    assert missing == []


@every_page
def test_every_command_of_orchestrate_parses(page: Path) -> None:
    for arguments in commands(text_of(page)):
        try:
            command_line.parser("orchestrate.py", None).parse_args(filled(arguments))
        except SystemExit as refused:
            pytest.fail(f"orchestrate.py {shlex.join(arguments)}: refused with {refused.code}")


def test_commands_are_found_in_blocks_and_in_text() -> None:
    text = "Run `orchestrate.py down`:\n```\n$ .venv/bin/python orchestrate.py up spmt --cpus 2 &\n```\n"
    assert sorted(commands(text)) == [["down"], ["up", "spmt", "--cpus", "2"]]
    assert sum(1 for page in PAGES for _ in commands(text_of(page))) > 20


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_page_that_the_map_names(model: str) -> None:
    text = text_of(DOCS / "models" / f"{model}.md")
    assert text.startswith(f"# {model}:")
    assert f"(models/{model}.md)" in text_of(DOCS / "README.md")
    assert f"orchestrate.py up {model}" in text
    assert f"orchestrate.py watch {model}" in text
    assert "```mermaid" in text
    assert f"`servers/models/{model.replace('-', '_')}.py`" in text


def linked_pages(page: Path) -> set[Path]:
    links = [link.partition("#")[0] for link in _LINK.findall(_FENCE.sub("", text_of(page))) if "://" not in link]
    return {(page.parent / link).resolve() for link in links if link.endswith(".md")}


def test_the_map_names_every_page() -> None:
    """Those of the models too."""
    named = linked_pages(DOCS / "README.md") | {DOCS / "README.md"}
    assert [name_of(page) for page in PAGES if page.is_relative_to(DOCS) and page not in named] == []


def test_every_page_is_reached_from_the_readme_in_two_clicks() -> None:
    seen = {PROJECT / "README.md"}
    for _ in range(2):
        seen |= {target for page in seen for target in linked_pages(page)}
    assert [name_of(page) for page in PAGES if page not in seen] == []


def test_the_readme_is_short() -> None:
    """What `make docs` puts into it is as long as there are claims."""
    written = re.sub(r"<!-- made by .*?<!-- end of [\w-]+ -->\n", "", text_of(PROJECT / "README.md"), flags=re.DOTALL)
    assert len(written.splitlines()) <= 150


def stands_in(quote: str, source: str) -> bool:
    """Whether the lines of a quote stand in the source, next to each other, less the indentation they share."""
    wanted, lines = quote.splitlines(), source.splitlines()
    starts = range(len(lines) - len(wanted) + 1)
    return any(textwrap.dedent("\n".join(lines[at : at + len(wanted)])) == "\n".join(wanted) for at in starts)


def quoted_but_not_there(text: str, project: Path) -> list[str]:
    wrong = []
    for name, quote in _QUOTE.findall(text):
        path = project / name
        if not (path.is_file() and quote.strip() and stands_in(quote, path.read_text(encoding="utf-8"))):
            wrong.append(f"{name}: {quote}")
    return wrong


@every_model_page
def test_quoted_code_stands_so_in_the_source(page: Path) -> None:
    text = text_of(page)
    assert _QUOTE.findall(text), "a model is explained from its own code"
    assert text.count("```python") == len(_QUOTE.findall(text)), "a quote without the name of its file"
    assert quoted_but_not_there(text, PROJECT) == []


def test_a_quote_that_is_not_in_the_source_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "servers").mkdir()
    (tmp_path / "servers/a.py").write_text("if one:\n    two\n    if three:\n        four\n")

    def quote(name: str, code: str) -> str:
        return f"`servers/{name}.py`\n```python\n{code}```\n"

    right = quote("a", "two\nif three:\n    four\n") + quote("a", "four\n")
    assert quoted_but_not_there(right, tmp_path) == []
    wrong = quote("a", "two\nfour\n") + quote("a", "one\n") + quote("b", "two\n") + quote("a", "\n")
    assert len(quoted_but_not_there(right + wrong, tmp_path)) == 4


@every_page
def test_diagrams_begin_with_a_known_type_and_close_what_they_open(page: Path) -> None:
    for kind, diagram in _FENCE.findall(text_of(page)):
        if kind != "mermaid":
            continue
        words = [line.split()[0] for line in diagram.splitlines() if line.strip()]
        assert words[0] in DIAGRAMS, diagram
        openers = {"subgraph", "loop", "alt", "opt", "par"}
        assert sum(word in openers for word in words) == words.count("end"), diagram
        for pair in ("()", "[]", "{}"):
            assert diagram.count(pair[0]) == diagram.count(pair[1]), diagram
        # In a flowchart a node's id may not be the word that closes a subgraph; in a sequence a ";" ends the line.
        assert words[0] != "sequenceDiagram" or ";" not in diagram, diagram


@every_page
def test_code_fences_are_closed(page: Path) -> None:
    assert len(re.findall(r"^```", text_of(page), re.MULTILINE)) == 2 * len(_FENCE.findall(text_of(page)))


@pytest.mark.parametrize("path", sorted((DOCS / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_sweeps_of_the_docs_are_valid_and_cover_every_model(path: Path) -> None:
    machine = sweepfile.Machine(cpus=2, memory_bytes=4 * 2**30)
    assert set(MODELS) <= set(sweepfile.load(path, machine).models)


def test_the_pages_say_from_how_many_requests_a_percentile_is_printed() -> None:
    text = re.sub(r"\s+", " ", text_of(DOCS / "results.md"))
    missing = {"p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    histogram = Histogram()
    for count in range(1, 10_000):
        histogram.record(count)
        for name in [name for name, of in missing.items() if supported_percentile(histogram, of) is not None]:
            assert f"{count:,} for {name}" in text
            del missing[name]
        if not missing:
            return
    pytest.fail(f"never printed: {missing}")


def test_no_page_and_no_script_names_where_to_download_a_file_from() -> None:
    """A package manager knows its own places."""
    packed = re.compile(r"https?://\S+\.(?:tar(?:\.\w+)?|tgz|zip|whl|deb|iso|sig)\b")
    fetching = re.compile(r"\b(?:curl|wget)\b[^\n]*https?://(?!127\.0\.0\.1|localhost)")
    scripts = [
        path for place in ("images", "testbed", ".ci") for path in (PROJECT / place).rglob("*") if path.is_file()
    ]
    texts = {path: path.read_bytes().decode(errors="ignore") for path in (*PAGES, *scripts, PROJECT / "Makefile")}
    assert [name_of(path) for path, text in texts.items() if packed.search(text) or fetching.search(text)] == []
