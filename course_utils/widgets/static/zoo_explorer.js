const SVG = "http://www.w3.org/2000/svg";
const WIDE = 760, HIGH = 350, LEFT = 46, RIGHT = 14, TOP = 12, BOTTOM = 42;
// One shape a group, so that colour is not the only sign.
const SHAPES = {
  plain: "M-4.6-4.6H4.6V4.6H-4.6Z",
  residual: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
  efficient: "M0-5.8L5.6 4.4H-5.6Z",
  modern: "M0-6.2L6.2 0L0 6.2L-6.2 0Z",
  transformer: "M-1.9-5.6H1.9V-1.9H5.6V1.9H1.9V5.6H-1.9V1.9H-5.6V-1.9H-1.9Z",
  hybrid: "M0 5.8L5.6-4.4H-5.6Z",
};

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const digits = (v) => (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2));
const cell = (v, name) => (v === null || v === undefined ? "–"
  : typeof v === "string" ? v : name === "year" ? String(v) : name === "top1" ? v.toFixed(1) : digits(v));

// -- scales ----------------------------------------------------------------------------

function logScale(values) {
  const low = Math.log10(Math.min(...values)) - 0.06, high = Math.log10(Math.max(...values)) + 0.06;
  const at = (v) => LEFT + (Math.log10(v) - low) / (high - low || 1) * (WIDE - LEFT - RIGHT);
  const ticks = [];
  for (let e = Math.floor(low); e <= high; e++)
    for (const m of [1, 2, 5]) { const v = m * 10 ** e; if (Math.log10(v) >= low && Math.log10(v) <= high) ticks.push(v); }
  return { at, ticks };
}

function linearScale(values) {
  const low = Math.floor(Math.min(...values) / 5) * 5, high = Math.ceil(Math.max(...values) / 5) * 5;
  const at = (v) => HIGH - BOTTOM - (v - low) / (high - low || 1) * (HIGH - TOP - BOTTOM);
  const ticks = [];
  for (let v = low; v <= high; v += high - low > 20 ? 10 : 5) ticks.push(v);
  return { at, ticks };
}

function axes(x, y, label) {
  const node = svg("g", { class: "zoo-axes", "aria-hidden": "true" });
  for (const v of x.ticks) node.append(
    svg("line", { class: "grid", x1: x.at(v), x2: x.at(v), y1: TOP, y2: HIGH - BOTTOM }),
    svg("text", { x: x.at(v), y: HIGH - BOTTOM + 16, "text-anchor": "middle" }, String(v >= 1 ? v : Number(v.toPrecision(1)))));
  for (const v of y.ticks) node.append(
    svg("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y.at(v), y2: y.at(v) }),
    svg("text", { x: LEFT - 7, y: y.at(v) + 4, "text-anchor": "end" }, String(v)));
  node.append(svg("text", { class: "title", x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 5, "text-anchor": "middle" }, `${label}, log scale`),
    svg("text", { class: "title", transform: `translate(12 ${(TOP + HIGH - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, "ImageNet top-1 (%)"));
  return node;
}

// -- parts -----------------------------------------------------------------------------

function passes(row, state) {
  const words = state.filter_text.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${row.architecture} ${row.weights} ${row.family} ${row.group}`.toLowerCase();
  return (!state.defaults_only || row.default) && (!state.group || row.group === state.group)
    && words.every((word) => text.includes(word));
}

function compare(name, descending) {
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [u, v] = [a[name], b[name]];
    if (u === null || v === null) return (u === null) - (v === null);
    return sign * (typeof u === "string" ? u.localeCompare(v) : u - v);
  };
}

const inWords = (row, cost, costs) =>
  `${row.architecture}, ${row.weights}: top-1 ${cell(row.top1, "top1")} %, ${costs[cost]} ${cell(row[cost], cost)}`;

function legend(groups, state, pick) {
  const node = make("div", { class: "zoo-legend", role: "group", "aria-label": "Show one group" });
  for (const [name, words] of Object.entries(groups)) {
    const mark = svg("svg", { viewBox: "-8 -8 16 16", width: 14, height: 14, "aria-hidden": "true" }, svg("path", { class: `g-${name}`, d: SHAPES[name] }));
    node.append(make("button", { type: "button", class: "zoo-group", "aria-pressed": String(state.group === name),
      onclick: () => pick(state.group === name ? "" : name) }, mark, words));
  }
  return node;
}

function bar(label, value, text, most) {
  return make("div", { class: "zoo-bar" }, make("span", {}, label),
    make("span", { class: "zoo-track" }, make("span", { style: `width: ${Math.max(1, 100 * value / most)}%` })), make("b", {}, text));
}

function details(row, rows, costs, machine, front) {
  if (!row) return make("p", { class: "cw-quiet" }, "Choose a point or a row: its idea, its figures and the code that loads it appear here.");
  const bars = Object.entries(costs).filter(([name]) => row[name] !== null).map(([name, words]) =>
    bar(words, Math.log10(1 + row[name]), cell(row[name], name), Math.log10(1 + Math.max(...rows.map((r) => r[name] ?? 0)))));
  const code = make("pre", { class: "zoo-code", tabindex: 0, "aria-label": "Code that loads this model" }, make("code", {}, row.code));
  const copy = make("button", { class: "cw-button zoo-copy", type: "button", onclick: async () => {
    await navigator.clipboard.writeText(row.code); copy.textContent = "Copied"; } }, "Copy the code");
  return make("div", { class: "zoo-facts" },
    make("h4", {}, row.architecture, make("small", {}, row.weights), front.includes(row.id) ? make("mark", {}, "on the front") : ""),
    make("p", {}, make("strong", {}, `${row.family}, ${row.year}. `), row.idea, make("span", { class: "cw-quiet" }, ` (${row.paper})`)),
    make("div", { class: "zoo-bars" }, bar("ImageNet top-1 (%)", row.top1 ?? 0, cell(row.top1, "top1"), 100), ...bars),
    row.licence ? make("p", { class: "cw-quiet" }, `Licence of these weights: ${row.licence}`) : "",
    machine && row.ms ? make("p", { class: "cw-quiet" }, `Latency measured on: ${machine}, one thread, one image.`) : "",
    code, copy);
}

// -- the widget ------------------------------------------------------------------------

function render({ model, el }) {
  const box = frame(el, "Model zoo explorer");
  box.classList.add("zoo");
  const names = ["cost", "filter_text", "group", "defaults_only", "sort_by", "descending", "selected"];
  const rows = model.get("rows"), costs = model.get("costs"), columns = model.get("columns"), fronts = model.get("fronts");
  const state = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const set = (changes) => send(model, changes);

  const search = make("input", { type: "search", class: "zoo-search", placeholder: "Filter: resnet, v2, swin…", "aria-label": "Filter models",
    oninput: () => set({ filter_text: search.value }) });
  const only = make("input", { type: "checkbox", onchange: () => set({ defaults_only: only.checked }) });
  const short = { params: "parameters", gflops: "MACs", file_mb: "file size", ms: "latency" };
  const costSwitch = makeSwitch("Cost on the axis", Object.keys(costs).map((value) => ({ value, label: short[value] ?? value })),
    model.get("cost"), (cost) => set({ cost }));
  const count = make("span", { class: "cw-quiet", role: "status" });
  const chart = make("div", { class: "zoo-chart" }), groups = make("div"), panel = make("div", { class: "zoo-details", "aria-live": "polite" });
  const table = make("div", { class: "zoo-table", tabindex: -1 });
  box.append(make("div", { class: "zoo-top" }, make("p", { class: "cw-title" }, "Accuracy against"), costSwitch.node,
      make("label", { class: "zoo-only" }, only, "recommended weights only")),
    chart, groups, panel, make("div", { class: "zoo-top" }, search, count), table);

  function paintChart(now, shown) {
    const usable = rows.filter((r) => r.top1 !== null && r[now.cost] > 0 && (!now.defaults_only || r.default));
    const x = logScale(usable.map((r) => r[now.cost])), y = linearScale(usable.map((r) => r.top1));
    const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "zoo-plot", role: "group", "aria-label": `Scatter of top-1 against ${costs[now.cost]}` });
    picture.append(axes(x, y, costs[now.cost]));
    const front = fronts[now.cost][now.defaults_only ? "defaults" : "all"], byId = new Map(rows.map((r) => [r.id, r]));
    const steps = front.map((id) => byId.get(id)).map((r) => [x.at(r[now.cost]), y.at(r.top1)]);
    picture.append(svg("path", { class: "front", d: steps.map(([u, v], i) => (i ? `H${u}V${v}` : `M${u} ${v}`)).join("") + `H${WIDE - RIGHT}` }));
    const label = svg("g", { class: "zoo-label", "aria-hidden": "true" }, svg("rect", { rx: 5, height: 22 }), svg("text", { y: 15, x: 8 }));
    const visible = new Set(shown.map((r) => r.id));
    const points = usable.slice().sort((a, b) => a[now.cost] - b[now.cost]).map((row) => {
      const u = x.at(row[now.cost]), v = y.at(row.top1);
      const classes = ["zoo-point", visible.has(row.id) ? "" : "is-out", front.includes(row.id) ? "on-front" : "", row.id === now.selected ? "is-chosen" : ""];
      const point = svg("g", { class: classes.join(" "), transform: `translate(${u} ${v})`, role: "button", "data-id": row.id,
        "aria-label": inWords(row, now.cost, costs), "aria-pressed": String(row.id === now.selected) },
        svg("circle", { class: "halo", r: 11 }), svg("path", { class: `g-${row.group}`, d: SHAPES[row.group] ?? SHAPES.residual }));
      const tell = () => {
        label.querySelector("text").textContent = `${row.architecture} · ${cell(row.top1, "top1")} % · ${cell(row[now.cost], now.cost)}`;
        const wide = label.querySelector("text").getComputedTextLength() + 16;
        label.querySelector("rect").setAttribute("width", wide);
        label.setAttribute("transform", `translate(${Math.min(Math.max(u - wide / 2, 2), WIDE - wide - 2)} ${v > 46 ? v - 36 : v + 14})`);
        label.classList.add("is-on");
      };
      const hush = () => label.classList.remove("is-on");
      for (const [event, act] of [["mouseenter", tell], ["focus", tell], ["mouseleave", hush], ["blur", hush]]) point.addEventListener(event, act);
      point.addEventListener("click", () => set({ selected: row.id }));
      point.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); set({ selected: row.id }); }
      });
      return point;
    });
    rove(points);
    const chosen = points.find((p) => p.dataset.id === now.selected);
    if (chosen) { focusIn(points, chosen); }
    picture.append(...points, label);
    const hadFocus = chart.contains(document.activeElement) || chart.contains(box.getRootNode().activeElement);
    chart.replaceChildren(picture);
    if (hadFocus) (chosen ?? points[0])?.focus();
  }

  function paintTable(now, shown) {
    const head = make("tr", {}, ...Object.entries(columns).map(([name, words]) => {
      const on = now.sort_by === name, arrow = on ? (now.descending ? " ▼" : " ▲") : "";
      return make("th", { scope: "col", "aria-sort": on ? (now.descending ? "descending" : "ascending") : "none", class: `c-${name}` },
        make("button", { type: "button", onclick: () => set({ sort_by: name, descending: on ? !now.descending : name.startsWith("top") || name === "year" }) }, words, make("span", { "aria-hidden": "true" }, arrow)));
    }));
    const front = fronts[now.cost][now.defaults_only ? "defaults" : "all"];
    const body = shown.slice().sort(compare(now.sort_by, now.descending)).map((row) => {
      const line = make("tr", { "data-id": row.id, "aria-selected": String(row.id === now.selected), class: row.id === now.selected ? "is-chosen" : "",
        onclick: () => set({ selected: row.id }),
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); set({ selected: row.id }); } } },
        ...Object.keys(columns).map((name, i) => make("td", { class: `c-${name}` }, ...(i ? [cell(row[name], name)] : [
          svg("svg", { viewBox: "-8 -8 16 16", width: 12, height: 12, "aria-hidden": "true" }, svg("path", { class: `g-${row.group}`, d: SHAPES[row.group] ?? SHAPES.residual })),
          row[name], front.includes(row.id) ? make("span", { class: "zoo-star", title: "on the Pareto front" }, " ★") : ""]))));
      return line;
    });
    rove(body);
    const top = table.scrollTop, held = table.contains(box.getRootNode().activeElement) ? box.getRootNode().activeElement : null;
    const again = held?.dataset?.id, sorted = held?.closest?.("th")?.className;
    table.replaceChildren(make("table", { "aria-label": "Models" }, make("thead", {}, head), make("tbody", {}, ...body)));
    table.scrollTop = top;
    const chosen = body.find((line) => line.dataset.id === (again ?? now.selected));
    if (chosen) focusIn(body, chosen);
    if (again) chosen?.focus();
    else if (sorted) table.querySelector(`th.${sorted.split(" ")[0]} button`)?.focus();
  }

  function paint() {
    const now = state(), shown = rows.filter((row) => passes(row, now));
    costSwitch.set(now.cost);
    only.checked = now.defaults_only;
    if (search.value !== now.filter_text) search.value = now.filter_text;
    count.textContent = `${shown.length} of ${rows.length} sets of weights; ★ and the line: nothing is cheaper and better`;
    paintChart(now, shown);
    groups.replaceChildren(legend(model.get("groups"), now, (group) => set({ group })));
    const front = fronts[now.cost][now.defaults_only ? "defaults" : "all"];
    panel.replaceChildren(details(rows.find((row) => row.id === now.selected), rows, costs, model.get("machine"), front));
    paintTable(now, shown);
  }
  paint();
  return follow(model, names, paint);
}

export default { render };
