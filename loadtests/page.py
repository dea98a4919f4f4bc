"""Small changes to Locust's page: what a person needs comes first and unfolded, what has no meaning here is hidden.

Style alone, in selectors that simply do not match if Locust changes its page; the form then still works.
"""

from __future__ import annotations

_STYLE = """
<style>
/* The target decides where the load goes, and there are no profiles. */
.MuiFormControl-root:has(> .MuiInputBase-root > input[name="host"]),
.MuiAutocomplete-root:has(input[name="profile"]),
a[href*="aka.ms"] { display: none !important; }
/* Our fields: always open, without the fold's header, before the rest. */
.MuiAccordion-root:has(select[name="target"]) { order: -1; box-shadow: none; background: none; }
.MuiAccordion-root:has(select[name="target"])::before { display: none; }
.MuiAccordion-root:has(select[name="target"]) .MuiAccordionSummary-root { display: none; }
.MuiAccordion-root:has(select[name="target"]) .MuiAccordionDetails-root { padding: 8px 0 0; }
.MuiAccordion-root:has(select[name="target"]) .MuiCollapse-root {
  height: auto !important; visibility: visible !important; overflow: visible !important;
}
</style>
"""


def tidy(html: str) -> str:
    return html.replace("</head>", _STYLE + "</head>", 1).replace("<title>Locust</title>", "<title>Threadmill</title>")
