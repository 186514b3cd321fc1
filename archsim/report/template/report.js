"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data");
  const figures = read("figures");
  const { points, colours, metrics } = data;
  const metric = Object.fromEntries(metrics.map((m) => [m.name, m]));
  const count = points.front.length;
  const all = Array.from({ length: count }, (_, i) => i);
  const at = (id) => document.getElementById(id);
  const NOTHING = "–";
  const LABEL_PX = 18; // a row of labels in the front figure

  // plotly reads a few HTML tags in labels: names must not
  const escape = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  // two digits of exponent at least, as Python writes them
  const exponent = (value) =>
    value.toExponential(2).replace(/([+-])(\d)$/, (_, sign, digit) => `${sign}0${digit}`);

  function number(value) {
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size >= 1e12) return exponent(value);
    if (size >= 99.95) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
    if (size < 1e-4) return exponent(value);
    return value.toFixed(2 - Math.floor(Math.log10(Number(size.toExponential(2)))));
  }
  const times = (factor) =>
    `${factor >= 0.095 && factor < 9.995 ? factor.toFixed(2) : number(factor)}×`;
  const valueText = (m, value) => number(value / m.size);
  const withUnit = (m, value) => `${valueText(m, value)} ${m.symbol}`.trim();
  const settings = (i) =>
    data.axes
      .map((axis, a) => [axis.name, axis.texts[points.axes[a][i]]])
      .filter(([, text]) => text !== "");

  /* ---------------------------------------------------------------- plots */

  const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: colours.ink };
  const axisStyle = {
    showline: true, linecolor: "#b9c0c9", ticks: "outside", tickcolor: "#b9c0c9", ticklen: 4,
    gridcolor: "#eceff2", zeroline: false, automargin: true, tickfont: { color: colours.faint, size: 12 },
    title: { standoff: 8, font: { size: 13 } },
  };
  const config = {
    displaylogo: false, responsive: true, displayModeBar: "hover",
    toImageButtonOptions: { format: "svg", filename: "archsim" },
  };
  const merged = (base, over) => {
    const out = { ...base };
    for (const [key, value] of Object.entries(over || {})) {
      const both = value && typeof value === "object" && !Array.isArray(value) && out[key];
      out[key] = both ? merged(out[key], value) : value;
    }
    return out;
  };
  function baseLayout(layout) {
    const base = {
      modebar: { orientation: "v", bgcolor: "rgba(255,255,255,0.8)" },
      font, paper_bgcolor: "#fff", plot_bgcolor: "#fff", margin: { l: 8, r: 12, t: 10, b: 8 },
      hoverlabel: { bgcolor: "#fff", bordercolor: "#b9c0c9", font: { ...font, size: 12.5 }, align: "left" },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 12.5 }, itemsizing: "constant" },
    };
    const full = merged(base, layout);
    for (const key of Object.keys(full)) {
      if (/^[xy]axis\d*$/.test(key)) full[key] = withTicks(merged(axisStyle, full[key]));
    }
    return full;
  }
  function withTicks(axis) {
    if (axis.type === "log") return { tickformat: ",.3~r", ...axis };
    if (axis.type === "category") return axis;
    return { tickformat: ",.4~r", ...axis };
  }

  const drawn = new Set();
  function draw(id) {
    const place = at(id);
    if (!place || drawn.has(id) || place.offsetParent === null) return;
    drawn.add(id);
    const { data: traces, layout } = figures[id];
    Plotly.newPlot(place, traces, baseLayout(layout), { ...config, displayModeBar: false });
  }
  const drawAll = () => Object.keys(figures).forEach(draw);

  /* ---------------------------------------------------------------- the front */

  const controls = { x: at("axis-x"), y: at("axis-y"), z: at("axis-z") };
  const logs = { x: at("log-x"), y: at("log-y"), z: at("log-z") };
  const kneeValues = Object.fromEntries(metrics.map((m) => [m.name, points.values[m.name][data.knee]]));
  let selected = data.knee;

  function addOptions(select, names, none) {
    if (none) select.append(new Option("none", ""));
    names.forEach((name) => select.append(new Option(metric[name].title, name)));
  }

  const cost = (m, value) => (m.goal === "min" ? value : -value);

  /** Rows that no other row beats in the given metrics: values is metric name -> column. */
  function frontOf(names, values, rows) {
    const costs = rows.map((i) => names.map((n) => cost(metric[n], values[n][i])));
    const order = rows.map((_, k) => k).sort((a, b) => {
      for (let d = 0; d < names.length; d++) {
        if (costs[a][d] !== costs[b][d]) return costs[a][d] - costs[b][d];
      }
      return a - b;
    });
    const kept = [];
    for (const k of order) {
      const mine = costs[k];
      const beaten = kept.some((j) => {
        const other = costs[j];
        return other.every((c, d) => c <= mine[d]) && other.some((c, d) => c < mine[d]);
      });
      if (!beaten) kept.push(k);
    }
    return kept.map((k) => rows[k]);
  }

  function hover(i) {
    const place = points.numbers[i] ? `Front #${points.numbers[i]}` : "Not on the front";
    const lines = [`<b>${i === data.knee ? "Knee, f" + place.slice(1) : place}</b>`];
    if (data.groups.length) lines.push(escape(data.groups[points.groups[i]].name));
    settings(i).forEach(([name, text]) => lines.push(`${escape(name)} ${escape(text)}`));
    metrics.forEach((m) => lines.push(`${escape(m.title)}: ${withUnit(m, points.values[m.name][i])}`));
    return lines.join("<br>");
  }
  const hovers = [];
  const hoverOf = (i) => (hovers[i] ??= hover(i));

  function trace(view, rows, style, values = points.values) {
    const of = (name) => rows.map((i) => values[name][i] / metric[name].size);
    const found = { x: of(view[0]), y: of(view[1]), hoverinfo: "text", mode: "markers", ...style };
    found.name = escape(style.name);
    if (view.length === 3) {
      found.z = of(view[2]);
      found.type = "scatter3d";
    } else {
      found.type = "scatter";
    }
    return found;
  }

  /** Where a label has room: no design is better than the front, few stand right behind it. */
  function beside(view, side) {
    const low = (name) => (metric[name].goal === "min") === (side === "better");
    return { xanchor: low(view[0]) ? "right" : "left", yanchor: low(view[1]) ? "top" : "bottom" };
  }

  /** A named point that stands out: its marker, and in three dimensions its name. */
  function single(view, name, values, style, text) {
    if (!view.every((n) => Number.isFinite(values[n]))) return [];
    const column = Object.fromEntries(view.map((n) => [n, [values[n]]]));
    const label = view.length < 3 ? {} : {
      mode: "markers+text", text: [escape(name)], textposition: "top center",
      textfont: { color: style.marker.color, size: 12.5 },
    };
    return [trace(view, [0], { name, hovertext: [text], ...label, ...style }, column)];
  }

  /** The names of the points that stand out, on a ground that keeps them readable over others. */
  function labels(view, isLog) {
    const named = [
      [data.baseline && data.baseline.name, data.baseline && data.baseline.values, "worse", colours.baseline],
      ["knee", kneeValues, "better", colours.knee],
      ...references(view).map((r) => [r.label, r.values, "worse", colours.reference]),
    ].filter(([name, values]) => name && view.every((n) => Number.isFinite(values[n])));
    const place = spread(view, isLog);
    const taken = named.map(([, values]) => {
      const [x, y] = place(values);
      return [x - 0.008, y - 0.012, x + 0.008, y + 0.012];
    });
    return named
      .map(([name, values, side, color]) => {
        const [x, y] = view.map((n, i) => {
          const value = values[n] / metric[n].size;
          return isLog[i] ? Math.log10(value) : value;
        });
        const { xanchor, yanchor, rows } = free(place(values), name, beside(view, side), taken);
        return {
          x, y, xanchor, yanchor, showarrow: false, text: escape(name), font: { color, size: 12.5 },
          xshift: xanchor === "left" ? 7 : -7, yshift: (yanchor === "bottom" ? 1 : -1) * (5 + LABEL_PX * rows),
          bgcolor: "rgba(255,255,255,0.78)", borderpad: 1,
        };
      });
  }

  /** Where values stand in the figure, as shares of its width and height. */
  function spread(view, isLog) {
    const ends = view.map((n, i) => {
      const of = (value) => (isLog[i] ? Math.log10(value) : value);
      const every = [...points.values[n], ...references(view).map((r) => r.values[n])]
        .filter((v) => Number.isFinite(v) && (!isLog[i] || v > 0)).map(of);
      const low = every.reduce((a, b) => Math.min(a, b));
      const high = every.reduce((a, b) => Math.max(a, b));
      return (value) => (of(value) - low) / (high - low || 1);
    });
    return (values) => view.map((n, i) => ends[i](values[n]));
  }

  /** Where a label has room: on the wanted side of its point, on another, or some rows off. */
  function free([x, y], name, wanted, taken) {
    const plot = at("front-plot");
    const [width, row] = [(7 * name.length) / plot.clientWidth, LABEL_PX / plot.clientHeight];
    const other = { left: "right", right: "left", top: "bottom", bottom: "top" };
    const sides = [0, 1, 2, 3].flatMap((rows) => [
      { ...wanted, rows },
      { ...wanted, yanchor: other[wanted.yanchor], rows },
      { ...wanted, xanchor: other[wanted.xanchor], rows },
      { xanchor: other[wanted.xanchor], yanchor: other[wanted.yanchor], rows },
    ]);
    const boxes = sides.map(({ xanchor, yanchor, rows }) => {
      const left = xanchor === "left" ? x + 0.01 : x - 0.01 - width;
      const off = 0.01 + row * rows;
      const low = yanchor === "bottom" ? y + off : y - off - row;
      return [left, low, left + width, low + row];
    });
    const clear = ([l, b, r, t]) => l > -0.05 && r < 1.08
      && taken.every(([l2, b2, r2, t2]) => r < l2 || r2 < l || t < b2 || t2 < b);
    const best = Math.max(0, boxes.findIndex(clear));
    taken.push(boxes[best]);
    return sides[best];
  }

  /** What stands beside the sweep and has all metrics of a view, unless it is not to be shown. */
  function references(view) {
    const box = at("show-beside");
    if (box && !box.checked) return [];
    return data.references.filter((r) => view.every((n) => Number.isFinite(r.values[n])));
  }

  function frontLine(view, rows, values, name, colour) {
    const order = [...rows].sort((a, b) => values[view[0]][a] - values[view[0]][b]);
    const shape = metric[view[0]].goal === "min" ? "hv" : "vh";
    return trace(view, order, {
      mode: "lines", name, line: { color: colour, width: 1.5, shape }, hoverinfo: "skip",
    }, values);
  }

  function traces(view) {
    const three = view.length === 3;
    const small = three ? 3 : 6;
    const onFront = all.filter((i) => points.front[i]);
    const off = all.filter((i) => !points.front[i]);
    const found = data.groups.length ? groupTraces(view, small) : [
      trace(view, off, {
        name: "other designs", customdata: off, hovertext: off.map(hoverOf),
        marker: { color: colours.dominated, size: small - (three ? 0 : 1), opacity: 0.5 },
      }),
    ];
    if (!three) {
      found.push(frontLine(view, frontOf(view, points.values, all), points.values, "front of these two", colours.front));
    }
    if (!data.groups.length) found.push(trace(view, onFront, {
      name: "on the front", customdata: onFront, hovertext: onFront.map(hoverOf),
      marker: { color: colours.front, size: small + (three ? 1 : 2), line: { color: "#fff", width: three ? 0 : 1 } },
    }));
    found.push(...againstTraces(view, three));
    found.push(...referenceTraces(view));
    const { baseline } = data;
    if (baseline) {
      const lines = metrics.map((m) => `${escape(m.title)}: ${withUnit(m, baseline.values[m.name])}`);
      found.push(...single(view, baseline.name, baseline.values, {
        marker: { color: colours.baseline, size: three ? 6 : 11, symbol: "square" },
      }, `<b>${escape(baseline.name)}</b><br>${lines.join("<br>")}`));
    }
    const [marker] = single(view, "knee", kneeValues, {
      marker: { color: colours.knee, size: three ? 7 : 13, symbol: "diamond", line: { color: "#fff", width: 1 } },
    }, hoverOf(data.knee));
    found.push({ ...marker, customdata: [data.knee] });
    if (selected !== data.knee) {
      found.push(trace(view, [selected], {
        name: "selected", showlegend: false, hoverinfo: "skip",
        marker: { color: colours.knee, size: three ? 9 : 17, symbol: "circle-open", line: { width: 2 } },
      }));
    }
    return found;
  }

  /** A trace a group; designs on the front are larger and ringed, the others pale. */
  function groupTraces(view, small) {
    const three = view.length === 3;
    return data.groups.map((group, g) => {
      const rows = all.filter((i) => points.groups[i] === g);
      const pick = (on, off) => rows.map((i) => (points.front[i] ? on : off));
      // three dimensions have one opacity a trace, and fewer markers
      const marker = three
        ? { color: group.colour, size: pick(small + 2, small), opacity: 0.85 }
        : {
          color: group.colour, symbol: group.symbol, size: pick(small + 5, small + 2), opacity: pick(1, 0.6),
          line: { color: colours.ink, width: pick(1.2, 0) },
        };
      return trace(view, rows, { name: group.name, customdata: rows, hovertext: rows.map(hoverOf), marker });
    });
  }

  function againstTraces(view, three) {
    const other = data.against;
    if (!other || !view.every((n) => other.values[n])) return [];
    const rows = frontOf(view, other.values, other.labels.map((_, i) => i));
    const text = rows.map((i) => {
      const lines = view.map((n) => `${escape(metric[n].title)}: ${withUnit(metric[n], other.values[n][i])}`);
      return `<b>${escape(other.name)}</b><br>${escape(other.labels[i])}<br>${lines.join("<br>")}`;
    });
    const marks = trace(view, rows, {
      name: `front of ${other.name}`, hovertext: text,
      marker: { color: colours.against, size: three ? 4 : 8, symbol: three ? "cross" : "triangle-up" },
    }, other.values);
    if (three) return [marks];
    const line = frontLine(view, rows, other.values, "", colours.against);
    return [{ ...line, showlegend: false }, marks];
  }

  function referenceTraces(view) {
    const symbols = view.length === 3 ? ["diamond", "cross", "x"] : ["star", "cross", "x", "hexagram"];
    const kinds = [...new Set(data.references.map((r) => r.kind))];
    return references(view).flatMap((r) =>
      single(view, r.label, r.values, {
        marker: { color: colours.reference, size: view.length === 3 ? 6 : 12, symbol: symbols[kinds.indexOf(r.kind) % symbols.length] },
        legendgroup: r.kind,
        showlegend: r === data.references.find((other) => other.kind === r.kind),
      }, referenceHover(view, r))
        .map((found) => ({ ...found, name: escape(r.kind) })),
    );
  }

  function referenceHover(view, r) {
    const lines = view.map((n) => `${escape(metric[n].title)}: ${withUnit(metric[n], r.values[n])}`);
    return [`<b>${escape(r.label)}</b>, ${escape(r.kind)}`, escape(r.source), ...lines].join("<br>");
  }

  /** Ticks of a log axis that spans so many decades: plotly's own, 1 2 5, or powers of ten. */
  const logTicks = (decades) => (decades < 0.8 ? null : decades < 3.2 ? "D2" : 1);

  function decadesOf(name, view) {
    const others = references(view).map((r) => r.values[name]);
    const values = [...points.values[name], ...others].filter((v) => v > 0);
    return Math.log10(values.reduce((a, b) => Math.max(a, b)) / values.reduce((a, b) => Math.min(a, b)));
  }

  /** Keep log ticks readable at every zoom. */
  function retick() {
    const { layout } = at("front-plot");
    const changed = {};
    for (const key of ["xaxis", "yaxis"]) {
      const axis = layout[key];
      if (!axis || axis.type !== "log" || !axis.range) continue;
      const dtick = logTicks(Math.abs(axis.range[1] - axis.range[0]));
      const tickmode = dtick === null ? "auto" : "linear";
      if (tickmode !== axis.tickmode || (dtick !== null && dtick !== axis.dtick)) {
        Object.assign(changed, { [`${key}.dtick`]: dtick, [`${key}.tickmode`]: tickmode });
      }
    }
    if (Object.keys(changed).length) Plotly.relayout("front-plot", changed);
  }

  function axisTitle(m) {
    const better = m.goal === "min" ? "less is better" : "more is better";
    return `${m.title}${m.symbol ? ` (${m.symbol})` : ""} – ${better}`;
  }

  function drawFront() {
    const view = [controls.x.value, controls.y.value, controls.z.value].filter(Boolean);
    at("log-z-label").hidden = view.length < 3;
    const axis = (i, letter) => ({
      title: { text: escape(axisTitle(metric[view[i]])) },
      ...(logs[letter].checked ? { type: "log", dtick: logTicks(decadesOf(view[i], view)), tickmode: logTicks(decadesOf(view[i], view)) ? "linear" : "auto" } : { type: "linear" }),
    });
    const layout = baseLayout(
      view.length === 3
        ? {}
        : {
          hovermode: "closest", xaxis: axis(0, "x"), yaxis: axis(1, "y"), margin: { t: 4 },
          annotations: labels(view, [logs.x.checked, logs.y.checked]),
        },
    );
    if (view.length === 3) {
      const small = (i, letter) => ({
        ...axis(i, letter), title: { text: escape(metric[view[i]].title + (metric[view[i]].symbol ? ` (${metric[view[i]].symbol})` : "")), font: { size: 12 } },
        gridcolor: "#cfd5dc", zeroline: false, tickfont: { size: 11, color: colours.faint }, tickformat: ",.3~r",
        backgroundcolor: "#fff", nticks: 6,
      });
      layout.scene = {
        xaxis: small(0, "x"), yaxis: small(1, "y"), zaxis: small(2, "z"),
        camera: { eye: { x: 1.65, y: 1.55, z: 0.7 }, center: { x: 0, y: 0, z: -0.12 } },
      };
    }
    const buttons = view.length === 3
      ? ["toImage", "orbitRotation", "pan3d", "resetCameraDefault3d"]
      : ["toImage", "zoom2d", "pan2d", "resetScale2d"];
    Plotly.react("front-plot", traces(view), layout, { ...config, modeBarButtons: [buttons] });
  }

  /* ---------------------------------------------------------------- one design */

  function show(i) {
    selected = i;
    const knee = i === data.knee;
    const place = points.numbers[i] ? `front #${points.numbers[i]}` : "not on the front";
    at("chosen-title").textContent = knee ? "Chosen design: the knee" : `Selected design: ${place}`;
    at("back").hidden = knee;
    at("settings").replaceChildren(
      ...settings(i).map(([name, text]) => {
        const row = document.createElement("div");
        row.append(element("dt", name), element("dd", text));
        return row;
      }),
    );
    document.querySelectorAll("#chosen tr[data-metric]").forEach((row) => fillRow(row, i));
    showYaml(i);
    document.querySelectorAll("#front-table tr[data-point]").forEach((row) => {
      row.classList.toggle("selected", !knee && Number(row.dataset.point) === i);
    });
    drawFront();
  }

  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function fillRow(row, i) {
    const m = metric[row.dataset.metric];
    const value = points.values[m.name][i];
    row.querySelector(".value").textContent = valueText(m, value);
    if (!data.baseline) return;
    const base = data.baseline.values[m.name];
    row.querySelector(".ratio").textContent = base ? times(value / base) : NOTHING;
    const same = Math.abs(value - base) <= 5e-3 * Math.abs(base);
    const word = same ? "same" : (value < base) === (m.goal === "min") ? "better" : "worse";
    const span = element("span", word);
    span.className = same ? "dim" : word;
    row.querySelector(".word").replaceChildren(span);
  }

  function yamlPieces(i) {
    const name = points.names[i];
    return data.templates[points.templates[i]].map((piece) => {
      if (typeof piece === "string") return { text: piece };
      if (piece === data.nameToken) return { text: /^[A-Za-z][\w.-]*$/.test(name) ? name : JSON.stringify(name) };
      return { text: data.axes[piece].yaml[points.axes[piece][i]], axis: true };
    });
  }

  function showYaml(i) {
    at("yaml").replaceChildren(
      ...yamlPieces(i).map(({ text, axis }) => (axis ? element("b", text) : document.createTextNode(text))),
    );
    at("yaml-file").textContent = at("yaml-name").textContent = `${points.names[i]}.yaml`;
  }

  async function copyYaml() {
    const text = yamlPieces(selected).map((p) => p.text).join("");
    const button = at("copy");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element("textarea", text); // pages opened as files may not have the clipboard
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  /* ---------------------------------------------------------------- page */

  function startFront() {
    const names = metrics.map((m) => m.name);
    addOptions(controls.x, names);
    addOptions(controls.y, names);
    addOptions(controls.z, names, true);
    [controls.x.value, controls.y.value] = data.view;
    const setLogs = (letter) => {
      const m = metric[controls[letter].value];
      logs[letter].checked = Boolean(m && m.log);
    };
    for (const letter of ["x", "y", "z"]) {
      setLogs(letter);
      controls[letter].addEventListener("change", () => { setLogs(letter); drawFront(); });
      logs[letter].addEventListener("change", drawFront);
    }
    if (at("show-beside")) at("show-beside").addEventListener("change", drawFront);
    document.querySelector(".controls").hidden = false;
    show(data.knee);
    at("front-plot").on("plotly_relayout", retick);
    at("front-plot").on("plotly_click", (event) => {
      const i = event.points[0].customdata;
      if (Number.isInteger(i)) show(i);
    });
  }

  function startTabs() {
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const choose = (tab) => {
      tabs.forEach((other) => {
        other.setAttribute("aria-selected", String(other === tab));
        other.tabIndex = other === tab ? 0 : -1;
        at(other.getAttribute("aria-controls")).hidden = other !== tab;
      });
      drawAll();
    };
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => choose(tab));
      tab.addEventListener("keydown", (event) => {
        const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!move) return;
        const next = tabs[(i + move + tabs.length) % tabs.length];
        next.focus();
        choose(next);
      });
    });
    if (tabs.length) choose(tabs[0]);
  }

  document.querySelectorAll("[data-show]").forEach((button) => {
    button.addEventListener("click", () => {
      show(Number(button.dataset.show));
      at("chosen").scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
  });
  at("back").addEventListener("click", () => show(data.knee));
  at("copy").hidden = false;
  at("copy").addEventListener("click", copyYaml);
  startFront();
  startTabs();
  drawAll();

  // paper has no tabs and is narrower than a screen
  const everyPlot = () => document.querySelectorAll(".js-plotly-plot");
  const forPaper = (paper) => {
    document.querySelectorAll(".panel").forEach((panel) => { panel.style.display = paper ? "block" : ""; });
    drawAll();
    everyPlot().forEach((plot) => Plotly.relayout(plot, paper ? { width: 660, autosize: false } : { width: null, autosize: true }));
  };
  window.addEventListener("beforeprint", () => forPaper(true));
  window.addEventListener("afterprint", () => forPaper(false));
})();
