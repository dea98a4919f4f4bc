// Draws the figures. Each lies in the page as JSON: `data` and `layout` as Plotly has them; besides,
//   trace.meta.model     the model it belongs to: shown while the page's checkbox of that model is ticked
//   trace.meta.when      {axis: value, ...}: shown while the page's selectors have these values
//   picks                {label, options: [{label, meta, traces: [{x, y, ...}, ...], layout}]}: a selector of the
//                        figure itself; the chosen option's `traces` are laid over those of `data`, one by one
// Rows of tables with data-model and data-when are shown by the same rule.
const figures = (() => {
  // Two of this height, with their words, fit on a sheet.
  const PRINT_HEIGHT = 310;
  const DARK_COLOURS = JSON.parse(document.getElementById("dark-colours").textContent);
  const models = [...document.querySelectorAll("#controls input[name=model]")];
  const axes = [...document.querySelectorAll("#controls select[data-axis]")];
  const all = [...document.querySelectorAll("figure.figure")].map((element) => ({
    element,
    plot: element.querySelector(".plot"),
    spec: JSON.parse(element.querySelector("script").textContent),
    drawn: false,
  }));

  // Plotly is unpacked after the first paint: the text does not wait for it.
  const unpack = async () => {
    const packed = document.getElementById("plotly-deflated").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  };

  const isShown = (meta) => {
    if (!meta) return true;
    if (meta.model && models.some((box) => box.value === meta.model && !box.checked)) return false;
    return Object.entries(meta.when ?? {}).every(([axis, value]) => {
      const select = axes.find((one) => one.dataset.axis === axis);
      return !select || select.value === String(value);
    });
  };

  const recolour = (value, key) => {
    if (Array.isArray(value)) return key === "colorway" || key === "color" ? value.map((one) => recolour(one, key)) : value;
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, recolour(one, name)]));
    }
    return theme.isDark() && /color/.test(key) ? (DARK_COLOURS[value] ?? value) : value;
  };

  const themed = (layout, width) => {
    const light = !theme.isDark();
    const ink = light ? "#1b1b1b" : "#eaeaea", grid = light ? "#dedede" : "#3a3d42";
    const narrow = width < 560;
    const result = {
      autosize: true,
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: narrow ? 11 : 13, color: ink },
      margin: { l: 12, r: 12, t: 12, b: 12, ...layout.margin },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", ...layout.legend },
      hoverlabel: { bgcolor: light ? "#ffffff" : "#25282d", font: { color: ink } },
      // On a touch screen a finger scrolls the page, not the axis.
      dragmode: window.matchMedia("(pointer: coarse)").matches ? false : "zoom",
    };
    for (const name of new Set([...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key)), "xaxis", "yaxis"])) {
      result[name] = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true, ...layout[name] };
    }
    if (layout.shapes) result.shapes = layout.shapes.map((one) => ({ ...one, line: { color: ink, ...one.line } }));
    return result;
  };

  // Ticks at round numbers that everyone can read: Plotly's own would write 200 as a small 2, or only one number.
  const logTicks = (values, isLow) => {
    const known = values.filter((value) => value > 0);
    if (!known.length) return {};
    const margin = 1.12;
    let low = Math.min(...known) / margin, high = Math.max(...known) * margin;
    if (high < 2 * low) { const middle = Math.sqrt(low * high); low = middle / Math.SQRT2; high = middle * Math.SQRT2; }
    const decades = Math.log10(high / low);
    const few = decades > 2.6 ? [1] : decades > 0.8 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
    const digits = isLow ? few : decades > 4 ? [1] : decades > 1.8 ? [1, 2, 5] : decades > 0.8 ? [1, 2, 3, 5, 7] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9];
    const tickvals = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      tickvals.push(...digits.map((digit) => Number(`${digit}e${power}`)).filter((tick) => tick >= low && tick <= high));
    }
    const written = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
    return { tickvals, ticktext: tickvals.map((tick) => written.format(tick)), range: [Math.log10(low), Math.log10(high)] };
  };

  // What a trace reaches to along an axis, its error bars included.
  const reach = (trace, letter) => (trace[letter] ?? []).flatMap((value, index) => {
    const bars = trace[`error_${letter}`];
    return value === null ? [] : [value, value + (bars?.array?.[index] ?? 0), value - (bars?.arrayminus?.[index] ?? 0)];
  });

  // Above the plot: which of the page's selectors it obeys, with their values.
  const say = (figure) => {
    const used = new Set(figure.spec.data.flatMap((trace) => Object.keys(trace.meta?.when ?? {})));
    (figure.spec.picks?.options ?? []).forEach((one) => Object.keys(one.meta?.when ?? {}).forEach((axis) => used.add(axis)));
    const parts = axes.filter((one) => used.has(one.dataset.axis)).map((one) => (
      `${one.dataset.name}: ${one.selectedOptions[0].textContent}`
    ));
    figure.element.querySelector(".shown").textContent = parts.length ? `Shown: ${parts.join("; ")}` : "";
  };

  const picker = (figure) => {
    const { picks } = figure.spec;
    if (!picks) return null;
    let select = figure.element.querySelector("select.pick");
    if (!select) {
      const label = document.createElement("label");
      label.className = "pick-label";
      select = document.createElement("select");
      select.className = "pick";
      label.append(`${picks.label} `, select);
      figure.plot.before(label);
      select.addEventListener("change", () => draw(figure));
    }
    const before = select.value;
    select.replaceChildren(...picks.options.flatMap((one, index) => {
      if (!isShown(one.meta)) return [];
      const option = document.createElement("option");
      option.value = String(index);
      option.textContent = one.label;
      return [option];
    }));
    if ([...select.options].some((one) => one.value === before)) select.value = before;
    return picks.options[Number(select.value || -1)] ?? null;
  };

  const draw = (figure) => {
    say(figure);
    const { spec, plot } = figure;
    const chosen = picker(figure);
    let traces = spec.data.filter((trace) => isShown(trace.meta));
    if (spec.picks) {
      traces = chosen ? chosen.traces.map((over, index) => ({ ...spec.data[index], ...over })) : [];
    }
    const data = traces.map(({ meta, ...trace }) => recolour(structuredClone(trace), ""));
    const width = plot.clientWidth;
    const layout = themed({ ...structuredClone(spec.layout ?? {}), ...chosen?.layout }, width);
    for (const [name, axis] of Object.entries(layout).filter(([key]) => /^[xy]axis\d*$/.test(key))) {
      if (axis.type !== "log" || axis.tickvals) continue;
      const letter = name[0], id = name.replace("axis", "");
      const mine = data.filter((trace) => (trace[`${letter}axis`] ?? letter) === id);
      const marks = (layout.shapes ?? []).flatMap((one) => ((one[`${letter}ref`] ?? letter) === id ? [one[`${letter}0`]] : []));
      // One of several panels has room for a few ticks only.
      const isLow = axis.domain && axis.domain[1] - axis.domain[0] < 0.5;
      Object.assign(axis, logTicks([...mine.flatMap((trace) => reach(trace, letter)), ...marks], isLow));
    }
    if (!data.length) {
      layout.annotations = [{ text: "nothing to show for this choice", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }];
    }
    plot.style.minHeight = "0";
    plot.style.height = `${layout.height ?? (theme.isPrinting() ? PRINT_HEIGHT : 400)}px`;
    const config = { displaylogo: false, responsive: true, displayModeBar: width < 560 ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    window.Plotly.react(plot, data, layout, config);
    figure.drawn = true;
  };

  const redraw = () => all.filter((figure) => figure.drawn).forEach(draw);

  const showRows = () => {
    for (const row of document.querySelectorAll("tr[data-when], tr[data-model]:not(.trial), [data-card]")) {
      row.hidden = !isShown({ model: row.dataset.model, when: JSON.parse(row.dataset.when ?? "{}") });
    }
  };

  const choose = () => { showRows(); redraw(); all.filter((figure) => !figure.drawn).forEach(say); };
  [...models, ...axes].forEach((control) => control.addEventListener("change", choose));
  document.querySelectorAll("#controls button[data-models]").forEach((button) => button.addEventListener("click", () => {
    models.forEach((box) => { box.checked = button.dataset.models === "all"; });
    choose();
  }));

  const failed = (error) => {
    for (const { plot } of all) {
      plot.textContent = `This browser cannot draw the figure (${error.message}); its numbers are below.`;
      plot.classList.add("failed");
    }
  };

  const begin = async () => {
    showRows();
    all.forEach(say);
    if (!all.length) return;
    try { await unpack(); } catch (error) { failed(error); return; }
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        seen.unobserve(entry.target);
        const figure = all.find((one) => one.element === entry.target);
        if (!figure.drawn) draw(figure);
      }
    }, { rootMargin: "400px" });
    all.forEach((figure) => seen.observe(figure.element));
    theme.onChange(redraw);
    document.documentElement.dataset.figures = "ready";
  };

  // On paper: every figure, in light colours, as wide as a page.
  let open = [];
  window.addEventListener("beforeprint", () => {
    open = [...document.querySelectorAll("details[data-print]:not([open])")];
    open.forEach((one) => { one.open = true; });
    if (!window.Plotly) return;
    theme.print(true);
    all.forEach((figure) => {
      figure.plot.style.width = "660px";
      draw(figure);
      window.Plotly.relayout(figure.plot, { width: 660, height: figure.spec.layout?.height ?? PRINT_HEIGHT, autosize: false });
    });
  });
  window.addEventListener("afterprint", () => {
    open.forEach((one) => { one.open = false; });
    theme.print(false);
    all.forEach((figure) => { figure.plot.style.width = ""; });
    redraw();
  });

  requestAnimationFrame(() => setTimeout(begin, 0));
  return { all, draw };
})();
