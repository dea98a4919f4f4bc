"""Small changes to Locust's page: what a person needs comes first and unfolded, what has no meaning here is hidden, and
the list of targets says which are up.

Style, in selectors that simply do not match if Locust changes its page, and one script that adds labels; without either
the form still works.
"""

from __future__ import annotations

import json

FIELD_ORDER = (
    *("target", "mode", "userCount", "spawnRate", "rate", "arrivals", "thinkMs"),
    *(
        "connection",
        "idleHolders",
        "payloadBytes",
        "sleepUs",
        "spinUs",
        "hashUs",
        "warmupS",
        "windowS",
        "engine",
        "precise",
    ),
)
"""Locust sorts added fields by name, folds them away, and puts its own before them."""

LABELS = {
    "target": "Target (the model to load)",
    "mode": "Mode (closed: users wait for replies; open: a rate)",
    "userCount": "Users (open: the most requests in flight)",
    "spawnRate": "Users started per second",
    "rate": "Rate (requests/s of all users together)",
    "arrivals": "Arrivals (evenly spaced, or at random)",
    "thinkMs": "Think time (ms between reply and next request)",
    "connection": "Connection (persistent, per-request, or requests on each)",
    "idleHolders": "Idle connections held beside the users",
    "payloadBytes": "Payload (bytes, 1 to 65536)",
    "sleepUs": "Sleep per request (us)",
    "spinUs": "Spin per request (us of CPU, holding Python's lock)",
    "hashUs": "Hash per request (us of CPU, without the lock)",
    "warmupS": "Warm-up (s, not measured)",
    "windowS": "Window (s, then it stops; 0: until Stop)",
    "engine": "Engine (fast: costs a quarter; plain: easy to read)",
    "precise": "Precise (open and fast, on its own core)",
    "runTime": "Run time (such as 20s or 3m)",
}
"""What a person would write over a field. Locust makes a label of a field's name and its help: "Think Ms (...)"."""

MODE_FIELDS = {"closed": ("thinkMs",), "open": ("rate", "arrivals")}
"""What has a meaning in one mode only. In the other it is faded, not hidden: left filled in, it is refused by name."""

_FIELD = ":is(.MuiFormControl-root, .MuiFormControlLabel-root)"
"""A field with its frame, or a box to tick with its label."""

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
.MuiAccordion-root:has(select[name="target"]) .MuiFormControl-root,
.MuiAccordion-root:has(select[name="target"]) .MuiFormControlLabel-root { visibility: visible; }
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
const FIELD = ":is(.MuiFormControl-root, .MuiFormControlLabel-root)";
// The label of a frame is there twice: to be read, and to cut the frame open.
const NAMED = ":scope > label, :scope > .MuiFormControlLabel-label, :scope > * > fieldset > legend > span";
const labelQuietly = () => labelTargets().catch(() => {});
setInterval(labelQuietly, 5000);
// The form is made anew each time it is opened.
function nameFields() {
  const list = document.querySelector('select[name="target"]');
  if (!list || list.dataset.named) return;
  list.dataset.named = "yes";
  for (const [name, text] of Object.entries(LABELS)) {
    const field = document.querySelector(`${FIELD}:has([name="${name}"])`);
    for (const label of field ? field.querySelectorAll(NAMED) : []) label.textContent = text;
  }
  labelQuietly();
}
new MutationObserver(nameFields).observe(document.documentElement, {childList: true, subtree: true});
"""


def _style() -> str:
    order = "\n".join(
        f'{_FIELD}:has([name="{name}"]) {{ order: {place} !important; }}' for place, name in enumerate(FIELD_ORDER)
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
    return html.replace(
        "</head>", f"{_style()}<script>const LABELS = {json.dumps(LABELS)};{_SCRIPT}</script>\n</head>", 1
    ).replace("<title>Locust</title>", "<title>Threadmill</title>")
