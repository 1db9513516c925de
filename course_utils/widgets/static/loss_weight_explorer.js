// @ts-check
import { clamp, follow, frame, make, makeSwitch, plural, send, svg, uid } from "./base.js";

const LEARNT = "uncertainty";
const EDGE = { left: 46, right: 14, top: 24, bottom: 38 }; // of the plane of accuracies
const PANEL = { left: 40, right: 88, top: 26, bottom: 24, low: 158, high: 216 }; // of its curves
/** @type {[number, number, string][]} places of a label beside its dot, and its anchor */
const LABELS = [
  [-9, 15, "end"],
  [9, 15, "start"],
  [-9, -8, "end"],
  [9, -8, "start"],
  [-13, 4, "end"],
  [13, 4, "start"],
  [0, 22, "middle"],
  [0, -13, "middle"],
  [10, 30, "start"],
  [-10, 30, "end"],
  [10, -24, "start"],
];

// -- words and numbers ---------------------------------------------------------------

const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
const range = (found) => `${(100 * found.min).toFixed(1)} to ${(100 * found.max).toFixed(1)}`;
const keyOf = (run) => (run.weight === null ? LEARNT : run.weight);
const rounded = (w) => String(Number(w.toFixed(3)));

// Round values inside [low, high], about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((n) => n * power >= rough) * power;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n++) {
    found.push(Number((n * step).toFixed(10)));
  }
  return found;
}
const scale = ([low, high], [from, to]) => (x) => from + ((x - low) / (high - low)) * (to - from);

// Near 100 % what counts is how much is wrong: equal steps are equal ratios of it.
const TICKS = [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999];
function logScale(limits, [from, to], tested) {
  const wrong = (x) => -Math.log10(Math.max(1 - x, 0.5 / tested));
  const line = scale(limits.map(wrong), [from, to]);
  return (x) => line(wrong(x));
}
function spacedTicks([low, high], place, room) {
  const found = [];
  for (const t of TICKS) {
    if (
      t >= low && t <= high &&
      (!found.length || Math.abs(place(t) - place(found[found.length - 1])) >= room)
    ) found.push(t);
  }
  return found;
}

// -- the plane of both accuracies ----------------------------------------------------

// Blue for the first task, orange for the second, mixed as the weights are.
function tint(run) {
  if (run.weight === null) return "var(--learnt)";
  return `color-mix(in oklab, var(--first) ${100 * run.weight}%, var(--second))`;
}

class Plane {
  constructor(model, choose) {
    this.model = model;
    this.choose = choose;
    this.tasks = model.get("tasks");
    this.runs = model.get("runs");
    this.window = model.get("window");
    this.node = make("figure", { class: "lw-plane", role: "img", "aria-label": model.get("alt") });
  }
  paint(chosen) {
    const width = this.node.clientWidth || 480;
    const wide = this.node.closest(".cw").clientWidth > 620;
    const height = clamp(width * (wide ? 0.86 : 0.62), 300, 452);
    const [a, b] = this.tasks;
    const right = width - EDGE.right;
    const bottom = height - EDGE.bottom;
    const { tested } = this.model.get("about");
    this.x = logScale(this.window[a], [EDGE.left, right], tested);
    this.y = logScale(this.window[b], [bottom, EDGE.top], tested);
    this.right = right;
    this.bottom = bottom;
    this.taken = [];
    const dots = this.runs.map((run) => this.placed(run));
    for (const { x, y } of dots) this.taken.push([x - 8, y - 8, x + 8, y + 8]);
    const drawing = svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
      ...this.axes(a, b),
      ...this.frontLine(),
      ...this.alone(),
    );
    const far = (dot) => dot.below || dot.before;
    for (const dot of [...dots].sort((p, q) => far(q) - far(p))) dot.label = this.label(dot);
    const onTop = (dot) => Number(dot.run === chosen);
    for (const dot of [...dots].sort((p, q) => onTop(p) - onTop(q))) {
      drawing.append(this.dot(dot, dot.run === chosen));
    }
    this.node.replaceChildren(drawing);
  }
  axes(a, b) {
    const parts = [];
    for (const t of spacedTicks(this.window[a], this.x, 34)) {
      parts.push(
        svg("path", { class: "lw-grid", d: `M${this.x(t)} ${EDGE.top}V${this.bottom}` }),
        this.text(this.x(t), this.bottom + 15, percentTick(t), "middle", "lw-tick"),
      );
    }
    for (const t of spacedTicks(this.window[b], this.y, 24)) {
      parts.push(
        svg("path", { class: "lw-grid", d: `M${EDGE.left} ${this.y(t)}H${this.right}` }),
        this.text(EDGE.left - 7, this.y(t) + 4, percentTick(t), "end", "lw-tick"),
      );
    }
    return [
      ...parts,
      svg("path", {
        class: "lw-axis",
        d: `M${EDGE.left} ${EDGE.top}V${this.bottom}H${this.right}`,
      }),
      this.text(this.right, this.bottom + 32, `${a}, % right →`, "end", "lw-axis-title is-first"),
      this.text(2, 13, `↑ ${b}, % right`, "start", "lw-axis-title is-second"),
    ];
  }
  text(x, y, words, anchor, kind) {
    return svg("text", { x, y, class: kind, "text-anchor": anchor }, words);
  }
  // The front as stairs: what lies below and left of it is beaten.
  frontLine() {
    const points = this.model.get("front").map(([p, q]) => [this.x(p), this.y(q)]);
    let d = `M${Math.min(EDGE.left, points[0][0])} ${points[0][1]}`;
    points.forEach(([px, py], i) => {
      d += `H${px}V${i + 1 < points.length ? points[i + 1][1] : Math.max(this.bottom, py)}`;
    });
    const id = uid("clip");
    const clip = svg(
      "clipPath",
      { id },
      svg("rect", {
        x: EDGE.left,
        y: 0,
        width: this.right - EDGE.left + EDGE.right,
        height: this.bottom,
      }),
    );
    const area = `${d}H${EDGE.left}Z`;
    return [
      clip,
      svg("path", { class: "lw-beaten", d: area, "clip-path": `url(#${id})` }),
      svg("path", { class: "lw-front", d, "clip-path": `url(#${id})` }),
    ];
  }
  // What a task reaches alone, as a line across.
  alone() {
    const [a, b] = this.tasks;
    const alone = this.model.get("alone");
    const parts = [];
    const score = (task) => this.runs.find((r) => r.name === alone[task]).scores[task].mean;
    if (a in alone) {
      parts.push(
        svg("path", {
          class: "lw-alone is-first",
          d: `M${this.x(score(a))} ${EDGE.top}V${this.bottom}`,
        }),
      );
    }
    if (b in alone) {
      parts.push(
        svg("path", {
          class: "lw-alone is-second",
          d: `M${EDGE.left} ${this.y(score(b))}H${this.right}`,
        }),
      );
    }
    return parts;
  }
  // A run outside the window stands at its edge.
  placed(run) {
    const [a, b] = this.tasks.map((task) => run.scores[task].mean);
    const x = this.x(a);
    const y = this.y(b);
    const below = y > this.bottom;
    const before = x < EDGE.left;
    return { run, below, before, x: before ? EDGE.left + 11 : x, y: below ? this.bottom - 11 : y };
  }
  dot({ run, x, y, below, before, label }, isChosen) {
    const [a, b] = this.tasks.map((task) => run.scores[task]);
    const away = below || before;
    const group = svg("g", {
      class: `lw-dot${isChosen ? " is-chosen" : ""}${run.front ? " is-front" : ""}`,
      style: `--tint: ${tint(run)}`,
      "data-run": run.name,
    });
    group.addEventListener("click", () => this.choose(run));
    const spread = (from, to, low, high) =>
      [clamp(from, low, high), clamp(to, low, high)].map((v) => v.toFixed(1));
    const [x0, x1] = spread(this.x(a.min), this.x(a.max), EDGE.left, this.right);
    const [y0, y1] = spread(this.y(b.max), this.y(b.min), EDGE.top - 14, this.bottom);
    const told = (task, found) => `${task} ${percent(found.mean)} (${range(found)})`;
    group.append(
      svg(
        "title",
        {},
        `${run.label}: ${told(this.tasks[0], a)}, ${told(this.tasks[1], b)}`,
      ),
      svg("circle", { class: "lw-hit", cx: x, cy: y, r: 15 }),
    );
    if (!before) {
      group.append(svg("path", { class: "lw-spread", d: below ? "" : `M${x} ${y0}V${y1}` }));
    }
    if (!below) {
      group.append(svg("path", { class: "lw-spread", d: before ? "" : `M${x0} ${y}H${x1}` }));
    }
    if (isChosen) group.append(svg("circle", { class: "lw-ring", cx: x, cy: y, r: 11 }));
    const size = isChosen ? 7.5 : 6;
    const half = size + 2;
    if (away) {
      group.append(
        svg("path", {
          class: "lw-mark",
          d: below ? `M${x - 7} ${y - 5}h14l-7 11z` : `M${x + 5} ${y - 7}v14l-11 -7z`,
        }),
      );
    } else if (run.weight === null) {
      group.append(
        svg("path", {
          class: "lw-mark",
          d: `M${x} ${y - half}l${half} ${half}l${-half} ${half}l${-half} ${-half}z`,
        }),
      );
    } else group.append(svg("circle", { class: "lw-mark", cx: x, cy: y, r: size }));
    group.append(label);
    return group;
  }
  // The place that hides the fewest dots and other labels. A run outside tells how far.
  label({ run, x, y, below, before }) {
    const task = below ? this.tasks[1] : this.tasks[0];
    const words = below || before
      ? `${run.label} (${percent(run.scores[task].mean, 0)})`
      : run.weight === null
      ? run.label
      : rounded(run.weight);
    const wide = 6.6 * words.length;
    const boxOf = ([dx, dy, anchor]) => {
      const left = x + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0);
      return [left, y + dy - 11, left + wide, y + dy + 3];
    };
    const meets = (p, q) => p[0] < q[2] && q[0] < p[2] && p[1] < q[3] && q[1] < p[3];
    const outside = (box) =>
      box[0] < EDGE.left || box[2] > this.right + EDGE.right || box[3] > this.bottom - 1;
    const costs = (box) =>
      (outside(box) ? 100 : 0) +
      this.taken.filter((t) => meets(box, t) && !(t[0] === x - 8 && t[1] === y - 8)).length;
    const better = (best, place) => (costs(boxOf(place)) < costs(boxOf(best)) ? place : best);
    const at = LABELS.reduce((best, place) => better(best, place));
    this.taken.push(boxOf(at));
    return this.text(x + at[0], y + at[1], words, at[2], "lw-label");
  }
}
const percentTick = (t) => String(Number((100 * t).toFixed(1)));

// -- a task's curves -----------------------------------------------------------------

class Curves {
  constructor(model, task, kind) {
    this.model = model;
    this.task = task;
    this.runs = model.get("runs");
    const others = Object.entries(model.get("alone")).filter(([other]) => other !== task);
    const untaught = others.map(([, name]) => name);
    this.learning = this.runs.filter((run) => !untaught.includes(run.name));
    this.node = make("figure", { class: `lw-curves ${kind}`, role: "img" });
  }
  // All runs that learn this task; a run that does not only where it is the chosen one.
  /** @returns {[number, number]} */
  limits(measure, chosen) {
    const values = [...new Set([...this.learning, chosen])].map((run) =>
      run.curves[measure][this.task]
    );
    const low = Math.min(...values.flatMap((v) => v.min));
    const high = Math.max(...values.flatMap((v) => v.max));
    return measure === "accuracy"
      ? [Math.min(0.9, Math.floor(low * 10) / 10), 1]
      : [0, high * 1.04];
  }
  paint(chosen) {
    const measure = this.model.get("measure");
    const width = this.node.clientWidth || 440;
    const height = clamp(width * 0.42, PANEL.low, PANEL.high);
    const short = width < 330;
    const right = width - (short ? 60 : PANEL.right);
    const bottom = height - PANEL.bottom;
    const epochs = this.model.get("about").epochs;
    const limits = this.limits(measure, chosen);
    const x = scale([1, Math.max(epochs, 2)], [PANEL.left + 4, right]);
    const y = scale(limits, [bottom, PANEL.top]);
    const of = (run) => run.curves[measure][this.task];
    const point = (v, i) => `${x(i + 1).toFixed(1)} ${y(v).toFixed(1)}`;
    const path = (values) => values.map((v, i) => `${i ? "L" : "M"}${point(v, i)}`).join("");
    const shown = of(chosen);
    const alone = this.runs.find((run) => run.name === this.model.get("alone")[this.task]);
    const id = uid("clip");
    const back = shown.min.map((v, i) => `L${point(v, i)}`).reverse().join("");
    const band = `${path(shown.max)}${back}Z`;
    const inside = svg(
      "g",
      { "clip-path": `url(#${id})` },
      ...this.learning.filter((run) => run !== chosen).map((run) =>
        svg("path", { class: "lw-other", d: path(of(run).mean) })
      ),
      svg("path", { class: "lw-band", d: band }),
      svg("path", { class: "lw-line", d: path(shown.mean) }),
      ...(alone && alone !== chosen
        ? [svg("path", { class: "lw-reference", d: path(of(alone).mean) })]
        : []),
    );
    this.node.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
        svg(
          "clipPath",
          { id },
          svg("rect", {
            x: PANEL.left,
            y: PANEL.top - 4,
            width: right - PANEL.left + 6,
            height: bottom - PANEL.top + 5,
          }),
        ),
        ...this.axes(measure, limits, { x, y, right, bottom, epochs }),
        inside,
        ...this.ends(measure, shown.mean, alone === chosen ? null : alone && of(alone).mean, {
          x,
          y,
          epochs,
          bottom,
          short,
        }),
      ),
    );
    this.node.setAttribute("aria-label", this.words(measure, chosen, shown, alone && of(alone)));
  }
  axes(measure, limits, { x, y, right, bottom, epochs }) {
    /** @type {SVGElement[]} */
    const parts = [
      svg(
        "text",
        { x: 2, y: 14, class: "lw-panel-title" },
        `${this.task}: ${measure === "accuracy" ? "val accuracy, %" : "val loss"}`,
      ),
    ];
    for (const t of ticks(...limits, 4)) {
      parts.push(
        svg("path", { class: "lw-grid", d: `M${PANEL.left} ${y(t).toFixed(1)}H${right}` }),
        svg(
          "text",
          { x: PANEL.left - 7, y: y(t) + 4, class: "lw-tick", "text-anchor": "end" },
          measure === "accuracy" ? percentTick(t) : String(t),
        ),
      );
    }
    const every = Math.ceil(epochs / 10);
    for (let e = 1; e <= epochs; e += every) {
      parts.push(
        svg(
          "text",
          { x: x(e), y: bottom + 16, class: "lw-tick", "text-anchor": "middle" },
          String(e),
        ),
      );
    }
    parts.push(
      svg("text", { x: right + 12, y: bottom + 16, class: "lw-tick" }, "epoch"),
      svg("path", { class: "lw-axis", d: `M${PANEL.left} ${bottom + 0.5}H${right}` }),
    );
    return parts;
  }
  ends(measure, mean, alone, { x, y, epochs, bottom, short }) {
    const last = mean[epochs - 1];
    const at = clamp(y(last), PANEL.top, bottom - 2);
    const text = (value) => (measure === "accuracy" ? percent(value) : value.toFixed(2));
    const parts = [
      svg("circle", { class: "lw-end-dot", cx: x(epochs), cy: at, r: 4 }),
      svg("text", { x: x(epochs) + 10, y: at + 5, class: "lw-end" }, text(last)),
    ];
    if (!alone) return parts;
    const wanted = clamp(y(alone[epochs - 1]), PANEL.top, bottom);
    // clear of the other end, and of the axis' name
    const above = at - 16;
    const below = at + 16;
    const away = (wanted <= at && above > PANEL.top - 8) || below > bottom - 8
      ? Math.min(wanted, above)
      : Math.max(wanted, below);
    return [
      ...parts,
      svg(
        "text",
        { x: x(epochs) + 10, y: away + 5, class: "lw-end is-alone" },
        short ? "alone" : `${text(alone[epochs - 1])} alone`,
      ),
    ];
  }
  words(measure, chosen, shown, alone) {
    const n = shown.mean.length - 1;
    const text = (value) => (measure === "accuracy" ? percent(value) : value.toFixed(3));
    const first = `${text(shown.mean[0])} after epoch 1`;
    const last = `${text(shown.mean[n])} after epoch ${n + 1}`;
    const beside = alone ? `; alone ${text(alone.mean[n])}` : "";
    return `${this.task}, validation ${measure}, ${chosen.label}: ${first}, ${last}${beside}.`;
  }
}

// -- the weight ----------------------------------------------------------------------

function makeWeight(model, choose) {
  const runs = model.get("runs");
  const fixed = runs.filter((run) => run.weight !== null);
  const learnt = runs.find((run) => run.weight === null);
  const [a, b] = model.get("tasks");
  const id = uid("w");
  const last = fixed.length - 1;
  const slider = make("input", {
    id,
    type: "range",
    min: 0,
    max: Math.max(last, 1),
    step: 1,
    class: "lw-slider",
    oninput: () => choose(at()),
    onclick: () => {
      if (model.get("weight") === LEARNT) choose(at());
    },
  });
  const at = () => fixed[Math.min(Number(slider.value), last)];
  const nearest = (share) =>
    fixed.reduce(
      (best, run) => (Math.abs(run.weight - share) < Math.abs(best.weight - share) ? run : best),
      fixed[0],
    );
  const marks = make(
    "div",
    { class: "lw-scale", "aria-hidden": "true" },
    ...fixed.map((run, i) =>
      make("span", { style: `--at: ${last ? i / last : 0}` }, rounded(run.weight))
    ),
  );
  const sides = make(
    "div",
    { class: "lw-sides", "aria-hidden": "true" },
    make("span", {}, `← ${b}`),
    make("span", {}, `${a} →`),
  );
  const button = learnt &&
    make(
      "button",
      {
        type: "button",
        class: "cw-button lw-learnt",
        title: "Weights that were learnt beside the net, " +
          "by how uncertain each task is (Kendall et al., 2018)",
        onclick: () => choose(learnt),
      },
      make("i", { "aria-hidden": "true" }),
      "learnt weights",
    );
  const value = make("b", { class: "lw-value", "aria-hidden": "true" });
  const node = make(
    "div",
    { class: "lw-control" },
    make("label", { for: id }, "Weight w of ", make("b", { class: "is-first" }, a)),
    make("div", { class: "lw-track" }, slider, marks, sides),
    value,
    ...(button ? [button] : []),
  );
  node.hidden = fixed.length < 2 && !learnt;
  return {
    node,
    paint: (chosen) => {
      slider.value = fixed.indexOf(chosen.weight === null ? nearest(chosen.share) : chosen);
      slider.setAttribute(
        "aria-valuetext",
        chosen.weight === null ? "learnt weights" : chosen.label,
      );
      node.classList.toggle("is-learnt", chosen.weight === null);
      button?.setAttribute("aria-pressed", String(chosen.weight === null));
      value.textContent = chosen.weight === null ? `w → ${chosen.share.toFixed(2)}` : chosen.label;
    },
  };
}

function formula(model) {
  const [a, b] = model.get("tasks");
  const about = model.get("about");
  return make(
    "p",
    { class: "lw-about" },
    `${about.net} learns two tasks from ${about.pictures} ${about.data}: `,
    make(
      "span",
      { class: "lw-formula" },
      "w · loss(",
      make("b", { class: "is-first" }, a),
      ") + (1 − w) · loss(",
      make("b", { class: "is-second" }, b),
      ")",
    ),
    `. Stored runs: ${about.epochs} epochs, ${plural(about.seeds, "seed")} each.`,
  );
}

function legend() {
  const item = (words, ...drawn) =>
    make(
      "span",
      {},
      svg("svg", { viewBox: "0 0 26 14", width: 26, height: 14, "aria-hidden": "true" }, ...drawn),
      words,
    );
  return make(
    "div",
    { class: "lw-legend", "aria-hidden": "true" },
    item(
      "a run, range over seeds",
      svg("path", { class: "lw-spread", d: "M2 7H24M13 1V13" }),
      svg("circle", { class: "lw-mark", cx: 13, cy: 7, r: 4.5 }),
    ),
    item("learnt weights", svg("path", { class: "lw-mark is-learnt", d: "M13 0l7 7l-7 7l-7 -7z" })),
    item("Pareto front", svg("path", { class: "lw-front", d: "M2 2H13V12H24" })),
    item("a task alone", svg("path", { class: "lw-alone", d: "M1 7H25" })),
  );
}

function makeScores(model) {
  const tasks = model.get("tasks");
  const alone = model.get("alone");
  const runs = model.get("runs");
  const cells = tasks.map((task, i) => ({
    task,
    value: make("b", {}),
    note: make("small", {}),
    node: null,
    kind: i ? "is-second" : "is-first",
  }));
  const verdict = make("p", { class: "lw-verdict" });
  const node = make(
    "div",
    { class: "lw-scores" },
    ...cells.map((cell) =>
      make(
        "section",
        { class: `lw-score ${cell.kind}` },
        make("h4", {}, `${cell.task}: test accuracy`),
        make("p", {}, cell.value, cell.note),
      )
    ),
    verdict,
  );
  return {
    node,
    paint: (chosen) => {
      for (const { task, value, note } of cells) {
        const found = chosen.scores[task];
        const single = runs.find((run) => run.name === alone[task]);
        value.textContent = percent(found.mean);
        note.textContent = range(found);
        if (single === chosen) note.append("; learnt alone");
        else if (single) note.append(`; alone ${percent(single.scores[task].mean)}`);
      }
      verdict.textContent = chosen.front
        ? "On the front: no other run is better at one task without being worse at the other."
        : "Behind the front: another run is at least as good at both tasks, and better at one.";
      verdict.classList.toggle("is-front", chosen.front);
    },
  };
}

// -- the widget ----------------------------------------------------------------------

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const runs = model.get("runs");
  const tasks = model.get("tasks");
  const box = frame(el, `Loss weights of ${tasks.join(" and ")}`);
  box.classList.add("cw-lw");
  const change = (changes) => {
    send(model, changes);
    paint();
  };
  const choose = (run) => change({ weight: keyOf(run) });
  const control = makeWeight(model, choose);
  const plane = new Plane(model, choose);
  const scores = makeScores(model);
  const panels = tasks.map((task, i) => new Curves(model, task, i ? "is-second" : "is-first"));
  const measures = makeSwitch(
    "Curves",
    [{ value: "accuracy", label: "accuracy" }, { value: "loss", label: "loss" }],
    model.get("measure"),
    (measure) => change({ measure }),
  );
  const said = make("p", { class: "lw-said cw-quiet", role: "status" });
  box.append(
    make(
      "header",
      { class: "lw-top" },
      make("h3", { class: "lw-title" }, "Loss weights"),
      legend(),
      formula(model),
    ),
    control.node,
    make(
      "div",
      { class: "lw-board" },
      make(
        "section",
        { class: "lw-left" },
        make(
          "h4",
          {},
          "Test accuracy of both tasks",
          make("small", {}, "log scale of what is wrong"),
        ),
        plane.node,
      ),
      make(
        "section",
        { class: "lw-right" },
        make("div", { class: "lw-right-head" }, make("h4", {}, "While training"), measures.node),
        ...panels.map((panel) => panel.node),
      ),
    ),
    scores.node,
    said,
  );
  function paint() {
    const weight = model.get("weight");
    const chosen = runs.find((run) => keyOf(run) === weight) ?? runs[0];
    control.paint(chosen);
    measures.set(model.get("measure"));
    plane.paint(chosen);
    for (const panel of panels) panel.paint(chosen);
    scores.paint(chosen);
    const what = chosen.weight === null
      ? `Learnt weights (share of ${tasks[0]} at the end ${chosen.share.toFixed(2)})`
      : chosen.label;
    const found = tasks.map((task) => `${task} ${percent(chosen.scores[task].mean)}`).join(", ");
    said.textContent = `${what}: ${found} of ${model.get("about").tested} test pictures.`;
  }
  paint();
  // drawn as wide as there is room
  const resized = new ResizeObserver(() => requestAnimationFrame(paint));
  resized.observe(box);
  const stop = follow(model, ["weight", "measure"], paint);
  return () => {
    resized.disconnect();
    stop();
  };
}

export default { render };
