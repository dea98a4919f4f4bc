// Tables with class "sortable": a heading's button sorts, text and verdict filter, all by keyboard as well.
const tables = (() => {
  const number = new Intl.NumberFormat("en");
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (text === "") return null;
    return Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };

  const sort = (table, heading, column) => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach((one) => one.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row, index) => ({ row, index, key: value(row, column) }));
    // What is not known stays at the end in either direction.
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.index - b.index;
      return (descending ? -1 : 1) * compare(a.key, b.key) || a.index - b.index;
    });
    body.append(...keyed.map((one) => one.row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = heading.querySelector("button");
      if (button) button.addEventListener("click", () => sort(table, heading, column));
    });
    const tools = document.querySelector(`[data-table="${table.id}"]`);
    if (!tools) continue;
    const text = tools.querySelector("input[type=search]"), count = tools.querySelector("[role=status]");
    const boxes = [...tools.querySelectorAll("input[name=verdict]")], wide = tools.querySelector("input[name=columns]");
    const filter = () => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        row.dataset.text ??= row.textContent.toLowerCase();
        row.hidden = !(verdicts.has(row.dataset.verdict) && words.every((word) => row.dataset.text.includes(word)));
        shown += !row.hidden;
      }
      count.textContent = `${number.format(shown)} of ${number.format(table.tBodies[0].rows.length)} trials shown`;
    };
    text.addEventListener("input", filter);
    boxes.forEach((box) => box.addEventListener("change", filter));
    wide.addEventListener("change", () => table.classList.toggle("all-columns", wide.checked));
    tools.hidden = false;
    filter();
  }
  return { sort };
})();
