"""report.html out of the files of a results directory, at any time again."""

import json
from pathlib import Path

from markupsafe import Markup

from testbed.files import write_atomically
from testbed.report import choice, figures, figures_latency, figures_server, systems, traces, triggers, words
from testbed.report import figures_scaling as scaled
from testbed.report import figures_timeline as timed
from testbed.report.derive import derive
from testbed.report.glossary import glossary
from testbed.report.page import Figure, Section, figure_html, render
from testbed.report.source import Results, read
from testbed.report.templating import fill
from testbed.report.trials_table import trials_table
from testbed.report.view import View, axis_text, view

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
    grid = fill("figures.html", figures=[Markup(figure_html(one)) for one in drawn])
    sections = [
        *([] if systems.is_only(seen) else [Section("choice", "Which model", str(choice.section(seen)))]),
        *([Section("systems", systems.TITLE, str(told))] if (told := systems.section(seen)) else []),
        *([Section("triggers", triggers.TITLE, str(told))] if (told := triggers.section(seen)) else []),
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
        *timed.timelines(seen),
        *first,
        *scaled.over_replicas(seen),
        scaled.spread(seen),
        scaled.cpu_of_boxes(seen),
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
    axes = [
        {
            "title": axis.title,
            "name": axis.name,
            "options": [
                (traces.key(value), axis_text(axis.name, value), value == axis.preferred) for value in axis.values
            ],
        }
        for axis in seen.axes
    ]
    return fill("controls.html", models=models.items(), axes=axes)


def _manifest(results: Results) -> Markup:
    try:
        sweep = (results.path / "sweep.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        sweep = ""
    return fill(
        "manifest.html",
        name="web" if results.by_hand else results.name,
        manifest=json.dumps(results.manifest, indent=2, ensure_ascii=False),
        sweep=sweep,
    )
