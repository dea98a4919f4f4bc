"""Small changes to Locust's page: what a person needs comes first and unfolded, what has no meaning here is hidden, and
the list of targets says which are up.

Style, in selectors that simply do not match if Locust changes its page, and one script that adds labels; without either
the form still works.
"""

from __future__ import annotations

FIELD_ORDER = (
    *("target", "mode", "userCount", "spawnRate", "rate", "arrivals", "thinkMs"),
    *("connection", "idleHolders", "payloadBytes", "sleepUs", "spinUnits", "hashRounds", "warmupS", "windowS"),
)
"""Locust sorts added fields by name, folds them away, and puts its own before them."""

MODE_FIELDS = {"closed": ("thinkMs",), "open": ("rate", "arrivals")}
"""What has a meaning in one mode only. In the other it is faded, not hidden: left filled in, it is refused by name."""

_STYLE = """
/* The target decides where the load goes, and there are no profiles. */
.MuiFormControl-root:has(> .MuiInputBase-root > input[name="host"]),
.MuiAutocomplete-root:has(input[name="profile"]),
a[href*="aka.ms"] { display: none !important; }

/* One grid for all fields: the fold around the added ones and its header vanish. */
form > div:has(select[name="target"]) {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); column-gap: 24px;
}
form > div:has(select[name="target"]) > * { grid-column: 1 / -1; order: 90; }
form > div:has(select[name="target"]) > .MuiFormControl-root { grid-column: auto; }
.MuiAccordion-root:has(select[name="target"]),
.MuiAccordion-root:has(select[name="target"])
  div:has(select[name="target"]):not(.MuiFormControl-root, .MuiInputBase-root) {
  display: contents !important;
}
.MuiAccordion-root:has(select[name="target"])::before,
.MuiAccordion-root:has(select[name="target"]) > .MuiAccordion-heading,
.MuiAccordion-root:has(select[name="target"]) .MuiAccordionSummary-root { display: none; }
.MuiAccordion-root:has(select[name="target"]) .MuiFormControl-root { visibility: visible; }
"""


# A label beside the text, which belongs to Locust's page; the value that is sent stays the model's name.
_SCRIPT = """
async function labelTargets() {
  const list = document.querySelector('select[name="target"]');
  if (!list || document.hidden) return;
  const up = await (await fetch("threadmill/targets")).json();
  for (const option of list.options) {
    if (option.value in up) option.label = option.value + (up[option.value] ? " (up)" : " (not up)");
  }
}
const labelQuietly = () => labelTargets().catch(() => {});
setInterval(labelQuietly, 5000);
new MutationObserver((_, watcher) => {
  if (document.querySelector('select[name="target"]')) { watcher.disconnect(); labelQuietly(); }
}).observe(document.documentElement, {childList: true, subtree: true});
"""


def _style() -> str:
    order = "\n".join(
        f'.MuiFormControl-root:has([name="{name}"]) {{ order: {place} !important; }}'
        for place, name in enumerate(FIELD_ORDER)
    )
    modes = "\n".join(_mode_style(mode, name) for mode, names in MODE_FIELDS.items() for name in names)
    return f"<style>{_STYLE}{order}\n{modes}\n</style>\n"


def _mode_style(mode: str, name: str) -> str:
    field = f'.MuiFormControl-root:has([name="{name}"])'
    return (
        f"{field} {{ box-shadow: -3px 0 currentColor; }}\n"
        f'form:not(:has(select[name="mode"] option[value="{mode}"]:checked)) {field} {{ opacity: 0.35; }}'
    )


def tidy(html: str) -> str:
    return html.replace("</head>", f"{_style()}<script>{_SCRIPT}</script>\n</head>", 1).replace(
        "<title>Locust</title>", "<title>Threadmill</title>"
    )
