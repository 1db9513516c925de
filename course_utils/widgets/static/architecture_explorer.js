// @ts-check
import { compact, follow, frame, make, makeSwitch, rove, send, svg } from "./base.js";
import { makeCodePanel } from "./code_panel.js";
import { FLAME, SNOWFLAKE } from "./icons.js";

const NARROWEST = 73;
const AIR = 14;
const THINNEST = 5;
const ARROW = 12;
const FEW = 20;
const LONG = 11;
const MOST_PICTURES = 4096;
const ICONS = { frozen: SNOWFLAKE, learns: FLAME };

// -- words and numbers ---------------------------------------------------------------

const macsText = (n) => `${compact(n)}${n < 1000 ? " " : ""}MACs`;
const bytes = (n) => compact(n, ["B", "kB", "MB", "GB", "TB"]);
const exact = (n) => n.toLocaleString("en");
const shapeText = (shape) => (shape ? shape.join(" × ") : "–");
const tightShape = (shape) => (shape ? shape.join("×") : "–");

function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : share > 0.995 ? 1 : 0)} %`;
}

const roughly = (share) => (share > 0 && share < 0.01 ? "<1 %" : `${Math.round(100 * share)} %`);

const chip = (kind) => make("span", { class: `arch-chip k-${kind}` }, kind);
const icon = (name) =>
  svg(
    "svg",
    { class: "arch-icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }),
  );

// -- flow: one slab a stage ----------------------------------------------------------

// How many stages stand in a row, and how many pixels one parameter (or MAC) is wide,
// so that the fullest row of all models fits.
function planFlow(models, scale, available) {
  const room = Math.max(3, Math.floor(available / NARROWEST));
  const perRow = (m) => Math.ceil((m.stages.length + 1) / Math.ceil((m.stages.length + 1) / room));
  const rows = models.flatMap((m) => inRows([null, ...m.stages], perRow(m)));
  const fits = (unit) =>
    rows.every((row) => row.reduce((sum, s) => sum + columnWidth(s, scale, unit), 0) <= available);
  const largest = Math.max(1, ...models.flatMap((m) => m.stages.map((s) => s[scale])));
  let low = 0;
  let high = 320 / largest;
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  const side = Math.max(...models.map((m) => Math.max(...m.input.slice(1))));
  return { perRow, unit: low, side, height: rows.length > models.length ? 92 : 122 };
}

function inRows(items, perRow) {
  const rows = [];
  for (let i = 0; i < items.length; i += perRow) rows.push(items.slice(i, i + perRow));
  return rows;
}

const slabWidth = (stage, scale, unit) => Math.max(THINNEST, stage[scale] * unit);
function columnWidth(stage, scale, unit) {
  if (!stage) return NARROWEST;
  return Math.max(NARROWEST, slabWidth(stage, scale, unit) + AIR + thickness(stage.channels));
}
const thickness = (channels) => 2 + 14 * Math.min(1, Math.log2(1 + channels) / 11);
const slabHeight = (side, plan) =>
  12 + (plan.height - 30) * Math.log2(1 + side) / Math.log2(1 + plan.side);

// A box in oblique view: front with bands for the kinds, top and side as deep as its channels.
function slab(width, height, deep, kind, bands) {
  const up = deep * 0.55;
  const box = svg("svg", {
    class: `arch-slab k-${kind}`,
    width: width + deep + 2,
    height: height + up + 2,
    viewBox: `-1 -1 ${width + deep + 2} ${height + up + 2}`,
    "aria-hidden": "true",
  });
  box.append(
    svg("path", { class: "top", d: `M0 ${up}L${deep} 0H${width + deep}L${width} ${up}Z` }),
    svg("path", {
      class: "side",
      d: `M${width} ${up}L${width + deep} 0V${height}L${width} ${height + up}Z`,
    }),
  );
  let y = up + height;
  for (const [name, share] of bands) {
    y -= share * height;
    box.append(svg("rect", { class: `band k-${name}`, x: 0, y, width, height: share * height }));
  }
  box.append(svg("path", { class: "edge", d: `M0 ${up}H${width}V${height + up}H0Z` }));
  return box;
}

function shares(mix, kind) {
  const entries = Object.entries(mix ?? {});
  const total = entries.reduce((sum, [, n]) => sum + n, 0);
  if (!total) return [[kind, 1]];
  return entries.sort((a, b) => b[1] - a[1]).map(([name, n]) => [name, n / total]);
}

// The part of a name that tells it from its neighbours: "denseblock1", but "features.1".
function lastPart(name, most) {
  const last = name.split(".").pop();
  return name.length <= most || /^\d+$/.test(last) ? name : last;
}

// A name that may break after "_" and ".", and before its number; anywhere if it must.
function stageName(name) {
  const parts = name.split(/(?<=[._])|(?<=[a-z])(?=\d+$)/);
  const long = parts.some((part) => part.length > LONG);
  return make(
    "span",
    { class: `arch-name${long ? " is-long" : ""}` },
    ...parts.flatMap((part, i) => (i ? [make("wbr"), part] : [part])),
  );
}

function inputColumn(m, plan) {
  const deep = thickness(m.input[0]);
  return make(
    "div",
    { class: "arch-stage arch-input", style: `width: ${NARROWEST}px` },
    make(
      "div",
      { class: "arch-pick" },
      make(
        "span",
        { class: "arch-slot", style: `height: ${plan.height}px` },
        slab(20, slabHeight(Math.max(...m.input.slice(1)), plan), deep, "image", [["image", 1]]),
      ),
      make("span", { class: "arch-name" }, "image"),
      make("span", { class: "arch-chip k-image" }, "input"),
      make("span", { class: "arch-shape" }, tightShape(m.input)),
    ),
  );
}

function stageWords(stage, m) {
  const share = percent(stage.params / m.params);
  const costs = `${exact(stage.params)} parameters (${share}), ${macsText(stage.macs)}`;
  return `${stage.name}, ${stage.kind}, output ${shapeText(stage.output)}, ${costs}`;
}

function stageColumn(stage, m, plan, scale, actions) {
  const width = columnWidth(stage, scale, plan.unit);
  const cost = scale === "params" ? compact(stage.params) : compact(stage.macs);
  const drawn = slab(
    slabWidth(stage, scale, plan.unit),
    slabHeight(stage.side, plan),
    thickness(stage.channels),
    stage.kind,
    shares(stage.mix?.[scale], stage.kind),
  );
  const pick = make(
    "button",
    {
      class: "arch-pick",
      type: "button",
      "aria-pressed": "false",
      "aria-label": stageWords(stage, m),
      title: stageWords(stage, m),
      onclick: () => actions.pick(stage),
    },
    make("span", { class: "arch-slot", style: `height: ${plan.height}px` }, drawn),
    stageName(lastPart(stage.name, width / 7)),
    chip(stage.kind),
    make(
      "span",
      { class: `arch-shape${tightShape(stage.output).length > 9 ? " is-long" : ""}` },
      tightShape(stage.output),
    ),
    make(
      "span",
      { class: "arch-cost" },
      cost,
      make("small", {}, ` ${roughly(stage[scale] / (m[scale] || 1))}`),
    ),
  );
  const node = make("div", { class: "arch-stage", style: `width: ${width}px` }, pick);
  let toggle = null;
  if (actions.freeze && stage.params) {
    toggle = make("button", {
      class: "arch-freeze",
      type: "button",
      onclick: () => actions.freeze(stage),
    });
    node.append(toggle);
  }
  return { stage, node, pick, toggle };
}

function paintFreeze(column, frozen) {
  column.node.classList.toggle("is-frozen", frozen);
  if (!column.toggle) return;
  column.toggle.setAttribute("aria-pressed", String(frozen));
  column.toggle.setAttribute("aria-label", `Freeze ${column.stage.name}`);
  column.toggle.title = frozen ? "Frozen: click to let it learn" : "Learns: click to freeze it";
  column.toggle.replaceChildren(icon(frozen ? "frozen" : "learns"), frozen ? "frozen" : "learns");
}

// What stands below the names keeps in line, though some names take two lines.
function evenNames(row) {
  const names = [...row.querySelectorAll(".arch-name")];
  const tallest = Math.max(...names.map((n) => n.offsetHeight));
  for (const name of names) name.style.minHeight = `${tallest}px`;
}

// One model's row of stages. Arrow keys walk along the slabs, and along the toggles.
function makeFlow(m, actions) {
  const node = make("div", {
    class: "arch-flow",
    role: "group",
    "aria-label": `Stages of ${m.name}`,
  });
  let columns = [];
  const draw = (plan, scale) => {
    columns = m.stages.map((stage) => stageColumn(stage, m, plan, scale, actions));
    const rows = inRows([inputColumn(m, plan), ...columns.map((c) => c.node)], plan.perRow(m));
    node.replaceChildren(
      ...rows.map((row) =>
        make("div", { class: "arch-row", style: `--axis: ${plan.height / 2}px` }, ...row)
      ),
    );
    for (const row of node.children) evenNames(row);
    rove(columns.map((c) => c.pick));
    rove(columns.map((c) => c.toggle).filter(Boolean));
  };
  const paint = (frozen, chosen) => {
    for (const column of columns) {
      paintFreeze(column, frozen.includes(column.stage.name));
      column.pick.setAttribute("aria-pressed", String(column.stage.name === chosen));
    }
  };
  return { node, draw, paint };
}

// -- tree ----------------------------------------------------------------------------

// The table by columns becomes nodes that know their parent and children.
function growTree(m) {
  const columns = m.tree;
  const names = Object.keys(columns);
  const open = [];
  const nodes = [];
  columns.id.forEach((_, i) => {
    const node = { children: [] };
    for (const name of names) node[name] = columns[name][i];
    open.length = node.depth;
    node.parent = open[node.depth - 1] ?? null;
    open[node.depth] = node;
    node.parent?.children.push(node);
    node.words = `${node.path} ${node.name} ${node.type} ${node.kind}`.toLowerCase();
    nodes.push(node);
  });
  return nodes;
}

function siblings(node, nodes) {
  return node.parent ? node.parent.children : nodes.filter((n) => !n.parent);
}

const nameOf = (node) => (node.depth ? node.name : lastPart(node.name, 15));

function costCell(n, share) {
  return make(
    "span",
    { class: "arch-num", style: `--share: ${(100 * share).toFixed(2)}%` },
    n ? compact(n) : make("i", {}, "–"),
  );
}

function makeRow(node, m, tops) {
  const group = siblings(node, tops);
  const label = make("span", { class: "arch-node-name" });
  const row = make(
    "div",
    {
      class: `arch-node${node.called ? "" : " is-idle"}`,
      role: "treeitem",
      tabindex: -1,
      "aria-level": node.depth + 1,
      "aria-selected": "false",
      "aria-posinset": group.indexOf(node) + 1,
      "aria-setsize": group.length,
      style: `--depth: ${node.depth}`,
      "aria-label": [
        node.name,
        node.type,
        node.kind,
        `output ${shapeText(node.output)}`,
        `${exact(node.params)} parameters`,
        macsText(node.macs),
      ].join(", "),
    },
    make(
      "span",
      { class: "arch-label" },
      make("span", { class: "arch-twist", "aria-hidden": "true" }),
      label,
      make("span", { class: "arch-type" }, node.type === node.name ? "" : node.type),
    ),
    chip(node.kind),
    make("span", { class: "arch-out" }, tightShape(node.output)),
    costCell(node.params, node.params / (m.params || 1)),
    costCell(node.macs, node.macs / (m.macs || 1)),
  );
  return { row, label };
}

function highlight(label, name, query) {
  const at = query ? name.toLowerCase().indexOf(query) : -1;
  if (at < 0) label.textContent = name;
  else {label.replaceChildren(
      name.slice(0, at),
      make("mark", {}, name.slice(at, at + query.length)),
      name.slice(at + query.length),
    );}
}

function makeTree(m, onselect) {
  const nodes = growTree(m);
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const tops = nodes.filter((n) => !n.parent);
  const expanded = new Set();
  const rows = new Map();
  const body = make("div", {
    class: "arch-tree",
    role: "tree",
    "aria-label": `Layers of ${m.name}`,
  });
  const head = make(
    "div",
    { class: "arch-node arch-tree-head", "aria-hidden": "true" },
    ...["Layer", "Kind", "Output", "Parameters", "MACs"].map((t) => make("span", {}, t)),
  );
  const scroller = make("div", { class: "arch-scroller" }, head, body);
  let shown = [];
  let active = tops[0];
  let query = "";
  let kinds = new Set();
  let typed = "";
  let typedAt = 0;

  const matches = (n) =>
    (!query || n.words.includes(query)) &&
    (!kinds.size ||
      (kinds.has(n.kind) && (!n.children.length || (n.depth > 0 && n.kind === "attention"))));
  const filtering = () => query !== "" || kinds.size > 0;
  const rowOf = (node) => {
    if (!rows.has(node)) {
      const made = makeRow(node, m, tops);
      highlight(made.label, nameOf(node), "");
      made.row.addEventListener("click", (event) => {
        if (
          node.children.length && !filtering() &&
          (/** @type {Element} */ (event.target).classList.contains("arch-twist") ||
            node === active)
        ) toggle(node);
        choose(node, { focus: true });
      });
      rows.set(node, made);
    }
    return rows.get(node);
  };

  function found() {
    const keep = new Set();
    for (const node of nodes) {
      if (matches(node)) {
        for (let n = node; n && !keep.has(n); n = n.parent) keep.add(n);
      }
    }
    return keep;
  }
  function visible() {
    if (filtering()) {
      const keep = found();
      return nodes.filter((n) => keep.has(n));
    }
    const list = [];
    const walk = (n) => {
      list.push(n);
      if (expanded.has(n)) n.children.forEach(walk);
    };
    tops.forEach(walk);
    return list;
  }
  function show() {
    shown = visible();
    const searching = filtering();
    for (const node of shown) {
      const { row, label } = rowOf(node);
      if (node.children.length) {
        row.setAttribute("aria-expanded", String(searching || expanded.has(node)));
      }
      if (query || label.firstElementChild) highlight(label, nameOf(node), query);
      row.classList.toggle("is-found", searching && matches(node));
    }
    holdingFocus(() => {
      body.replaceChildren(...shown.map((n) => rows.get(n).row));
      if (!shown.includes(active) && shown.length) mark(shown.find(matches) ?? shown[0]);
    });
    if (!shown.length) body.append(make("p", { class: "cw-quiet arch-none" }, "No layer matches."));
  }
  // Rows that are put in anew lose the focus: whoever walks by keyboard keeps it.
  function holdingFocus(change) {
    const held = body.contains(document.activeElement);
    change();
    if (held) rows.get(active).row.focus({ preventScroll: true });
  }
  function mark(node) {
    const before = rows.get(active)?.row;
    if (before) {
      before.tabIndex = -1;
      before.setAttribute("aria-selected", "false");
    }
    active = node;
    const { row } = rowOf(node);
    row.tabIndex = 0;
    row.setAttribute("aria-selected", "true");
  }
  function choose(node, { focus = false } = {}) {
    mark(node);
    if (focus) rows.get(node).row.focus({ preventScroll: true });
    reveal(rows.get(node).row);
    onselect(node);
  }
  // Only the tree scrolls, not the notebook.
  function reveal(row) {
    if (!row.isConnected) return;
    const here = row.getBoundingClientRect();
    const view = scroller.getBoundingClientRect();
    const over = here.top - view.top - head.offsetHeight - 1;
    const under = here.bottom - view.bottom + 1;
    if (over < 0) scroller.scrollTop += over;
    else if (under > 0) scroller.scrollTop += under;
  }
  function toggle(node, open = !expanded.has(node)) {
    if (open) expanded.add(node);
    else expanded.delete(node);
    show();
  }
  function open(node) {
    for (let n = node.parent; n; n = n.parent) expanded.add(n);
    if (node.children.length && node.depth === 0) expanded.add(node);
    holdingFocus(() => {
      show();
      choose(node);
    });
  }

  const keys = {
    ArrowDown: (i) => shown[i + 1],
    ArrowUp: (i) => shown[i - 1],
    Home: () => shown[0],
    End: () => shown[shown.length - 1],
    ArrowRight: (i, n) => {
      if (!n.children.length) return null;
      if (expanded.has(n) || filtering()) return shown[i + 1];
      toggle(n, true);
      return n;
    },
    ArrowLeft: (_i, n) => {
      if (expanded.has(n) && !filtering()) {
        toggle(n, false);
        return n;
      }
      return n.parent;
    },
    Enter: (_i, n) => {
      if (n.children.length && !filtering()) toggle(n);
      return n;
    },
    "*": (_i, n) => {
      siblings(n, tops).forEach((s) => s.children.length && expanded.add(s));
      show();
      return n;
    },
  };
  keys[" "] = keys.Enter;
  function typeAhead(key, i) {
    const now = performance.now();
    typed = now - typedAt < 700 ? typed + key.toLowerCase() : key.toLowerCase();
    typedAt = now;
    const from = typed.length > 1 ? i : i + 1;
    const order = [...shown.slice(from), ...shown.slice(0, from)];
    return order.find((n) => n.name.toLowerCase().startsWith(typed));
  }
  body.addEventListener("keydown", (event) => {
    const i = shown.indexOf(active);
    if (event.ctrlKey || event.metaKey || event.altKey || i < 0) return;
    const handler = keys[event.key];
    if (!handler && event.key.length !== 1) return;
    event.preventDefault();
    const next = handler ? handler(i, active) : typeAhead(event.key, i);
    if (next) choose(next, { focus: true });
  });

  const stages = tops.filter((n) => n.children.length);
  const firstLevel = tops.length + stages.reduce((sum, n) => sum + n.children.length, 0);
  for (const node of firstLevel <= FEW ? stages : stages.slice(0, 1)) expanded.add(node);
  show();
  mark(tops[0]);
  return {
    node: scroller,
    search: (text, chosen) => {
      query = text.trim().toLowerCase();
      kinds = chosen;
      show();
      scroller.scrollTop = 0;
      return filtering() ? nodes.filter(matches).length : null;
    },
    expandAll: (all) => {
      expanded.clear();
      if (all) nodes.forEach((n) => n.children.length && expanded.add(n));
      show();
      if (active && rows.get(active)?.row.isConnected) reveal(rows.get(active).row);
    },
    select: (id) => {
      const node = byId.get(id);
      if (node && node !== active) open(node);
    },
    open: (id) => {
      const node = byId.get(id);
      if (node) open(node);
    },
    focusFirst: () => {
      const first = shown.find(matches) ?? shown[0];
      if (first) choose(first, { focus: true });
    },
    active: () => active,
    freeze: (frozen) =>
      tops.forEach((n) => rowOf(n).row.classList.toggle("is-frozen", frozen.includes(n.stage))),
  };
}

// -- details -------------------------------------------------------------------------

function mixBar(entries, label) {
  const bar = make("div", {
    class: "arch-mix",
    role: "img",
    "aria-label": `${label}: ${entries.map(([k, s]) => `${k} ${percent(s)}`).join(", ")}`,
  });
  bar.append(
    ...entries.map(([kind, share]) =>
      make("span", {
        class: `k-${kind}`,
        style: `flex-grow: ${share}`,
        title: `${kind} ${percent(share)}`,
      }, share > 0.14 ? kind : "")
    ),
  );
  return bar;
}

function learnWords(node, frozen, atFirst) {
  if (!node.params) return "nothing to learn";
  if (frozen.includes(node.stage)) return "no, frozen";
  const own = atFirst.includes(node.stage) ? "all" : node.trainable;
  return { all: "yes", no: "no", partly: "partly" }[own] ?? "yes";
}

function shareCell(n, total, text) {
  return make(
    "dd",
    {},
    text,
    n ? make("small", { title: "of the whole model" }, `  ${percent(n / (total || 1))}`) : "",
    make(
      "span",
      { class: "arch-meter", "aria-hidden": "true" },
      make("span", { style: `width: ${(100 * n) / (total || 1)}%` }),
    ),
  );
}

function describeNode(node, m, frozen, atFirst) {
  const rows = [
    ["Input", make("dd", {}, shapeText(node.input))],
    ["Output", make("dd", {}, shapeText(node.output))],
    ["Parameters", shareCell(node.params, m.params, exact(node.params))],
    ["MACs", shareCell(node.macs, m.macs, compact(node.macs))],
    [
      "Activations*",
      shareCell(node.activation_bytes, m.activation_bytes, bytes(node.activation_bytes)),
    ],
    ["Learns", make("dd", {}, learnWords(node, frozen, atFirst))],
  ];
  if (node.children.length) rows.push(["Holds", make("dd", {}, `${node.layers} layers`)]);
  if (!node.called) rows.push(["Called", make("dd", {}, "not in eval mode")]);
  if (node.shared) {
    rows.push(["Shared", make("dd", {}, "parameters used at several places, counted once")]);
  }
  const note = make("p", { class: "arch-note" }, "* what its layers put out for one image");
  const list = make(
    "dl",
    { class: "arch-facts" },
    ...rows.flatMap(([term, value]) => [make("dt", {}, term), value]),
  );
  return [list, note];
}

// -- numbers of training -------------------------------------------------------------

const total = (parts) => Object.values(parts).reduce((sum, n) => sum + n, 0);

function memoryBar(label, sums, largest, parts) {
  const words = Object.entries(parts).map(([key, name]) => `${name} ${bytes(sums[key])}`).join(
    ", ",
  );
  const bar = make("div", {
    class: "arch-stack",
    role: "img",
    "aria-label": `${label}: ${bytes(total(sums))}. ${words}`,
  });
  bar.append(
    ...Object.keys(parts).map((key) =>
      make("span", {
        class: `m-${key}`,
        style: `width: ${(100 * sums[key]) / largest}%`,
        title: `${parts[key]} ${bytes(sums[key])}`,
      })
    ),
  );
  return [
    make("span", { class: "arch-memory-name" }, label),
    bar,
    make("span", { class: "arch-memory-total" }, bytes(total(sums))),
  ];
}

function memoryTable(parts, now, of) {
  return make(
    "ul",
    { class: "arch-parts", "aria-label": of ? `Memory of ${of}` : null },
    of && make("li", { class: "cw-quiet" }, `${of}:`),
    ...Object.entries(parts).map(([key, name]) =>
      make(
        "li",
        {},
        make("span", { class: `arch-dot m-${key}`, "aria-hidden": "true" }),
        name,
        make("b", {}, bytes(now[key])),
      )
    ),
  );
}

// -- comparison ----------------------------------------------------------------------

function ratio(a, b) {
  if (!a || !b) return "–";
  const r = b / a;
  return r >= 0.995 && r <= 1.005 ? "same" : `× ${r >= 10 ? r.toFixed(0) : r.toFixed(2)}`;
}

function compareRows(a, b, full) {
  const number = (name, key, text) => [name, text(a[key]), text(b[key]), ratio(a[key], b[key])];
  const known = (name, key, text) => {
    if (!a.facts[key] && !b.facts[key]) return [];
    const cells = [a, b].map((m) => (m.facts[key] ? text(m.facts[key]) : "–"));
    return [[name, ...cells, ""]];
  };
  return [
    ...known("Year", "year", String),
    ...known("Top-1 on ImageNet", "top1", (n) => `${n.toFixed(1)} %`),
    ["Input", shapeText(a.input), shapeText(b.input), ""],
    number("Parameters", "params", exact),
    number("Compute for one image", "macs", macsText),
    number("Layers", "layers", exact),
    number("Activations of one image", "activation_bytes", bytes),
    [
      "Memory to train all of it",
      bytes(total(full[0])),
      bytes(total(full[1])),
      ratio(total(full[0]), total(full[1])),
    ],
  ];
}

function compareTable(a, b, full) {
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, ""),
    ...[a.name, b.name, "ratio"].map((t) => make("th", { scope: "col" }, t)),
  );
  const rows = compareRows(a, b, full).map(([name, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((c) => make("td", {}, c)))
  );
  return make(
    "table",
    { class: "arch-compare" },
    make("caption", { class: "cw-sr" }, `${a.name} and ${b.name}`),
    make("thead", {}, head),
    make("tbody", {}, ...rows),
  );
}

// -- the widget ----------------------------------------------------------------------

function makeHeader(models) {
  const tile = (name, value, note) =>
    make(
      "div",
      { class: "arch-tile" },
      make("dt", {}, name),
      make("dd", {}, value, note ? make("small", {}, note) : ""),
    );
  const [m] = models;
  const learns = make("span", {});
  const share = make("small", {});
  const idea = [m.facts.family, m.facts.year].filter(Boolean).join(", ");
  const lead = make(
    "div",
    { class: "arch-lead" },
    make(
      "h3",
      { class: "arch-title" },
      m.name,
      models[1] ? make("span", {}, ` and ${models[1].name}`) : "",
    ),
  );
  if (idea) {
    lead.append(make("p", { class: "arch-idea" }, make("b", {}, `${idea}. `), m.facts.idea ?? ""));
  }
  if (models[1]?.facts.family) {
    lead.append(
      make(
        "p",
        { class: "arch-idea" },
        make("b", {}, `${models[1].facts.family}, ${models[1].facts.year}. `),
        models[1].facts.idea ?? "",
      ),
    );
  }
  const totals = models[1] ? [] : [
    tile("Parameters", compact(m.params)),
    tile("Compute", compact(m.macs), "MACs"),
    tile("Input", shapeText(m.input)),
    m.facts.top1 ? tile("Top-1", `${m.facts.top1.toFixed(1)} %`) : "",
  ];
  const tiles = make(
    "dl",
    { class: "arch-tiles" },
    ...totals,
    make(
      "div",
      { class: "arch-tile arch-learns" },
      make("dt", {}, models[1] ? `${m.name} learns` : "Learns"),
      make("dd", { "aria-live": "polite" }, learns, share),
    ),
  );
  return {
    node: make("header", { class: "arch-head" }, lead, tiles),
    learn: (n) => {
      learns.textContent = compact(n);
      learns.title = exact(n);
      share.textContent = percent(n / (m.params || 1));
    },
  };
}

function makeLegend(m, models, scale, onchange) {
  const chosen = new Set();
  const sums = {};
  for (const stage of m.stages) {
    for (const [kind, n] of Object.entries(stage.mix?.[scale] ?? { [stage.kind]: stage[scale] })) {
      sums[kind] = (sums[kind] ?? 0) + n;
    }
  }
  const present = new Set(
    models.flatMap((one) =>
      one.tree.kind.filter((kind, i) =>
        kind === "attention" || !(one.tree.depth[i + 1] > one.tree.depth[i])
      )
    ),
  );
  const order = shares(sums, "other").filter(([, share]) => share > 0);
  const bare = [...present].filter((kind) => !order.some(([k]) => k === kind));
  const buttons = [...order, ...bare.map((kind) => [kind, 0])].map(([kind, share]) => {
    const button = make(
      "button",
      {
        type: "button",
        class: `arch-key k-${kind}`,
        "aria-pressed": "false",
        title: `Show only ${kind} layers in the tree`,
        onclick: () => {
          if (chosen.has(kind)) chosen.delete(kind);
          else chosen.add(kind);
          button.setAttribute("aria-pressed", String(chosen.has(kind)));
          onchange(chosen);
        },
      },
      make("span", { class: `arch-swatch k-${kind}`, "aria-hidden": "true" }),
      kind,
      make("small", {}, share ? ` ${percent(share)}` : ""),
    );
    return button;
  });
  return make(
    "div",
    {
      class: "arch-legend",
      role: "group",
      "aria-label": "Kinds of layers: choose which the tree shows",
    },
    models[1] ? make("span", { class: "cw-quiet" }, `${m.name}:`) : "",
    ...buttons,
  );
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const models = model.get("models");
  const kinds = model.get("kinds");
  const parts = model.get("parts");
  const box = frame(el, `Architecture of ${models.map((m) => m.name).join(" and ")}`);
  box.classList.add("cw-arch");
  const get = (name) => model.get(name);
  const first = models[0];
  const atFirst = get("training").at_first;
  const header = makeHeader(models);
  const code = makeCodePanel(model);
  let saving = 0;
  let drawn = 0;
  let legendKinds = new Set();

  // stages
  const setFrozen = (names) =>
    send(model, { frozen: first.stages.map((s) => s.name).filter((n) => names.includes(n)) });
  const toggleFrozen = (stage) =>
    setFrozen(
      get("frozen").includes(stage.name)
        ? get("frozen").filter((n) => n !== stage.name)
        : [...get("frozen"), stage.name],
    );
  const flows = models.map((m, i) =>
    makeFlow(m, {
      freeze: i === 0 ? toggleFrozen : null,
      pick: (stage) => {
        showModel(i);
        trees[i].open(stage.id);
      },
    })
  );
  const names = first.stages.map((s) => s.name);
  const withParams = first.stages.filter((s) => s.params).map((s) => s.name);
  const scaleSwitch = makeSwitch(
    "Width of the blocks",
    [{ value: "params", label: "Parameters" }, { value: "macs", label: "MACs" }],
    get("scale"),
    (scale) => send(model, { scale }),
  );
  const plain = (text, action) =>
    make("button", { class: "cw-button", type: "button", onclick: action }, text);
  const tools = make(
    "div",
    { class: "arch-tools" },
    make("span", { class: "cw-quiet" }, "Width by"),
    scaleSwitch.node,
    make("span", { class: "arch-gap" }),
    plain(
      "Freeze all but head",
      () => setFrozen(withParams.filter((n) => n !== names[names.length - 1])),
    ),
    plain("Unfreeze all", () => setFrozen([])),
    code.button,
  );
  const stagesBox = make(
    "section",
    { class: "arch-flows", "aria-label": "Stages" },
    ...flows.map((flow, i) =>
      make(
        "div",
        {},
        models[1]
          ? make(
            "h4",
            { class: "arch-sub" },
            models[i].name,
            make(
              "small",
              {},
              `${compact(models[i].params)} parameters, ${compact(models[i].macs)} MACs`,
            ),
          )
          : "",
        flow.node,
      )
    ),
  );
  const compared = make("div", { class: "arch-compare-box" });
  const legend = make("div", {});

  // tree and details
  const details = make("section", { class: "arch-details", "aria-label": "Details" });
  const select = (i) => (node) => {
    if (i !== get("shown")) return;
    if (saving || node.id !== get("selected")) {
      clearTimeout(saving);
      saving = setTimeout(() => {
        saving = 0;
        send(model, { selected: node.id });
      }, 120);
    }
    paintChosen();
  };
  const trees = models.map((m, i) => makeTree(m, (node) => select(i)(node)));
  const search = make("input", {
    type: "search",
    class: "arch-search",
    placeholder: "Search: conv1, ReLU …",
    "aria-label": "Search layers",
    oninput: () => find(),
    onkeydown: (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        tree().focusFirst();
      }
      if (event.key === "Escape" && search.value) {
        search.value = "";
        find();
      }
    },
  });
  const counted = make("span", { class: "cw-quiet arch-count", role: "status" });
  const which = models[1]
    ? makeSwitch(
      "Model in the tree",
      models.map((m, i) => ({ value: String(i), label: m.name })),
      String(get("shown")),
      (i) => showModel(Number(i)),
    )
    : null;
  const treeSlot = make("div", { class: "arch-tree-slot" });
  const explorer = make(
    "div",
    { class: "arch-body" },
    make(
      "section",
      { class: "arch-layers", "aria-label": "Layers" },
      which ? make("div", { class: "arch-which" }, which.node) : "",
      make(
        "div",
        { class: "arch-tools" },
        search,
        counted,
        make("span", { class: "arch-gap" }),
        plain("Expand all", () => tree().expandAll(true)),
        plain("Collapse", () => tree().expandAll(false)),
      ),
      treeSlot,
    ),
    details,
  );
  const tree = () => trees[get("shown")];

  function find() {
    const count = tree().search(search.value, legendKinds);
    counted.textContent = count === null ? "" : `${count} found`;
  }
  function showModel(i) {
    if (get("shown") !== i) {
      model.set("shown", i);
      model.save_changes();
    }
    which?.set(String(i));
    if (treeSlot.firstChild !== trees[i].node) {
      treeSlot.replaceChildren(trees[i].node);
      legendKinds = new Set();
      paintLegend();
      find();
      paintChosen();
    }
  }

  // training
  const batch = make("input", {
    type: "number",
    min: 1,
    max: MOST_PICTURES,
    value: get("batch_size"),
    "aria-label": "Batch size",
    class: "arch-batch",
    onchange: () => {
      const n = Math.round(Number(batch.value));
      const fits = n >= 1 && n <= MOST_PICTURES;
      refused.textContent = fits
        ? ""
        : `A batch has 1 to ${exact(MOST_PICTURES)} pictures; it stays at ${get("batch_size")}.`;
      if (fits) send(model, { batch_size: n });
      else batch.value = get("batch_size");
    },
  });
  const refused = make("p", { class: "cw-quiet", role: "status" });
  const optimizer = makeSwitch(
    "Optimizer",
    Object.entries(get("optimizers")).map(([value, label]) => ({ value, label })),
    get("optimizer"),
    (name) => send(model, { optimizer: name }),
  );
  const bars = make("div", { class: "arch-memory" });
  const partList = make("div", {});
  const sum = make("p", { class: "arch-sum", "aria-live": "polite" });
  const training = make(
    "section",
    { class: "arch-training", "aria-label": "Memory of training" },
    make(
      "div",
      { class: "arch-tools" },
      make("h4", { class: "arch-sub" }, "Memory of a training step"),
      make("span", { class: "arch-gap" }),
      make("label", { class: "arch-batch-label" }, "Batch ", batch),
      optimizer.node,
    ),
    refused,
    bars,
    partList,
    sum,
  );

  function trainable() {
    const known = get("training");
    const frozen = get("frozen");
    if (String(known.frozen) === String(frozen)) return known.trainable;
    return first.stages.reduce((n, s) => n + (frozen.includes(s.name) ? 0 : s.params), 0);
  }
  function paintTraining() {
    const t = get("training");
    const now = t.now;
    const all = [now, ...t.full];
    const largest = Math.max(...all.map(total), 1);
    const stale = String(t.frozen) !== String(get("frozen")) ||
      t.batch_size !== get("batch_size") || t.optimizer !== get("optimizer");
    training.classList.toggle("is-stale", stale);
    const rows = get("frozen").length
      ? memoryBar(
        models[1] ? `${first.name}, frozen as shown` : "frozen as shown",
        now,
        largest,
        parts,
      )
      : [];
    t.full.forEach((sums, i) =>
      rows.push(
        ...memoryBar(
          models[1] ? `${models[i].name}, all learns` : "nothing frozen",
          sums,
          largest,
          parts,
        ),
      )
    );
    bars.replaceChildren(...rows);
    partList.replaceChildren(memoryTable(parts, now, models[1] ? first.name : ""));
    const saved = 1 - total(now) / total(t.full[0]);
    sum.textContent = saved > 0.004
      ? `Freezing saves ${percent(saved)}: no gradients and no optimizer state for what is ` +
        "frozen, and nothing is kept before the first stage that learns."
      : "";
    sum.hidden = !sum.textContent;
    if (models[1]) compared.replaceChildren(compareTable(models[0], models[1], t.full));
  }
  function paintChosen() {
    const i = get("shown");
    const node = trees[i].active();
    const m = models[i];
    const frozen = i === 0 ? get("frozen") : [];
    flows.forEach((flow, k) =>
      flow.paint(k === 0 ? get("frozen") : [], k === i ? node.stage : null)
    );
    const extra = [];
    if (node.settings) {
      extra.push(make("code", { class: "arch-settings" }, `${node.type}(${node.settings})`));
    }
    for (const [measure, label] of [["params", "Parameters by kind"], ["macs", "MACs by kind"]]) {
      if (node[measure] && Object.keys(node.mix?.[measure] ?? {}).length > 1) {
        extra.push(
          make("p", { class: "arch-mini" }, label),
          mixBar(shares(node.mix[measure], node.kind), label),
        );
      }
    }
    const at = names.indexOf(node.stage);
    if (i === 0 && node.depth === 0 && at > 0) {
      extra.push(
        plain(
          "Freeze all before it",
          () => setFrozen(withParams.filter((n) => names.indexOf(n) < at)),
        ),
      );
    }
    details.replaceChildren(
      make(
        "h4",
        { class: "arch-detail-name" },
        node.depth ? node.name : node.stage,
        chip(node.kind),
      ),
      make(
        "p",
        { class: "arch-path" },
        node.depth ? node.path || "the model's own parameters" : "a stage",
        node.type !== node.name ? ` · ${node.type}` : "",
      ),
      ...describeNode(node, m, frozen, atFirst),
      ...extra,
      make("p", { class: "arch-why" }, kinds[node.kind]),
    );
  }
  function paintFrozen() {
    header.learn(trainable());
    trees[0].freeze(get("frozen"));
    paintChosen();
    paintTraining();
  }
  function paintLegend() {
    legend.replaceChildren(makeLegend(models[get("shown")], models, get("scale"), (chosen) => {
      legendKinds = chosen;
      find();
    }));
  }
  function drawFlows() {
    drawn = stagesBox.clientWidth || 700;
    const plan = planFlow(models, get("scale"), drawn - ARROW);
    flows.forEach((flow) => flow.draw(plan, get("scale")));
    paintChosen();
  }

  box.append(header.node, tools, code.panel, stagesBox, legend, compared, explorer, training);
  treeSlot.append(tree().node);
  code.paint();
  paintLegend();
  drawFlows();
  paintFrozen();
  if (get("selected")) tree().select(get("selected"));
  const resized = new ResizeObserver(() => {
    if (stagesBox.clientWidth && Math.abs(stagesBox.clientWidth - drawn) > 1) {
      requestAnimationFrame(drawFlows);
    }
  });
  resized.observe(stagesBox);
  const stops = [
    follow(model, ["frozen", "training"], paintFrozen),
    follow(model, ["code"], code.paint),
    follow(model, ["scale"], () => {
      scaleSwitch.set(get("scale"));
      paintLegend();
      drawFlows();
    }),
    // An answer to an older choice must not undo one that waits to be sent.
    follow(model, ["selected"], () => saving || tree().select(get("selected"))),
    follow(model, ["shown"], () => showModel(get("shown"))),
    follow(model, ["batch_size", "optimizer"], () => {
      batch.value = get("batch_size");
      optimizer.set(get("optimizer"));
      paintTraining();
    }),
  ];
  return () => {
    resized.disconnect();
    clearTimeout(saving);
    stops.forEach((stop) => stop());
  };
}

export default { render };
