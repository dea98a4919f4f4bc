"""report.html out of the files of a results directory, at any time again."""

import json
from pathlib import Path

from markupsafe import Markup

from testbed.files import write_atomically
from testbed.report import choice, figures, figures_latency, figures_server, traces, words
from testbed.report.derive import derive
from testbed.report.glossary import glossary
from testbed.report.html import swatch
from testbed.report.page import Figure, Section, figure_html, render
from testbed.report.source import Results, read
from testbed.report.trials_table import trials_table
from testbed.report.view import Varied, View, axis_text, view

NAME = "report.html"


def write(directory: Path) -> Path:
    """Write `report.html` into the results directory and return its path; the old one or the new, never a part.

    UserError when there is nothing to report there; OSError when it cannot be written.
    """
    path = directory / NAME
    write_atomically(path, html(read(directory)))
    return path


def html(results: Results) -> str:
    """The page."""
    derive(results)
    seen = view(results)
    drawn = all_figures(seen)
    grid = Markup('<div class="figures">{}</div>').format(Markup("\n").join(Markup(figure_html(one)) for one in drawn))
    sections = [
        Section("choice", "Which model", str(choice.section(seen))),
        Section("figures", "Figures", str(grid)),
        Section("trials", "All trials", str(trials_table(seen))),
        Section("terms", "Models and terms", str(glossary(seen))),
        Section("manifest", "Manifest", str(_manifest(results))),
    ]
    return render(words.title(seen), str(words.lead(seen)), sections, str(controls(seen)), "figures")


def all_figures(seen: View) -> list[Figure]:
    """In the order of the page; each only where its numbers are known."""
    over_cpus = {one.id: one for one in figures.over_cpus(seen)}
    first = [over_cpus.pop(name) for name in ("capacity", "throughput") if name in over_cpus]
    rest = [
        *first,
        figures_latency.throughput_latency(seen),
        figures_latency.distribution(seen),
        *over_cpus.values(),
        figures_server.accept_queue(seen),
        figures_server.balance(seen),
    ]
    return [one for one in rest if one is not None]


def controls(seen: View) -> Markup:
    """Check boxes for the models and a selector for each axis."""
    models = {group.series: group.model for group in seen.groups}
    boxes = Markup("").join(
        Markup('<label><input type="checkbox" name="model" value="{}" checked> {}{}</label>').format(
            series, swatch(model), series
        )
        for series, model in models.items()
    )
    selects = Markup("").join(_select(axis) for axis in seen.axes)
    return Markup(
        '<fieldset><legend>Models</legend>{}<button type="button" data-models="all">all</button>'
        '<button type="button" data-models="none">none</button></fieldset>{}'
    ).format(boxes, selects)


def _select(axis: Varied) -> Markup:
    options = Markup("").join(
        Markup('<option value="{}"{}>{}</option>').format(
            traces.key(value), Markup(" selected" if value == axis.preferred else ""), axis_text(axis.name, value)
        )
        for value in axis.values
    )
    return Markup('<label>{} <select data-axis="{}" data-name="{}">{}</select></label>').format(
        axis.title, axis.name, axis.title, options
    )


def _manifest(results: Results) -> Markup:
    parts = [
        Markup("<p>{}</p>").format(
            "On what, with what and from what these numbers came, as recorded when the sweep began. "
            "The same command makes this page again from the files: "
        ),
        Markup("<p><code>.venv/bin/python orchestrate.py report {}</code></p>").format(
            "web" if results.by_hand else results.name
        ),
    ]
    text = json.dumps(results.manifest, indent=2, ensure_ascii=False)
    parts.append(Markup("<details><summary>manifest.json</summary><pre>{}</pre></details>").format(text))
    try:
        sweep = (results.path / "sweep.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        sweep = ""
    if sweep:
        parts.append(Markup("<details><summary>sweep.yaml, as resolved</summary><pre>{}</pre></details>").format(sweep))
    return Markup("\n").join(parts)
