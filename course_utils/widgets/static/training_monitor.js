// @ts-check
import { clamp, follow, frame, gap, make, makeSwitch, send, svg } from "./base.js";

// -- figures ------------------------------------------------------------------------

function rateText(value) {
  if (gap(value)) return "–";
  const short = Number(value.toPrecision(2));
  return short !== 0 && Math.abs(short) < 0.01
    ? short.toExponential().replace("e-", "e−")
    : String(short);
}

const SHOW = {
  epoch: String,
  lr: rateText,
  images_per_second: (value) => Math.round(value).toLocaleString("en"),
  seconds: (value) => value.toFixed(value < 10 ? 2 : 1),
};
function shown(name, value) {
  if (gap(value)) return "–";
  if (name in SHOW) return SHOW[name](value);
  if (name.endsWith("accuracy")) return `${(100 * value).toFixed(1)} %`;
  return value.toFixed(value < 100 ? 3 : 0);
}

function duration(seconds) {
  if (gap(seconds)) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)} h`;
}

// -- where the run stands --------------------------------------------------------------

const PHASES = {
  waiting: "Waiting for fit",
  training: "Training",
  finished: "Finished",
  stopped: "Stopped early",
};

function prepare(model) {
  const names = [
    "rows",
    "rates",
    "marks",
    "running",
    "epochs",
    "best",
    "timing",
    "view",
    "columns",
  ];
  const run = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  run.done = run.rows.length ? run.rows[run.rows.length - 1].epoch : 0;
  run.phase = run.running
    ? "training"
    : !run.rows.length
    ? "waiting"
    : run.epochs && run.done < run.epochs
    ? "stopped"
    : "finished";
  const values = run.rates.flatMap((line) => line.values).filter((value) => !gap(value));
  run.ratesVary = new Set(values).size > 1;
  run.bestRow = run.rows.find((row) => row.epoch === run.best);
  const last = Math.max(run.done, 1, ...run.marks.map((mark) => mark.epoch));
  run.last = run.epochs ?? Math.max(last + (run.running ? 1 : 0), 5);
  return run;
}

const inEpoch = (run, epoch) => run.rows.find((row) => row.epoch === epoch);
const wakesAt = (run, epoch) =>
  run.marks.filter((mark) => mark.epoch === epoch).flatMap((mark) => mark.stages);

function spoken(run, row) {
  const parts = Object.entries(run.columns)
    .filter(([name]) => name !== "epoch" && name !== "seconds" && !gap(row[name]))
    .map(([name, label]) => `${label} ${shown(name, row[name])}`);
  const woke = wakesAt(run, row.epoch);
  if (woke.length) parts.unshift(`${woke.join(", ")} begin${woke.length > 1 ? "" : "s"} to learn`);
  if (row.epoch === run.best) parts.unshift("the best so far");
  return `Epoch ${row.epoch}: ${parts.join(", ")}`;
}

function said(run) {
  const of = run.epochs ? ` of ${run.epochs}` : "";
  const best = run.bestRow
    ? ` Best is epoch ${run.best}, val loss ${shown("loss", run.bestRow.val_loss)}.`
    : "";
  if (run.phase === "waiting") {
    return "Waiting: show this first, then run fit with this monitor among its callbacks.";
  }
  if (!run.rows.length) return "Training: the first epoch is under way.";
  const last = run.rows[run.rows.length - 1];
  const done = `${run.done}${of} epoch${run.done === 1 && !of ? "" : "s"}`;
  if (run.phase === "training") return `${spoken(run, last)}. ${done} done.`;
  return `${PHASES[run.phase]} after ${done}.${best}`;
}

// -- chart ---------------------------------------------------------------------------

const EDGE = { left: 50, right: 116, top: 10, bottom: 44, gap: 34 };
const LANE = 19;
const LANES = 3;
const HEIGHTS = { both: [168, 168], loss: [262, 96], accuracy: [96, 262] };
const RATE_HEIGHT = 52;

const FLAME = [
  "M0-6C.6-3.3 3.8-2.2 3.8 1.6A3.8 3.8 0 0 1-3.8 1.6",
  "C-3.8-.5-2.2-1.1-2.2-3.3C-1.1-2.7-.6-1.6-.6-1.1C.6-2.2.6-4.4 0-6Z",
].join("");
const STAR = "M0-7.5L2.1-2.6L7.4-2.2L3.4 1.3L4.6 6.5L0 3.7L-4.6 6.5L-3.4 1.3L-7.4-2.2L-2.1-2.6Z";

// Steps of 1, 2 or 5 that part a range into about so many.
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) {
    found.push(i * step);
  }
  return { found, step };
}

function linear(values, { top, height, floor, ceil = Infinity, least }) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (!values.length) [low, high] = [0, Math.min(ceil, 1)];
  const pad = Math.max((high - low) * 0.08, least / 2);
  if (low < 0) floor = -Infinity; // a loss of one's own may be negative
  low = Math.max(floor, low - pad);
  high = Math.min(ceil, high + pad);
  if (floor === 0 && low < (high - low) * 0.35) low = floor; // close to nothing: begin there
  const { found, step } = ticks(low, high, height / 42);
  return {
    y: (value) => top + (1 - (value - low) / (high - low)) * height,
    found,
    step,
    top,
    height,
  };
}

function logarithmic(values, { top, height }) {
  const pad = Math.max(1.02, (Math.max(...values) / Math.min(...values)) ** 0.1);
  const low = Math.min(...values) / pad;
  const high = Math.max(...values) * pad;
  const found = [];
  for (let p = Math.ceil(Math.log10(low)); p <= Math.log10(high); p++) found.push(10 ** p);
  if (found.length < 2) { // within a decade: its ends, or one of them where both would touch
    found.splice(0, found.length, Math.max(...values));
    if (Math.log(found[0] / Math.min(...values)) / Math.log(high / low) > 14 / height) {
      found.push(Math.min(...values));
    }
  }
  const every = Math.ceil(found.length / 3);
  return {
    y: (value) => top + (1 - Math.log(value / low) / Math.log(high / low)) * height,
    found: found.filter((_, i) => i % every === 0),
    top,
    height,
  };
}

// A line with gaps where a value is missing.
function path(points) {
  let d = "";
  let pen = "M";
  for (const point of points) {
    if (!point) {
      pen = "M";
      continue;
    }
    d += `${pen}${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
    pen = "L";
  }
  return d;
}

// Texts beside each other keep a distance, and stay within the panel.
function spread(labels, top, bottom, step = 15) {
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => {
    label.at = Math.max(label.y, i ? labels[i - 1].at + step : top);
  });
  let limit = bottom;
  for (const label of [...labels].reverse()) {
    label.at = Math.min(label.at, limit);
    limit = label.at - step;
  }
  return labels;
}

const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

// The last part of a long name, unless that is only a number: features.4 stays.
function brief(name) {
  const last = name.split(".").pop();
  return name.length <= 12 || /^\d+$/.test(last) ? name : last;
}

// Names of waking stages stand in lanes, so that neighbours do not cover each other.
function lanes(marks, x, right) {
  const ends = [];
  const placed = [];
  for (const mark of marks) {
    const text = cut(mark.stages.map(brief).join(", "), 24);
    const w = text.length * 6.7 + 25;
    const left = Math.min(x(mark.epoch - 0.5), right - w + 4);
    let lane = ends.findIndex((end) => end + 5 <= left);
    if (lane < 0) lane = ends.length < LANES ? ends.length : ends.indexOf(Math.min(...ends));
    // no room: the line alone, named on reading
    const hidden = lane in ends && ends[lane] + 5 > left;
    if (!hidden) ends[lane] = left + w;
    placed.push({ mark, text, left, w, lane, hidden });
  }
  return { placed, count: Math.max(ends.length, 0) };
}

class Chart {
  constructor(model) {
    this.model = model;
    this.tip = make("div", { class: "tm-tip", hidden: true, "aria-hidden": "true" });
    this.canvas = make("div", {
      class: "tm-canvas",
      role: "slider",
      tabindex: 0,
      "aria-label": "Epoch to read",
    });
    this.node = make("div", { class: "tm-chart" }, this.canvas, this.tip);
    this.canvas.addEventListener("pointermove", (event) => this.read(this.nearest(event)));
    this.canvas.addEventListener("pointerleave", () => {
      if (document.activeElement !== this.canvas) this.read(null);
    });
    this.canvas.addEventListener("blur", () => this.read(null));
    this.canvas.addEventListener("focus", () => {
      if (this.canvas.matches(":focus-visible")) this.read(this.epoch ?? this.run.done);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  draw(run) {
    this.run = run;
    this.width = this.canvas.clientWidth || 800;
    const right = this.width - EDGE.right;
    const span = (right - EDGE.left) / run.last;
    this.x = (epoch) => EDGE.left + (epoch - 0.5) * span;
    this.span = span;
    const names = lanes(run.marks.filter((mark) => mark.epoch <= run.last), this.x, right);
    let top = EDGE.top + names.count * LANE + 20;
    const [loss, accuracy] = HEIGHTS[run.view] ?? HEIGHTS.both;
    this.panels = [];
    for (const [quantity, height] of [["loss", loss], ["accuracy", accuracy]]) {
      this.panels.push(this.panel(quantity, top, height));
      top += height + EDGE.gap;
    }
    if (run.ratesVary) {
      this.panels.push(this.ratePanel(top));
      top += RATE_HEIGHT + EDGE.gap;
    }
    this.bottom = top - EDGE.gap;
    const height = this.bottom + EDGE.bottom;
    const drawing = svg("svg", {
      width: this.width,
      height,
      viewBox: `0 0 ${this.width} ${height}`,
      "aria-hidden": "true",
    });
    drawing.append(...this.drawMarks(names), ...this.drawEpochs(right));
    for (const panel of this.panels) {
      drawing.append(
        ...(panel.rates ? this.drawRates(panel, right) : this.drawPanel(panel, right)),
      );
    }
    this.cursor = svg("g", { class: "cursor", visibility: "hidden" });
    drawing.append(this.cursor);
    this.canvas.replaceChildren(drawing);
    this.tell();
  }

  panel(quantity, top, height) {
    const series = ["train", "val"].map((split) => {
      const name = `${split}_${quantity}`;
      const points = this.run.rows.map((row) => {
        const value = row[name];
        return gap(value) ? null : { epoch: row.epoch, x: this.x(row.epoch), value };
      });
      return { split, name, points, some: points.filter(Boolean) };
    });
    const values = series.flatMap((one) => one.some.map((point) => point.value));
    const range = quantity === "accuracy"
      ? { floor: 0, ceil: 1, least: 0.04 }
      : { floor: 0, least: 0.02 };
    const scale = linear(values, { top, height, ...range });
    for (const { some } of series) for (const point of some) point.y = scale.y(point.value);
    const title = quantity === "loss" ? "loss, mean per image" : "accuracy, % of images";
    return { quantity, series, scale, top, height, title };
  }

  ratePanel(top) {
    const values = this.run.rates.flatMap((line) => line.values).filter((value) => !gap(value));
    const positive = Math.min(...values) > 0;
    const room = { top, height: RATE_HEIGHT };
    const scale = positive
      ? logarithmic(values, room)
      : linear(values, { ...room, floor: 0, least: 0 });
    return {
      rates: true,
      scale,
      top,
      height: RATE_HEIGHT,
      title: `learning rate${positive ? ", log scale" : ""}`,
    };
  }

  frame(panel, right, format) {
    /** @type {SVGElement[]} */
    const parts = [
      svg("text", { class: "axis-title", x: 2, y: panel.top - 9 }, `↑ ${panel.title}`),
    ];
    for (const tick of panel.scale.found) {
      const y = Math.round(panel.scale.y(tick)) + 0.5;
      parts.push(
        svg("path", { class: "grid", d: `M${EDGE.left} ${y}H${right}` }),
        svg(
          "text",
          { class: "tick", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" },
          format(tick),
        ),
      );
    }
    parts.push(
      svg("path", { class: "axis", d: `M${EDGE.left} ${panel.top + panel.height + 0.5}H${right}` }),
    );
    return parts;
  }

  drawPanel(panel, right) {
    const places = clamp(Math.ceil(-Math.log10(panel.scale.step) - 1e-9), 0, 4);
    const format = panel.quantity === "accuracy"
      ? (v) => (100 * v).toFixed(Math.max(0, places - 2))
      : (v) => v.toFixed(places);
    const parts = this.frame(panel, right, format);
    const labels = [];
    for (const { split, some, points, name } of panel.series) {
      if (!some.length) continue;
      parts.push(svg("path", { class: `curve ${split}`, d: path(points) }));
      const last = some[some.length - 1];
      if (this.span >= 11) {
        parts.push(...some.map((point) => this.dot(split, { ...point, of: panel.quantity })));
      }
      if (this.run.running) {
        parts.push(svg("circle", { class: `newest ${split}`, cx: last.x, cy: last.y, r: 7 }));
      }
      labels.push({ split, y: last.y, text: `${split} ${shown(name, last.value)}` });
    }
    const best = panel.series[1].some.find((point) => point.epoch === this.run.best);
    if (best) {
      parts.push(
        svg("path", {
          class: "star",
          d: STAR,
          transform: `translate(${best.x.toFixed(1)} ${best.y.toFixed(1)})`,
        }),
      );
    }
    for (const label of spread(labels, panel.top + 6, panel.top + panel.height)) {
      parts.push(...this.endLabel(label, right));
    }
    return parts;
  }

  dot(split, { x, y, of = null }) {
    return split === "train"
      ? svg("rect", { class: "dot train", "data-of": of, x: x - 3, y: y - 3, width: 6, height: 6 })
      : svg("circle", { class: "dot val", "data-of": of, cx: x, cy: y, r: 3.6 });
  }

  endLabel({ split, at, text }, right) {
    return [
      this.dot(split, { x: right + 13, y: at }),
      svg("text", { class: `end ${split}`, x: right + 22, y: at + 4 }, text),
    ];
  }

  drawRates(panel, right) {
    const parts = this.frame(panel, right, rateText);
    const { rates, rows } = this.run;
    const labels = [];
    rates.forEach((line, i) => {
      const points = line.values.map((value, k) => {
        if (gap(value)) return null;
        return { x: this.x(rows[k].epoch), y: panel.scale.y(value), value };
      });
      const some = points.filter(Boolean);
      if (!some.length) return;
      const strength = rates.length === 1 ? 1 : 0.45 + (0.55 * i) / (rates.length - 1);
      parts.push(svg("path", { class: "rate", d: path(points), opacity: strength.toFixed(2) }));
      if (some.length === 1) {
        parts.push(svg("circle", { class: "rate-dot", cx: some[0].x, cy: some[0].y, r: 2 }));
      }
      const last = some[some.length - 1];
      if (i === 0 || i === rates.length - 1) {
        labels.push({
          y: last.y,
          text: rates.length === 1
            ? rateText(last.value)
            : `${cut(line.names[0], 8)} ${rateText(last.value)}`,
        });
      }
    });
    for (const { at, text } of spread(labels, panel.top + 4, panel.top + panel.height)) {
      parts.push(svg("text", { class: "end rate-end", x: right + 9, y: at + 4 }, text));
    }
    return parts;
  }

  drawEpochs(right) {
    const { last } = this.run;
    const { found } = ticks(1, Math.max(last, 2), (right - EDGE.left) / 46);
    const parts = [];
    for (
      const epoch of new Set([
        1,
        ...found.filter((value) => Number.isInteger(value) && value <= last),
      ])
    ) {
      const x = this.x(epoch);
      parts.push(
        svg("path", { class: "axis", d: `M${x.toFixed(1)} ${this.bottom}v5` }),
        svg(
          "text",
          { class: "tick", x, y: this.bottom + 18, "text-anchor": "middle" },
          String(epoch),
        ),
      );
    }
    parts.push(
      svg(
        "text",
        { class: "axis-title", x: right, y: this.bottom + 37, "text-anchor": "end" },
        "epoch →",
      ),
    );
    return parts;
  }

  // A stage wakes where its first epoch begins, half a step before that epoch's result.
  drawMarks({ placed }) {
    const reached = this.run.done + (this.run.running ? 1 : 0);
    return placed.map(({ mark, text, left, w, lane, hidden }) => {
      const x = this.x(mark.epoch - 0.5);
      const y = EDGE.top + lane * LANE;
      const woke = mark.epoch <= reached || this.run.phase === "waiting";
      const group = svg(
        "g",
        { class: `mark${woke ? "" : " to-come"}`, "data-epoch": mark.epoch },
        svg("title", {}, `${mark.stages.join(", ")} from epoch ${mark.epoch}`),
        svg("path", {
          class: "mark-line",
          d: `M${x.toFixed(1)} ${y + (hidden ? LANE : 15)}V${this.bottom}`,
        }),
      );
      if (!hidden) {
        group.append(
          svg("rect", { class: "pill", x: left, y: y - 1, width: w, height: 17, rx: 8.5 }),
          svg("path", { class: "flame", d: FLAME, transform: `translate(${left + 10} ${y + 8})` }),
          svg("text", { class: "mark-name", x: left + 17, y: y + 11.5 }, text),
        );
      }
      return group;
    });
  }

  // -- reading an epoch --------------------------------------------------------------

  nearest(event) {
    if (!this.run.rows.length) return null;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const epoch = Math.round((x - EDGE.left) / this.span + 0.5);
    return clamp(epoch, this.run.rows[0].epoch, this.run.done);
  }

  key(event) {
    const rows = this.run.rows;
    if (!rows.length) return;
    const first = rows[0].epoch;
    const now = this.epoch ?? this.run.done;
    const next = {
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      PageUp: now + 10,
      PageDown: now - 10,
      Home: first,
      End: this.run.done,
    };
    if (event.key === "Escape") this.read(null);
    if (!(event.key in next)) return;
    event.preventDefault();
    this.read(clamp(next[event.key], first, this.run.done));
  }

  read(epoch) {
    this.epoch = epoch || undefined;
    this.tell();
  }

  // Says and shows the epoch that is read.
  tell() {
    const { run } = this;
    const row = this.epoch && inEpoch(run, this.epoch);
    const now = row ?? run.rows[run.rows.length - 1];
    const values = {
      "aria-valuemin": run.rows[0]?.epoch ?? 0,
      "aria-valuemax": run.done,
      "aria-valuenow": now?.epoch ?? 0,
      "aria-valuetext": now ? spoken(run, now) : "no epoch yet",
    };
    for (const [name, value] of Object.entries(values)) this.canvas.setAttribute(name, value);
    this.tip.hidden = !row;
    this.cursor.setAttribute("visibility", row ? "visible" : "hidden");
    if (row) this.showTip(row);
  }

  showTip(row) {
    const { run } = this;
    const x = this.x(row.epoch);
    this.cursor.replaceChildren(
      svg("path", { d: `M${x.toFixed(1)} ${this.panels[0].top}V${this.bottom}` }),
    );
    for (const { series = [] } of this.panels) {
      for (const { some } of series) {
        const point = some.find((p) => p.epoch === row.epoch);
        if (point) this.cursor.append(svg("circle", { cx: point.x, cy: point.y, r: 7 }));
      }
    }
    const has = (name) => !gap(row[name]);
    const line = (name, label, kind) =>
      make(
        "div",
        { class: kind ? `tm-${kind}` : "" },
        make("span", {}, label),
        make("b", {}, shown(name, row[name])),
      );
    const woke = wakesAt(run, row.epoch);
    this.tip.replaceChildren(
      make(
        "div",
        { class: "tm-tip-head" },
        make("b", {}, `Epoch ${row.epoch}`),
        row.epoch === run.best ? " ★ best" : "",
      ),
      ...[
        ["train_loss", "train"],
        ["val_loss", "val"],
        ["train_accuracy", "train"],
        ["val_accuracy", "val"],
        ["lr"],
        ["images_per_second"],
        ["seconds"],
      ]
        .filter(([name]) => has(name)).map(([name, kind]) => line(name, run.columns[name], kind)),
      ...(woke.length
        ? [make("div", { class: "tm-woke" }, `wakes: ${cut(woke.join(", "), 28)}`)]
        : []),
    );
    const w = this.tip.offsetWidth;
    const left = x + 16 + w < this.width - 4 ? x + 16 : x - w - 16;
    const place = `${Math.round(Math.max(0, left))}px, ${this.panels[0].top}px`;
    this.tip.style.transform = `translate(${place})`;
  }
}

// -- table ---------------------------------------------------------------------------

function drawTable(run) {
  const names = Object.keys(run.columns).filter((name) => !run.rows.length || name in run.rows[0]);
  const head = names.map((name) => make("th", { scope: "col" }, run.columns[name]));
  const line = (row) => {
    const woke = wakesAt(run, row.epoch);
    const first = make("th", { scope: "row" }, String(row.epoch));
    if (row.epoch === run.best) first.append(make("span", { class: "tm-best" }, " ★ best"));
    if (woke.length) {
      first.append(
        make(
          "span",
          { class: "tm-woken", title: `${woke.join(", ")} from here on` },
          ` ${cut(woke.join(", "), 22)} wakes`,
        ),
      );
    }
    return make(
      "tr",
      { class: row.epoch === run.best ? "is-best" : "" },
      first,
      ...names.slice(1).map((name) => make("td", {}, shown(name, row[name]))),
    );
  };
  const body = run.rows.length
    ? run.rows.map(line)
    : [make("tr", {}, make("td", { colspan: names.length }, "No epoch has ended yet."))];
  return make(
    "table",
    { "aria-label": "Epochs" },
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

// -- facts ---------------------------------------------------------------------------

function makeFact(label) {
  const value = make("dd", {});
  const note = make("small", {});
  return { node: make("div", {}, make("dt", {}, label), value, note), value, note };
}

class Facts {
  constructor() {
    this.epoch = makeFact("Epoch");
    this.best = makeFact("Best epoch");
    this.speed = makeFact("Images per second");
    this.spent = makeFact("Time spent");
    this.left = makeFact("Time left");
    this.fill = make("span", {});
    this.bar = make("div", { class: "tm-progress", "aria-hidden": "true" }, this.fill);
    const list = make(
      "dl",
      { class: "tm-facts" },
      ...[this.epoch, this.best, this.speed, this.spent, this.left].map((fact) => fact.node),
    );
    this.node = make("div", {}, this.bar, list);
  }

  draw(run) {
    this.run = run;
    this.heard = performance.now();
    const last = run.rows[run.rows.length - 1];
    const current = run.running ? Math.min(run.done + 1, run.epochs ?? Infinity) : run.done;
    this.epoch.value.textContent = run.phase === "waiting" ? "–" : String(current);
    this.epoch.note.textContent = run.epochs ? `of ${run.epochs}` : "";
    this.best.value.textContent = gap(run.best) ? "–" : `★ ${run.best}`;
    const { bestRow } = run;
    const figure = (name) => shown(name, bestRow[name]);
    this.best.note.textContent = bestRow
      ? `val loss ${figure("val_loss")} · ${figure("val_accuracy")}`
      : run.rows.length
      ? "needs validation"
      : "least val loss";
    this.speed.value.textContent = last ? shown("images_per_second", last.images_per_second) : "–";
    this.speed.note.textContent = last && !run.ratesVary
      ? `lr ${rateText(last.lr)}`
      : "training only";
    this.spent.note.textContent = gap(run.timing.pace)
      ? ""
      : `${duration(run.timing.pace)} an epoch`;
    this.tick();
  }

  // Between two epochs the browser's clock goes on.
  tick() {
    const { run } = this;
    const { spent, left, pace } = run.timing;
    const waited = run.running ? (performance.now() - this.heard) / 1000 : 0;
    this.spent.value.textContent = run.phase === "waiting" ? "–" : duration(spent + waited);
    this.left.value.textContent = run.running
      ? (gap(left) ? "–" : duration(Math.max(0, left - waited)))
      : run.phase === "finished"
      ? "done"
      : "–";
    this.left.note.textContent = run.running && !gap(left)
      ? "at this pace"
      : run.phase === "stopped"
      ? "stopped early"
      : "";
    const part = gap(pace) || !run.running ? 0 : Math.min(0.9, waited / pace);
    const share = run.epochs ? (run.done + part) / run.epochs : run.phase === "finished" ? 1 : 0;
    this.fill.style.width = `${100 * clamp(share, 0, 1)}%`;
  }
}

function legend() {
  const item = (text, ...drawn) =>
    make(
      "span",
      {},
      svg("svg", { viewBox: "0 0 28 14", width: 28, height: 14, "aria-hidden": "true" }, ...drawn),
      text,
    );
  return make(
    "div",
    { class: "tm-legend" },
    item(
      "train",
      svg("path", { class: "curve train", d: "M1 7H27" }),
      svg("rect", { class: "dot train", x: 11, y: 4, width: 6, height: 6 }),
    ),
    item(
      "val",
      svg("path", { class: "curve val", d: "M1 7H27" }),
      svg("circle", { class: "dot val", cx: 14, cy: 7, r: 3.6 }),
    ),
    item(
      "best: least val loss",
      svg("path", { class: "star", d: STAR, transform: "translate(17 7) scale(.8)" }),
    ),
    item(
      "a stage wakes",
      svg("path", { class: "mark-line", d: "M8 0V14" }),
      svg("path", { class: "flame", d: FLAME, transform: "translate(18 7)" }),
    ),
  );
}

// When fit ends, its picture is put into the output, and JupyterLab makes a new view of
// the same model. Whoever had the focus in the old one keeps it in the new.
let focused = null;
function keepFocus(box) {
  const places = () => [...box.querySelectorAll("[tabindex], input")];
  box.addEventListener("focusin", (event) => {
    focused = { node: event.target, place: places().indexOf(event.target) };
  });
  box.addEventListener("focusout", () =>
    setTimeout(() => {
      if (focused?.node.isConnected) focused = null;
    }));
  return () => {
    if (!focused || focused.node.isConnected || document.activeElement !== document.body) return;
    const place = places()[focused.place];
    (place?.type === "radio" ? box.querySelector("input:checked") : place)?.focus({
      preventScroll: true,
    });
  };
}

const QUIET_MS = 4000; // a fast run is not read out epoch by epoch
const STILL = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const box = frame(el, model.get("title") || "Training monitor");
  box.classList.add("cw-tm");
  const title = make("span", { class: "cw-title" });
  const phase = make("span", { class: "tm-phase" });
  const views = Object.entries(model.get("views")).map(([value, label]) => ({ value, label }));
  const choice = makeSwitch(
    "What to show",
    views,
    model.get("view"),
    (view) => send(model, { view }),
  );
  const facts = new Facts();
  const chart = new Chart(model);
  const key = legend();
  const table = make("div", {
    class: "tm-table",
    tabindex: 0,
    role: "region",
    "aria-label": "Table of epochs",
  });
  const line = make("p", { class: "tm-line cw-quiet", "aria-hidden": "true" });
  const status = make("p", { class: "cw-sr", role: "status", "aria-live": "polite" });
  box.append(
    make("div", { class: "tm-head" }, make("div", { class: "tm-name" }, title, phase), choice.node),
    facts.node,
    key,
    chart.node,
    table,
    line,
    status,
  );

  let drawn = 0;
  let saidAt = -QUIET_MS;
  let later;
  const speak = (run) => {
    clearTimeout(later);
    const wait = run.running ? Math.max(0, saidAt + QUIET_MS - performance.now()) : 0;
    later = setTimeout(() => {
      status.textContent = said(run);
      saidAt = performance.now();
    }, wait);
  };
  const paint = () => {
    const run = prepare(model);
    const asTable = run.view === "table";
    title.textContent = model.get("title") || "Training";
    phase.textContent = PHASES[run.phase];
    box.dataset.phase = run.phase;
    box.dataset.view = run.view;
    choice.set(run.view);
    chart.node.hidden = key.hidden = asTable;
    table.hidden = !asTable;
    const measured = !run.rows.length || run.rows.some((row) => "val_loss" in row);
    [true, measured, measured, run.marks.length > 0].forEach((used, i) => {
      /** @type {HTMLElement} */ (key.children[i]).hidden = !used;
    });
    if (asTable) {
      const below = table.scrollHeight - table.scrollTop - table.clientHeight < 8;
      table.replaceChildren(drawTable(run));
      if (below && run.running) table.scrollTop = table.scrollHeight;
    } else chart.draw(run);
    drawn = chart.canvas.clientWidth;
    facts.draw(run);
    line.textContent = said(run);
    speak(run);
  };
  const takeFocus = keepFocus(box);
  let asked = 0;
  const soon = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      paint();
    });
  };
  paint();
  let attached = false;
  const resized = new ResizeObserver(() => {
    if (!attached && box.isConnected) {
      attached = true;
      takeFocus();
    }
    if (chart.canvas.clientWidth && chart.canvas.clientWidth !== drawn) soon();
  });
  resized.observe(chart.node);
  const clock = setInterval(() => {
    if (!box.isConnected) stop();
    else if (facts.run.running) facts.tick();
  }, STILL ? 1000 : 250);
  const names = ["rows", "rates", "marks", "running", "epochs", "best", "timing", "title", "view"];
  const unfollow = follow(model, names, soon);
  function stop() {
    clearInterval(clock);
    clearTimeout(later);
    cancelAnimationFrame(asked);
    resized.disconnect();
    unfollow();
  }
  return stop;
}

export default { render };
