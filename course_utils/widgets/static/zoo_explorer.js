// @ts-check
import { follow, frame, gap, make, makeSwitch, plural, send, svg } from "./base.js";

// -- figures ------------------------------------------------------------------------

function digits(value, places) {
  return value.toLocaleString("en", {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  });
}

// Three digits that count: 0.82, 25.6, 1,016.
function short(value) {
  if (gap(value)) return "–";
  return digits(value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

const percent = (value) => (gap(value) ? "–" : digits(value, 1));
const plainWeights = (name) => name.replace("IMAGENET1K_", "").replaceAll("_", " ");

// -- groups: each has a colour (in the styles), a mark and a name --------------------

const MARKS = {
  "Early networks": "M-4.6-4.6H4.6V4.6H-4.6Z",
  "Residual": "M5.2 0A5.2 5.2 0 1 1-5.2 0A5.2 5.2 0 1 1 5.2 0Z",
  "Small and searched": "M0-6.2L5.9 4.2H-5.9Z",
  "Modern convolution": "M0-6.6L5.4 0L0 6.6L-5.4 0Z",
  "Transformer": "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
  "Hybrid": "M0 6.2L5.9-4.2H-5.9Z",
  "Other": "M-3-5.2H3L6 0L3 5.2H-3L-6 0Z",
};
const GROUPS = Object.keys(MARKS);
const groupClass = (group) => `g-${GROUPS.indexOf(group)}`;

function swatch(group) {
  return svg("svg", {
    class: `zoo-swatch ${groupClass(group)}`,
    viewBox: "-8 -8 16 16",
    "aria-hidden": "true",
  }, svg("path", { d: MARKS[group] }));
}

// -- what is shown -------------------------------------------------------------------

// The rows with their place in the table and their group.
function prepare(model) {
  const families = model.get("families");
  const rows = model.get("rows").map((row, id) => {
    const group = families[row.family]?.group ?? "Other";
    return {
      ...row,
      id,
      group,
      text: `${row.architecture} ${row.weights} ${row.family} ${group}`.toLowerCase(),
    };
  });
  return { rows, families, best: new Set(model.get("best")) };
}

function isShown(row, zoo, model) {
  const family = model.get("family");
  const words = model.get("filter_text").toLowerCase().split(/\s+/).filter(Boolean);
  return (!model.get("best_only") || zoo.best.has(row.id)) &&
    (!family || row.family === family || row.group === family) &&
    words.every((word) => row.text.includes(word));
}

function frontIds(model) {
  return model.get("fronts")[model.get("cost")][model.get("best_only") ? "best" : "all"];
}

function sorted(rows, key, descending) {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = a[key];
    const y = b[key];
    // what is not known stays below
    if (gap(x) || gap(y)) return Number(gap(x)) - Number(gap(y)) || a.id - b.id;
    if (x === y) return a.id - b.id;
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

// -- chart ---------------------------------------------------------------------------

const EDGE = { top: 32, right: 18, bottom: 48, left: 36 };

function logTicks(low, high, width) {
  const steps = Math.log10(high / low) * 3 > width / 42 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= low && value <= high) ticks.push(value);
    }
  }
  return ticks;
}

function scales(rows, cost, gain, width, height) {
  const costs = rows.map((row) => row[cost]);
  const gains = rows.map((row) => row[gain]);
  const low = Math.min(...costs) / 1.3;
  const high = Math.max(...costs) * 1.25;
  const floor = Math.floor((Math.min(...gains) - 1) / 5) * 5;
  const ceil = Math.min(100, Math.ceil((Math.max(...gains) + 0.8) / 5) * 5);
  const across = width - EDGE.left - EDGE.right;
  const up = height - EDGE.top - EDGE.bottom;
  return {
    x: (value) => EDGE.left + (Math.log(value / low) / Math.log(high / low)) * across,
    y: (value) => EDGE.top + (1 - (value - floor) / (ceil - floor)) * up,
    xTicks: logTicks(low, high, across),
    yTicks: Array.from({ length: Math.round((ceil - floor) / 5) + 1 }, (_, i) => floor + 5 * i),
    right: width - EDGE.right,
    bottom: height - EDGE.bottom,
  };
}

function drawAxes(canvas, scale, xTitle, yTitle) {
  for (const tick of scale.yTicks) {
    const y = Math.round(scale.y(tick)) + 0.5;
    canvas.append(
      svg("path", { class: "grid", d: `M${EDGE.left} ${y}H${scale.right}` }),
      svg(
        "text",
        { class: "tick", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" },
        String(tick),
      ),
    );
  }
  for (const tick of scale.xTicks) {
    const x = Math.round(scale.x(tick)) + 0.5;
    const text = tick.toLocaleString("en", { maximumFractionDigits: 3 });
    canvas.append(
      svg("path", { class: "grid", d: `M${x} ${EDGE.top}V${scale.bottom}` }),
      svg("path", { class: "axis", d: `M${x} ${scale.bottom}v5` }),
      svg("text", { class: "tick", x, y: scale.bottom + 18, "text-anchor": "middle" }, text),
    );
  }
  canvas.append(
    svg("path", { class: "axis", d: `M${EDGE.left} ${scale.bottom + 0.5}H${scale.right}` }),
    svg("text", { class: "axis-title", x: 2, y: 14 }, `↑ ${yTitle}`),
    svg(
      "text",
      { class: "axis-title", x: scale.right, y: scale.bottom + 40, "text-anchor": "end" },
      `${xTitle}, log scale →`,
    ),
  );
}

// The most that can be had for a cost: flat until the next model of the front.
function frontPath(front, scale, cost, gain) {
  const x = (row) => scale.x(row[cost]).toFixed(1);
  const steps = front.map((row) => `H${x(row)}V${scale.y(row[gain]).toFixed(1)}`).join("");
  const line = `M${x(front[0])} ${scale.bottom}${steps}H${scale.right}`;
  return { line, area: `${line}V${scale.bottom}Z` };
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// Names stand to the upper left, where no model is; those that would collide stay away.
function placeLabels(wanted, points, limits) {
  const taken = points.map((p) => ({ x: p.x - 5, y: p.y - 5, w: 10, h: 10 }));
  const placed = [];
  for (const { row, x, y, must } of wanted) {
    const w = row.architecture.length * (must ? 6.7 : 6) + 4;
    const h = 13;
    const places = [[x - w - 6, y - h - 3], [x - w - 9, y - h / 2 - 1], [x - w / 2, y - h - 8], [
      x - w - 3,
      y - h - 12,
    ]];
    if (must) {
      places.push([x + 12, y - h / 2], [x + 8, y + 6], [x - w - 8, y + 6], [x - w / 2, y + 12]);
    }
    const inside = (box) => box.x > limits.left && box.x + w < limits.right && box.y > limits.top;
    const boxes = places.map(([left, top]) => ({ x: left, y: top, w, h })).filter(inside);
    const box = boxes.find((b) => !taken.some((other) => overlap(b, other))) ?? (must && boxes[0]);
    if (!box) continue;
    taken.push(box);
    placed.push({ row, box });
  }
  return placed;
}

function pointLabel(row, model, onFront) {
  const cost = model.get("cost");
  const unit = model.get("costs")[cost].unit;
  const figures = `${percent(row[model.get("gain")])} % for ${short(row[cost])} ${unit}`;
  return `${row.architecture}, ${row.weights}: ${figures}${onFront ? ", on the Pareto front" : ""}`;
}

class Chart {
  constructor(model, zoo, actions) {
    this.model = model;
    this.zoo = zoo;
    this.actions = actions;
    this.points = [];
    this.order = [];
    this.nodes = new Map();
    this.tip = make("div", { class: "zoo-tip", hidden: true, "aria-hidden": "true" });
    this.holder = make("div", { class: "zoo-canvas" });
    this.node = make("div", { class: "zoo-chart" }, this.holder, this.tip);
    this.holder.addEventListener("pointermove", (event) => this.hover(this.nearest(event)));
    this.holder.addEventListener("pointerleave", () => this.hover(null));
    this.holder.addEventListener("click", (event) => {
      const point = this.nearest(event);
      if (point) actions.choose(point.row);
    });
    this.holder.addEventListener("keydown", (event) => this.key(event));
  }

  draw() {
    const { model, zoo } = this;
    const cost = model.get("cost");
    const gain = model.get("gain");
    const hadFocus = this.holder.contains(document.activeElement);
    const focused = this.focused;
    const rows = zoo.rows.filter((row) =>
      !gap(row[cost]) && !gap(row[gain]) && (!model.get("best_only") || zoo.best.has(row.id))
    );
    const onFront = new Set(frontIds(model));
    this.width = this.holder.clientWidth || 640;
    this.height = Math.round(Math.min(460, Math.max(370, this.width * 0.7)));
    const scale = scales(rows, cost, gain, this.width, this.height);
    this.points = rows.map((row) => ({
      row,
      x: scale.x(row[cost]),
      y: scale.y(row[gain]),
      shown: isShown(row, zoo, model),
      front: onFront.has(row.id),
    }));
    this.order = this.points.filter((p) => p.shown).sort((a, b) => a.x - b.x || b.y - a.y);
    this.holder.replaceChildren(this.drawCanvas(scale));
    this.mark();
    this.rove(
      this.order.find((p) => p.row.id === focused) ?? this.chosen() ?? this.order[0],
      hadFocus,
    );
  }

  drawCanvas(scale) {
    const { model, width, height } = this;
    const cost = model.get("cost");
    const axis = model.get("costs")[cost].axis;
    const title = model.get("gain_label");
    const canvas = svg("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": `${title} against ${axis}; arrow keys move from model to model`,
    });
    drawAxes(canvas, scale, axis, title);
    const path = frontPath(
      frontIds(model).map((id) => this.zoo.rows[id]),
      scale,
      cost,
      model.get("gain"),
    );
    canvas.append(
      svg("path", { class: "front-area", d: path.area }),
      svg("path", { class: "front", d: path.line }),
    );
    this.nodes = new Map();
    const layer = (p) => (p.shown ? 1 + p.front : 0);
    const layered = [...this.points].sort((a, b) => layer(a) - layer(b));
    this.labels = svg("g", { class: "labels", "aria-hidden": "true" });
    this.ring = svg("circle", { class: "ring", r: 11 });
    this.echo = svg("circle", { class: "echo", r: 10, visibility: "hidden" });
    canvas.append(
      ...layered.map((point) => this.drawPoint(point)),
      this.labels,
      this.echo,
      this.ring,
    );
    return canvas;
  }

  drawPoint(point) {
    const { row, shown, front } = point;
    const node = svg("g", {
      class: `point ${groupClass(row.group)}${front ? " on-front" : ""}${shown ? "" : " faded"}`,
      transform: `translate(${point.x.toFixed(1)} ${point.y.toFixed(1)})`,
    }, svg("path", { d: MARKS[row.group] }));
    if (!shown) return node;
    for (
      const [name, value] of Object.entries({
        role: "button",
        tabindex: -1,
        "data-id": row.id,
        "aria-label": pointLabel(row, this.model, front),
      })
    ) {
      node.setAttribute(name, value);
    }
    node.addEventListener("focus", () => {
      this.focused = row.id;
      this.hover(point);
    });
    node.addEventListener("blur", () => this.hover(null));
    this.nodes.set(row.id, node);
    return node;
  }

  chosen() {
    const row = this.actions.selectedRow();
    return row && this.points.find((p) => p.row.id === row.id);
  }

  // Shows which model is chosen, and names models of the front.
  mark() {
    const chosen = this.chosen();
    this.ring.setAttribute("visibility", chosen ? "visible" : "hidden");
    if (chosen) this.ring.setAttribute("transform", `translate(${chosen.x} ${chosen.y})`);
    for (const [id, node] of this.nodes) {
      node.setAttribute("aria-pressed", String(chosen?.row.id === id));
    }
    const front = this.points.filter((p) => p.front && p.shown && p !== chosen).sort((a, b) =>
      a.x - b.x
    );
    const ends = [...new Set([front[front.length - 1], front[0], ...front])].filter(Boolean);
    const wanted = chosen ? [{ ...chosen, must: true }, ...ends] : ends;
    const limits = { left: EDGE.left, right: this.width - 4, top: EDGE.top - 12 };
    const labels = placeLabels(wanted, this.points.filter((p) => p.shown), limits);
    this.labels.replaceChildren(
      ...labels.map(({ row, box }) =>
        svg("text", {
          class: row.id === chosen?.row.id ? "is-chosen" : "",
          x: box.x + 2,
          y: box.y + 10.5,
        }, row.architecture)
      ),
    );
  }

  nearest(event) {
    const box = this.holder.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    let best = null;
    let least = 22;
    for (const point of this.order) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < least) {
        least = distance;
        best = point;
      }
    }
    return best;
  }

  hover(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.holder.style.cursor = point ? "pointer" : "";
    this.actions.echoRow(point?.row ?? null);
    this.echoPoint(point?.row ?? null);
    this.tip.hidden = !point;
    if (point) this.showTip(point);
  }

  showTip(point) {
    const { row } = point;
    const { model } = this;
    const figures = Object.entries(model.get("costs")).map(([name, { unit }]) =>
      make(
        "span",
        { class: name === model.get("cost") ? "now" : "" },
        `${short(row[name])} ${unit}`,
      )
    );
    const family = row.family ? `${row.family}, ${row.year}` : "";
    this.tip.replaceChildren(
      make(
        "div",
        { class: "zoo-tip-name" },
        swatch(row.group),
        make("b", {}, row.architecture),
        make("small", {}, family),
      ),
      make(
        "div",
        { class: "zoo-tip-gain" },
        make("b", {}, `${percent(row[model.get("gain")])} %`),
        make("small", {}, row.weights),
      ),
      make("div", { class: "zoo-tip-costs" }, ...figures),
    );
    const w = this.tip.offsetWidth;
    const h = this.tip.offsetHeight;
    const left = Math.min(Math.max(4, point.x - w / 2), this.width - w - 4);
    const top = point.y - h - 15 > -8 ? point.y - h - 15 : point.y + 17;
    this.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  echoPoint(row) {
    const point = row && this.points.find((p) => p.row.id === row.id);
    this.echo?.setAttribute("visibility", point ? "visible" : "hidden");
    if (point) this.echo.setAttribute("transform", `translate(${point.x} ${point.y})`);
  }

  rove(point, focus) {
    for (const node of this.nodes.values()) node.setAttribute("tabindex", -1);
    const node = point && this.nodes.get(point.row.id);
    node?.setAttribute("tabindex", 0);
    if (focus) node?.focus({ preventScroll: true });
  }

  // Left and right move by cost, up and down by accuracy.
  key(event) {
    const at = this.order.findIndex((p) => p.row.id === Number(event.target.dataset?.id ?? -1));
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.actions.choose(this.order[at].row);
      return;
    }
    if (event.key === "Escape") {
      this.actions.choose(null);
      return;
    }
    const byGain = [...this.order].sort((a, b) => b.y - a.y || a.x - b.x);
    const rank = byGain.indexOf(this.order[at]);
    const next = {
      ArrowRight: this.order[at + 1],
      ArrowLeft: this.order[at - 1],
      Home: this.order[0],
      End: this.order[this.order.length - 1],
      ArrowUp: byGain[rank + 1],
      ArrowDown: byGain[rank - 1],
    };
    if (!(event.key in next)) return;
    event.preventDefault();
    if (next[event.key]) this.rove(next[event.key], true);
  }
}

// -- table ---------------------------------------------------------------------------

const number = (key) => (row) => short(row[key]);
const COLUMNS = [
  { key: "architecture", label: "Architecture" },
  { key: "family", label: "Family", rank: 2 },
  { key: "year", label: "Year", show: (row) => String(row.year ?? "–"), rank: 3 },
  { key: "params", label: "Params", unit: "M", show: number("params") },
  { key: "gflops", label: "GFLOPs", show: number("gflops") },
  { key: "file_mb", label: "File", unit: "MB", show: number("file_mb"), rank: 1 },
  { key: "ms", label: "Latency", unit: "ms", show: number("ms") },
  { key: "top1", label: "Top-1", unit: "%", show: (row) => percent(row.top1) },
  { key: "top5", label: "Top-5", unit: "%", show: (row) => percent(row.top5), rank: 1 },
  {
    key: "top1_per_million_params",
    label: "Top-1",
    unit: "%/M",
    title: "Top-1 accuracy per million parameters",
    show: number("top1_per_million_params"),
    rank: 2,
  },
];

class Table {
  constructor(model, zoo, actions) {
    this.model = model;
    this.zoo = zoo;
    this.actions = actions;
    this.columns = COLUMNS.filter(({ key }) => zoo.rows.some((row) => !gap(row[key])));
    this.head = make("tr", {}, ...this.columns.map((column) => this.header(column)));
    this.body = make("tbody", { onkeydown: (event) => this.key(event) });
    this.grid = make(
      "table",
      { role: "grid", "aria-label": "Models" },
      make("thead", {}, this.head),
      this.body,
    );
    this.node = make("div", { class: "zoo-table" }, this.grid);
    for (const type of ["pointerover", "focusin"]) {
      this.body.addEventListener(type, (event) => actions.echoPoint(this.rowOf(event.target)));
    }
    for (const type of ["pointerleave", "focusout"]) {
      this.body.addEventListener(type, () => actions.echoPoint(null));
    }
    const gains = zoo.rows.map((row) => row[model.get("gain")]).filter((value) => !gap(value));
    this.range = [Math.min(...gains) - 4, Math.max(...gains)];
  }

  header(column) {
    const unit = column.unit ? [make("small", {}, ` ${column.unit}`)] : [];
    const button = make(
      "button",
      {
        type: "button",
        title: column.title,
        "aria-label": column.title,
        onclick: () => this.sort(column),
      },
      column.label,
      ...unit,
    );
    return make("th", { scope: "col", "data-key": column.key, class: this.kind(column) }, button);
  }

  kind(column) {
    return [column.show ? "num" : "", column.rank ? `r-${column.rank}` : ""].join(" ").trim();
  }

  // Numbers begin with the largest, names with the first.
  sort(column) {
    const again = this.model.get("sort_by") === column.key;
    send(this.model, {
      sort_by: column.key,
      descending: again ? !this.model.get("descending") : Boolean(column.show),
    });
  }

  draw() {
    const { model, zoo } = this;
    const key = model.get("sort_by");
    const descending = model.get("descending");
    const hadFocus = this.body.contains(document.activeElement);
    const focused = hadFocus && this.rowOf(document.activeElement)?.id;
    this.front = new Set(frontIds(model));
    for (const head of this.head.cells) {
      if (head.dataset.key === key) {
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      } else head.removeAttribute("aria-sort");
      head.classList.toggle("is-cost", head.dataset.key === model.get("cost"));
    }
    const shown = sorted(zoo.rows.filter((row) => isShown(row, zoo, model)), key, descending);
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    if (!shown.length) {
      this.body.append(
        make(
          "tr",
          { class: "none" },
          make(
            "td",
            { colspan: this.columns.length },
            "No model has this. Clear the search, or choose all families.",
          ),
        ),
      );
    }
    this.node.scrollTop = 0;
    this.mark();
    const line = hadFocus && this.lines().find((node) => Number(node.dataset.id) === focused);
    if (line) this.rove(line);
  }

  line(row) {
    const cells = this.columns.map((column) => {
      if (column.key === "architecture") return make("th", { scope: "row" }, this.nameCell(row));
      const cost = column.key === this.model.get("cost") ? " is-cost" : "";
      const cell = make(
        "td",
        { class: this.kind(column) + cost },
        column.show ? column.show(row) : row[column.key] || "–",
      );
      if (column.key === this.model.get("gain") && !gap(row[column.key])) {
        this.bar(cell, row[column.key]);
      }
      return cell;
    });
    return make("tr", {
      "data-id": row.id,
      tabindex: -1,
      class: groupClass(row.group),
      onclick: () => this.actions.choose(row),
    }, ...cells);
  }

  bar(cell, value) {
    const [low, high] = this.range;
    cell.style.setProperty("--share", (value - low) / (high - low));
    cell.classList.add("bar");
  }

  nameCell(row) {
    const name = make(
      "span",
      { class: "zoo-name" },
      make("span", {}, row.architecture),
      make("small", { title: row.weights }, plainWeights(row.weights)),
    );
    const cell = make("span", { class: "zoo-name-cell" }, swatch(row.group), name);
    if (this.front.has(row.id)) {
      cell.append(make("span", { class: "zoo-front", title: "On the Pareto front" }, "front"));
    }
    return cell;
  }

  lines() {
    return [...this.body.rows].filter((line) => "id" in line.dataset);
  }

  rowOf(target) {
    const line = target.closest?.("tr[data-id]");
    return line ? this.zoo.rows[Number(line.dataset.id)] : null;
  }

  mark() {
    const chosen = this.actions.selectedRow();
    const lines = this.lines();
    for (const line of lines) {
      line.setAttribute("aria-selected", String(Number(line.dataset.id) === chosen?.id));
      line.tabIndex = -1;
    }
    const here = lines.find((line) => line.getAttribute("aria-selected") === "true");
    if (here ?? lines[0]) (here ?? lines[0]).tabIndex = 0;
    if (here) this.reveal(here);
  }

  // Scrolls within the table only: the notebook stays where it is.
  reveal(line) {
    const top = line.offsetTop - this.grid.tHead.offsetHeight;
    const bottom = line.offsetTop + line.offsetHeight;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (bottom > this.node.scrollTop + this.node.clientHeight) {
      this.node.scrollTop = bottom - this.node.clientHeight;
    }
  }

  echo(row) {
    for (const line of this.body.querySelectorAll(".is-echo")) line.classList.remove("is-echo");
    if (row) this.body.querySelector(`tr[data-id="${row.id}"]`)?.classList.add("is-echo");
  }

  rove(line) {
    for (const other of this.lines()) other.tabIndex = -1;
    line.tabIndex = 0;
    line.focus({ preventScroll: true });
    this.reveal(line);
  }

  key(event) {
    const lines = this.lines();
    const at = lines.indexOf(event.target.closest("tr"));
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.actions.choose(this.rowOf(event.target));
      return;
    }
    if (event.key === "Escape") {
      this.actions.choose(null);
      return;
    }
    const last = lines.length - 1;
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: Math.min(last, at + 8),
      PageUp: Math.max(0, at - 8),
      Home: 0,
      End: last,
    };
    if (!(event.key in next)) return;
    event.preventDefault();
    if (lines[next[event.key]]) this.rove(lines[next[event.key]]);
  }
}

// -- details -------------------------------------------------------------------------

class Details {
  constructor(model, zoo, actions) {
    this.model = model;
    this.zoo = zoo;
    this.actions = actions;
    this.open = false;
    this.node = make("section", {
      class: "zoo-details",
      "aria-label": "Details",
      "aria-live": "polite",
    });
    this.shelf = make("div", { class: "zoo-shelf" }); // the code, as wide as the widget
  }

  draw() {
    const row = this.actions.selectedRow();
    const hadFocus = this.node.contains(document.activeElement);
    this.shelf.hidden = !row;
    this.node.replaceChildren(...(row ? this.facts(row) : this.welcome()));
    if (hadFocus) this.node.querySelector("button")?.focus({ preventScroll: true });
  }

  link(row, ...content) {
    return make("button", {
      type: "button",
      class: `zoo-link ${groupClass(row.group)}`,
      onclick: () => this.actions.choose(row, true),
    }, ...content);
  }

  // With nothing chosen: the models of the front, from the cheapest.
  welcome() {
    const { model, zoo } = this;
    const cost = model.get("cost");
    const { unit, label } = model.get("costs")[cost];
    const costText = unit === label ? label : `${label}, ${unit}`;
    const items = frontIds(model).map((id) => zoo.rows[id]).map((row) =>
      make(
        "li",
        {},
        this.link(row, swatch(row.group), make("span", {}, row.architecture)),
        make(
          "span",
          { class: "zoo-pair" },
          short(row[cost]),
          make("b", {}, `${percent(row[model.get("gain")])} %`),
        ),
      )
    );
    return [
      make("p", { class: "zoo-name-line" }, "The Pareto front"),
      make(
        "p",
        { class: "cw-quiet" },
        `Nothing else is as accurate for less (${costText}). Choose a model for its details.`,
      ),
      make("ol", { class: "zoo-list", "aria-label": "Models of the Pareto front" }, ...items),
    ];
  }

  facts(row) {
    const family = this.zoo.families[row.family];
    /** @type {Node[]} */
    const parts = [
      make("button", {
        type: "button",
        class: "zoo-close",
        "aria-label": "Close details",
        onclick: () => this.actions.choose(null),
      }, "×"),
      make("p", { class: "zoo-name-line" }, row.architecture),
      make(
        "p",
        { class: "zoo-family" },
        swatch(row.group),
        make(
          "span",
          {},
          make("b", {}, row.family || "Family unknown"),
          row.year ? `, ${row.year}` : "",
        ),
        make("small", {}, row.group),
      ),
    ];
    if (family) {
      parts.push(
        make("p", { class: "zoo-idea" }, family.idea),
        make("p", { class: "zoo-paper" }, ...this.paper(family)),
      );
    }
    parts.push(this.members(row), this.figures(row), this.standing(row), this.code(row));
    return parts.filter(Boolean);
  }

  paper(family) {
    const title = family.url
      ? make("a", { href: family.url, target: "_blank", rel: "noopener noreferrer" }, family.paper)
      : family.paper;
    return [title, ` · ${family.venue}`];
  }

  members(row) {
    const rows = this.zoo.rows.filter((other) => other.architecture === row.architecture);
    return make(
      "div",
      { class: "zoo-members", role: "group", "aria-label": "Weights" },
      ...rows.map((other) =>
        make(
          "button",
          {
            type: "button",
            title: other.weights,
            "aria-pressed": String(other.id === row.id),
            onclick: () => this.actions.choose(other, true),
          },
          make("span", {}, plainWeights(other.weights)),
          make("b", {}, percent(other[this.model.get("gain")])),
        )
      ),
    );
  }

  figures(row) {
    const cost = (name, unit) => `${short(row[name])}${name === "gflops" ? "" : ` ${unit}`}`;
    const costs = Object.entries(this.model.get("costs"));
    const entries = [
      ["Top-1", `${percent(row.top1)} %`],
      ["Top-5", `${percent(row.top5)} %`],
      ["Image", gap(row.crop_size) ? "–" : `${row.crop_size} px`],
      ...costs.map(([name, { label, unit }]) => [label, cost(name, unit)]),
    ];
    if (row.licence) entries.push(["Licence", row.licence]);
    return make(
      "dl",
      { class: "zoo-figures" },
      ...entries.map(([label, value]) =>
        make(
          "div",
          { class: value.length > 10 ? "wide" : "" },
          make("dt", {}, label),
          make("dd", {}, value),
        )
      ),
    );
  }

  // Where the model stands: on the front, or below which model of it.
  standing(row) {
    const { model, zoo } = this;
    const cost = model.get("cost");
    const gain = model.get("gain");
    const { label, unit } = model.get("costs")[cost];
    if (gap(row[cost]) || gap(row[gain])) return null;
    const line = make("p", { class: "zoo-standing" });
    if (frontIds(model).includes(row.id)) {
      line.append(
        make("span", { class: "zoo-front" }, "front"),
        ` Nothing is as accurate for less (${label}).`,
      );
    } else {
      const above = frontIds(model).map((id) => zoo.rows[id]).filter((other) =>
        other[cost] <= row[cost]
      ).pop();
      if (!above) return null;
      line.append(
        this.link(above, above.architecture),
        ` reaches ${percent(above[gain])} % with ${short(above[cost])} ${unit}.`,
      );
    }
    return line;
  }

  code(row) {
    const pre = make("pre", {
      class: "zoo-code",
      tabindex: 0,
      "aria-label": "Code that loads these weights",
    }, make("code", {}, row.code));
    const copy = make("button", {
      type: "button",
      class: "cw-button",
      onclick: async () => {
        copy.textContent = (await copyText(row.code, pre)) ? "Copied" : "Press Ctrl+C";
      },
    }, "Copy");
    const toggle = make("button", {
      type: "button",
      class: "cw-button",
      onclick: () => {
        this.open = !this.open;
        set();
      },
    });
    const set = () => {
      this.shelf.hidden = copy.hidden = !this.open;
      toggle.textContent = this.open ? "Hide the code" : "Show the code";
      toggle.setAttribute("aria-expanded", String(this.open));
    };
    set();
    this.shelf.replaceChildren(pre);
    return make("div", { class: "zoo-buttons" }, toggle, copy);
  }
}

// The clipboard needs a secure page; elsewhere the text is selected for the reader to copy.
async function copyText(text, node) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return false;
  }
}

// -- controls ------------------------------------------------------------------------

function familySelect(model, zoo) {
  const select = make("select", {
    class: "zoo-select",
    "aria-label": "Family",
    onchange: () => send(model, { family: select.value }),
  });
  select.append(make("option", { value: "" }, "All families"));
  for (const group of GROUPS) {
    const names = Object.keys(zoo.families).filter((name) => zoo.families[name].group === group);
    if (names.length) {
      select.append(
        make(
          "optgroup",
          { label: group },
          make("option", { value: group }, `All: ${group}`),
          ...names.map((name) => make("option", { value: name }, name)),
        ),
      );
    }
  }
  return select;
}

function makeLegend(model, zoo) {
  const groups = GROUPS.filter((group) => zoo.rows.some((row) => row.group === group));
  const keys = groups.map((group) =>
    make(
      "button",
      {
        type: "button",
        class: `zoo-key ${groupClass(group)}`,
        "data-group": group,
        disabled: group === "Other",
        onclick: () => send(model, { family: model.get("family") === group ? "" : group }),
      },
      swatch(group),
      group,
    )
  );
  const line = svg(
    "svg",
    { class: "zoo-swatch line", viewBox: "0 0 22 12", "aria-hidden": "true" },
    svg("path", { d: "M1 10H8V5H15V1H21" }),
  );
  const node = make(
    "div",
    { class: "zoo-legend", role: "group", "aria-label": "Groups of families" },
    ...keys,
    make("span", { class: "zoo-key plain" }, line, "Pareto front"),
  );
  const set = () => {
    for (const key of keys) {
      key.setAttribute("aria-pressed", String(key.dataset.group === model.get("family")));
    }
  };
  return { node, set };
}

function makeControls(model, zoo) {
  const search = make("input", {
    type: "search",
    class: "zoo-search",
    placeholder: "Search name, weights, family",
    "aria-label": "Search models",
    oninput: () => send(model, { filter_text: search.value }),
  });
  const select = familySelect(model, zoo);
  const best = make("input", {
    type: "checkbox",
    "aria-label": "Best weights of each architecture only",
    onchange: () => send(model, { best_only: best.checked }),
  });
  const count = make("span", { class: "cw-quiet zoo-count", role: "status" });
  const node = make(
    "div",
    { class: "zoo-tools" },
    search,
    select,
    make("label", { class: "zoo-check" }, best, "Only the best weights of each"),
    count,
  );
  const set = () => {
    if (search.value !== model.get("filter_text")) search.value = model.get("filter_text");
    select.value = model.get("family");
    best.checked = model.get("best_only");
    const shown = zoo.rows.filter((row) => isShown(row, zoo, model)).length;
    const all = zoo.rows.length;
    count.textContent = shown === all
      ? `${plural(all, "set")} of weights`
      : `${shown} of ${plural(all, "set")} of weights`;
  };
  return { node, set };
}

// -- the widget ----------------------------------------------------------------------

function makeActions(model, zoo, parts) {
  const selectedRow = () => zoo.rows[model.get("row")];
  return {
    selectedRow,
    // A second choice of the same row takes it back, unless it is to `stay`.
    choose: (row, stay) => {
      const keep = row && (stay || row !== selectedRow());
      send(model, { row: keep ? row.id : -1 });
    },
    echoRow: (row) => parts.table.echo(row),
    echoPoint: (row) => parts.chart.echoPoint(row),
  };
}

function makeHead(zoo, choice) {
  const architectures = new Set(zoo.rows.map((row) => row.architecture)).size;
  const lead = make(
    "div",
    {},
    make("p", { class: "zoo-title" }, "Model zoo"),
    make(
      "p",
      { class: "cw-quiet" },
      `${plural(architectures, "architecture")}: how accurate, and at what cost`,
    ),
  );
  return make("div", { class: "zoo-head" }, lead, choice.node);
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const zoo = prepare(model);
  const parts = {};
  const actions = makeActions(model, zoo, parts);
  const box = frame(el, "Explorer of the model zoo");
  box.classList.add("cw-zoo");
  const options = Object.entries(model.get("costs")).map(([value, { label }]) => ({
    value,
    label,
  }));
  const choice = makeSwitch("Cost", options, model.get("cost"), (cost) => send(model, { cost }));
  const controls = makeControls(model, zoo);
  const legend = makeLegend(model, zoo);
  const { chart, table, details } = Object.assign(parts, {
    chart: new Chart(model, zoo, actions),
    table: new Table(model, zoo, actions),
    details: new Details(model, zoo, actions),
  });
  const machine = make(
    "p",
    { class: "cw-quiet zoo-machine" },
    `Latency of one image, measured on ${model.get("machine")}.`,
  );
  box.append(
    makeHead(zoo, choice),
    controls.node,
    make(
      "div",
      { class: "zoo-main" },
      make("div", { class: "zoo-left" }, chart.node, legend.node),
      details.node,
    ),
    details.shelf,
    table.node,
    machine,
  );

  const paint = () => {
    choice.set(model.get("cost"));
    controls.set();
    legend.set();
    machine.hidden = model.get("cost") !== "ms" || !model.get("machine");
    chart.hover(null);
    chart.draw();
    table.draw();
    details.draw();
  };
  const mark = () => {
    chart.mark();
    table.mark();
    details.draw();
  };
  paint();
  const resized = new ResizeObserver(() => {
    const width = chart.holder.clientWidth;
    if (width && width !== chart.width) requestAnimationFrame(() => chart.draw());
  });
  resized.observe(chart.holder);
  const ends = [
    follow(model, ["cost", "filter_text", "family", "best_only"], paint),
    follow(model, ["sort_by", "descending"], () => table.draw()),
    follow(model, ["row"], mark),
  ];
  return () => {
    resized.disconnect();
    for (const end of ends) end();
  };
}

export default { render };
