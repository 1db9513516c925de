// @ts-check
import { compact, compactParts, focusIn, follow, frame, make, plural, send, svg } from "./base.js";
import { makeCodePanel } from "./code_panel.js";
import { FLAME, SNOWFLAKE } from "./icons.js";

const SIGNS = { frozen: SNOWFLAKE, wakes: FLAME };
const SLEEPS = 0;
const STEP = 0.1; // decades, by a key
const FINE = 0.01; // decades, by the pointer
const NAMES = [92, 138]; // pixels, as those below
const BESIDE = 224; // rates
const NARROWEST = 20; // a cell
const UPRIGHT = 29; // a count upright
const ONE_LINE = 35; // with its unit beside it
const KEYS = "Keys: arrows move, Enter wakes a stage or lets it sleep.";
const AXIS = [-6, 0]; // powers of ten, wider where a rate asks for it

// -- words and numbers ---------------------------------------------------------------

// 0.001 as "1e-3", 0.03 as "0.03"
function rateText(lr) {
  const digits = Number(lr.toPrecision(3));
  return digits >= 0.01 && digits < 1000
    ? String(digits)
    : digits.toExponential().replace("e+", "e");
}
const raised = (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)];
const power = (n) => (n === 0 ? "1" : `10${[...String(n)].map(raised).join("")}`);
const twoFigures = (decades) => Number((10 ** decades).toPrecision(2));

// The part of a name that tells it from its neighbours: "denseblock1", but "features.1".
function shortName(name) {
  const last = name.split(".").pop();
  return name.length <= 15 || /^\d+$/.test(last) ? name : last;
}

// A name that is cut before its last part where room is short: "encoder_la…_11".
function stageLabel(name, kind) {
  const text = shortName(name);
  const tail = (text.match(/[._]?\d+$/) ?? text.match(/[._]?[^._]{0,5}$/))[0];
  return make(
    "span",
    { class: kind },
    make("span", {}, text.slice(0, text.length - tail.length)),
    make("span", {}, tail),
  );
}

function sign(name) {
  return svg(
    "svg",
    { class: `plan-sign is-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: SIGNS[name] }),
  );
}

function stateAt(wakes, epoch) {
  if (wakes === SLEEPS || epoch < wakes) return "frozen";
  return epoch === wakes ? "wakes" : "learns";
}

// -- stages by epochs ----------------------------------------------------------------

function nameCell(stage, role, note) {
  return make(
    "div",
    { class: "plan-name", role, title: stage.name },
    stageLabel(stage.name, "plan-stage"),
    make("small", {}, compact(stage.params)),
    note ? make("span", { class: "plan-note" }, note) : "",
  );
}

function countCell(n, total) {
  const [value, unit] = compactParts(n);
  const share = total ? (100 * n) / total : 0;
  const percent = `${share.toFixed(share < 10 ? 1 : 0)} %`;
  return make(
    "div",
    {
      class: `plan-count${n ? "" : " is-nothing"}`,
      title: `${n.toLocaleString("en")} parameters learn, ${percent} of all`,
    },
    make("span", { class: "plan-column", style: `--share: ${share}%` }),
    make(
      "span",
      { class: "plan-figure" },
      make("b", {}, n ? value : "⚠ 0"),
      make("small", {}, unit),
    ),
  );
}

// Cells in the order of reading; the focus roves, and Enter or Space does what a click does.
function makeGrid(model, stages, act) {
  const grid = make("div", {
    class: "plan-grid",
    role: "grid",
    "aria-multiselectable": "true",
    "aria-label": "Stages by epochs: what learns when",
  });
  const counts = make("div", { class: "plan-row plan-counts", "aria-hidden": "true" });
  const node = make("div", { class: "plan-epochs" }, grid, counts);
  let cells = [];
  let heads = [];
  let epochs = 0;

  function build() {
    epochs = model.get("epochs");
    cells = [];
    heads = Array.from(
      { length: epochs },
      (_, i) => make("div", { class: "plan-head", role: "columnheader" }, String(i + 1)),
    );
    const first = make(
      "div",
      { class: "plan-corner", role: "columnheader" },
      "Stage",
      make("small", {}, "epoch"),
    );
    grid.replaceChildren(
      make("div", { class: "plan-row", role: "row" }, first, ...heads),
      ...stages.map(buildRow),
    );
    node.style.setProperty("--epochs", String(epochs));
    cells.forEach((cell, i) => {
      cell.node.tabIndex = i === 0 ? 0 : -1;
    });
  }
  function buildRow(stage, r) {
    const note = r === 0 ? "head" : r === stages.length - 1 ? "stem" : "";
    const row = make("div", { class: "plan-row", role: "row" }, nameCell(stage, "rowheader", note));
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const cell = {
        stage,
        epoch,
        state: "",
        node: make("div", {
          class: "plan-cell",
          role: "gridcell",
          onclick: () => {
            move(cell);
            act(stage, epoch);
          },
        }),
      };
      cells.push(cell);
      row.append(cell.node);
    }
    return row;
  }
  function move(cell) {
    focusIn(cells.map((c) => c.node), cell.node);
    cell.node.focus({ preventScroll: true });
    cell.node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  function target(key, i, whole) {
    const start = i - (i % epochs);
    const end = start + epochs - 1;
    const steps = {
      ArrowRight: Math.min(i + 1, end),
      ArrowLeft: Math.max(i - 1, start),
      ArrowDown: i + epochs,
      ArrowUp: i - epochs,
      Home: whole ? 0 : start,
      End: whole ? cells.length - 1 : end,
    };
    return cells[steps[key]];
  }
  grid.addEventListener("keydown", (event) => {
    const i = cells.findIndex((c) => c.node === event.target);
    if (i < 0 || event.altKey || event.metaKey) return;
    const { stage, epoch } = cells[i];
    const wakes = model.get("wakes")[stage.name];
    const next = target(event.key, i, event.ctrlKey);
    if (next) move(next);
    else if (event.key === "Enter" || event.key === " ") act(stage, epoch);
    else if ((event.key === "Delete" || event.key === "Backspace") && wakes) act(stage, wakes);
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
  });

  function paintCell(cell, wakes) {
    const state = stateAt(wakes, cell.epoch);
    if (state !== cell.state) {
      cell.state = state;
      cell.node.className = `plan-cell is-${state}`;
      cell.node.replaceChildren(
        state === "learns"
          ? make("span", { class: "plan-dot", "aria-hidden": "true" })
          : sign(state),
      );
      cell.node.setAttribute("aria-label", `${cell.stage.name}, epoch ${cell.epoch}: ${state}`);
      cell.node.setAttribute("aria-selected", String(state !== "frozen"));
    }
    cell.node.title = state === "wakes"
      ? "Wakes here: click to let it sleep"
      : `Click: wakes in epoch ${cell.epoch}`;
  }
  function paintCounts() {
    const { learning, total } = model.get("counts");
    counts.replaceChildren(
      make(
        "div",
        { class: "plan-name" },
        make("span", { class: "plan-stage" }, "Learning"),
        make("small", {}, "parameters"),
      ),
      ...learning.map((n) => countCell(n, total)),
    );
    learning.forEach((n, i) =>
      heads[i]?.setAttribute(
        "aria-label",
        `epoch ${i + 1}, ${n ? compact(n) : "no"} parameters learn`,
      )
    );
  }
  function paint() {
    if (epochs !== model.get("epochs")) build();
    const wakes = model.get("wakes");
    const known = model.get("counts");
    for (const cell of cells) paintCell(cell, wakes[cell.stage.name]);
    const stale = stages.some((s) => known.wakes[s.name] !== wakes[s.name]) ||
      known.learning.length !== epochs;
    counts.classList.toggle("is-stale", stale);
    if (!stale) paintCounts();
  }
  function place(names) {
    node.style.setProperty("--names", `${names}px`);
    const room = heads[0].offsetWidth;
    if (!room) return; // out of view
    node.classList.toggle("is-tight", room < UPRIGHT);
    node.classList.toggle("is-stacked", room >= UPRIGHT && room < ONE_LINE);
  }
  return { node, paint, place };
}

// -- learning rates ------------------------------------------------------------------

function axisOf(rates) {
  const logs = Object.values(rates).map(Math.log10);
  return [
    Math.min(AXIS[0], Math.floor(Math.min(...logs) + 1e-9)),
    Math.max(AXIS[1], Math.ceil(Math.max(...logs) - 1e-9)),
  ];
}

function axisTicks([low, high]) {
  const every = Math.ceil((high - low) / 3);
  const ticks = [];
  for (let n = high; n >= low; n -= every) ticks.unshift(n);
  return ticks;
}

const along = (decades, [low, high]) => (decades - low) / (high - low);

// A range input over a bar. Arrow keys go a tenth of a decade.
function rateRow(stage, change) {
  const level = make("span", { class: "plan-fill" });
  const slider = make("input", {
    type: "range",
    step: FINE,
    class: "plan-slider",
    "aria-label": `Learning rate of ${stage.name}`,
    oninput: () => change(stage, twoFigures(Number(slider.value))),
    onkeydown: (event) => {
      const way = {
        ArrowRight: 1,
        ArrowUp: 1,
        PageUp: 10,
        ArrowLeft: -1,
        ArrowDown: -1,
        PageDown: -10,
      }[event.key];
      if (!way) return;
      event.preventDefault();
      const tenth = Math.round(Number(slider.value) / STEP) + way;
      const limit = (n) => Math.min(Number(slider.max), Math.max(Number(slider.min), n));
      change(stage, twoFigures(limit(tenth * STEP)));
    },
  });
  const field = make("input", {
    type: "text",
    inputmode: "decimal",
    class: "plan-field",
    "aria-label": `Learning rate of ${stage.name}, as a number`,
    onchange: () => {
      const lr = Number(field.value);
      if (field.value.trim() && lr > 0 && Number.isFinite(lr)) change(stage, lr);
      else {
        field.value = field.dataset.before;
        field.classList.remove("is-refused");
        void field.offsetWidth;
        field.classList.add("is-refused");
      }
    },
  });
  const node = make(
    "div",
    { class: "plan-rate" },
    make(
      "span",
      { "aria-hidden": "true", title: stage.name },
      stageLabel(stage.name, "plan-rate-name"),
    ),
    make("div", { class: "plan-bar" }, make("span", { class: "plan-track" }, level), slider),
    field,
  );
  const paint = (lr, axis, asleep) => {
    const decades = Math.log10(lr);
    const text = rateText(lr);
    [slider.min, slider.max] = axis;
    slider.value = String(decades);
    slider.setAttribute("aria-valuetext", text + (asleep ? ", frozen throughout" : ""));
    level.style.width = `${100 * along(decades, axis)}%`;
    field.value = field.dataset.before = text;
    field.title = String(lr);
    field.classList.remove("is-refused");
    node.classList.toggle("is-asleep", asleep);
    node.title = asleep ? "Frozen throughout: this rate is not used" : "";
  };
  return { stage, node, paint };
}

function ratioControl(model, sent) {
  const set = (text) => {
    const ratio = Number(text);
    if (String(text).trim() && ratio > 0 && ratio <= 1) sent(ratio);
    else paint();
  };
  const slider = make("input", {
    type: "range",
    min: 0.05,
    max: 1,
    step: 0.05,
    class: "plan-ratio-slider",
    "aria-label": "Ratio between neighbouring stages",
    oninput: () => set(slider.value),
  });
  const field = make("input", {
    type: "text",
    inputmode: "decimal",
    class: "plan-field",
    placeholder: "own",
    "aria-label": "Ratio between neighbouring stages, as a number",
    onchange: () => set(field.value),
  });
  const words = make("small", {});
  const node = make(
    "div",
    { class: "plan-ratio" },
    make("div", { class: "plan-ratio-words" }, "Ratio between neighbours", words),
    slider,
    field,
  );
  function paint() {
    const ratio = model.get("ratio");
    node.classList.toggle("is-own", ratio === null);
    slider.setAttribute(
      "aria-valuetext",
      ratio === null ? "each stage has its own rate" : String(ratio),
    );
    if (ratio !== null) slider.value = ratio;
    field.value = ratio === null ? "" : String(Number(ratio.toPrecision(3)));
    words.textContent = ratio === null
      ? "now set one by one"
      : ratio === 1
      ? "all as the head"
      : `× ${Number(ratio.toPrecision(3))} from row to row`;
  }
  return { node, paint };
}

// Each change is saved at once: one that waits here would be lost to an earlier one's echo.
function makeRates(model, stages) {
  const ticks = make("div", { class: "plan-axis", "aria-hidden": "true" });
  const lines = make("div", { class: "plan-lines", "aria-hidden": "true" });
  const rows = stages.map((stage) =>
    rateRow(stage, (s, lr) => {
      send(model, { rates: { ...model.get("rates"), [s.name]: lr } });
      paint();
    })
  );
  const ratio = ratioControl(model, (value) => {
    send(model, { ratio: value });
    ratio.paint();
  });
  const node = make(
    "section",
    { class: "plan-rates", role: "group", "aria-label": "Learning rates" },
    make("div", { class: "plan-rates-head" }, make("span", {}, "Learning rate"), ticks),
    make(
      "div",
      { class: "plan-rate-rows" },
      lines,
      ...rows.map((r) => r.node),
    ),
    ratio.node,
  );
  let drawn = "";
  function drawAxis(axis) {
    if (drawn === String(axis)) return;
    drawn = String(axis);
    const places = axisTicks(axis).map((n) => ({ words: power(n), at: along(n, axis) }));
    ticks.replaceChildren(
      ...places.map(({ words, at }) =>
        make("span", {
          class: at === 0 ? "is-first" : at === 1 ? "is-last" : "",
          style: `left: ${100 * at}%`,
        }, words)
      ),
    );
    lines.replaceChildren(...places.map(({ at }) => make("span", { style: `left: ${100 * at}%` })));
  }
  function paint() {
    const rates = model.get("rates");
    const wakes = model.get("wakes");
    const axis = axisOf(rates);
    drawAxis(axis);
    for (const row of rows) {
      row.paint(rates[row.stage.name], axis, wakes[row.stage.name] === SLEEPS);
    }
    ratio.paint();
  }
  return { node, paint };
}

// -- the widget ----------------------------------------------------------------------

function presetButtons(model, set) {
  return Object.keys(model.get("presets")).map((label) =>
    make("button", {
      class: "cw-button",
      type: "button",
      onclick: () => set(model.get("presets")[label], label),
    }, label)
  );
}

function makeHead(model, stages) {
  const stagesText = plural(stages.length, "stage");
  const epochsText = plural(model.get("epochs"), "epoch");
  return make(
    "header",
    { class: "plan-top" },
    make("h3", { class: "plan-title" }, model.get("model_name")),
    legend(),
    make(
      "p",
      { class: "plan-about" },
      `${compact(model.get("counts").total)} parameters in ${stagesText}, ${epochsText}. ` +
        "Click a cell: the stage wakes there and learns to the end; again, and it sleeps.",
    ),
  );
}

function legend() {
  const key = (state, mark, words) =>
    make(
      "span",
      { class: "plan-key" },
      make("span", { class: `plan-cell is-${state}` }, mark),
      words,
    );
  return make(
    "div",
    { class: "plan-legend", "aria-hidden": "true" },
    key("frozen", sign("frozen"), "frozen"),
    key("wakes", sign("wakes"), "wakes"),
    key("learns", make("span", { class: "plan-dot" }), "learns"),
  );
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const stages = [...model.get("stages")].reverse(); // the head on top, as the schedule goes
  const box = frame(el, `Plan of fine-tuning ${model.get("model_name")}`);
  box.classList.add("cw-plan");
  const said = make("p", { class: "plan-said cw-quiet", role: "status" });
  const code = makeCodePanel(model);
  let telling = null;

  function setWakes(wakes, words) {
    telling = words;
    send(model, {
      wakes: Object.fromEntries(stages.map((s) => [s.name, wakes[s.name] ?? SLEEPS])),
    });
  }
  function act(stage, epoch) {
    const wakes = model.get("wakes");
    const sleeps = wakes[stage.name] === epoch;
    setWakes(
      { ...wakes, [stage.name]: sleeps ? SLEEPS : epoch },
      sleeps ? `${stage.name} sleeps throughout` : `${stage.name} wakes in epoch ${epoch}`,
    );
  }

  const grid = makeGrid(model, stages, act);
  const rates = makeRates(model, stages);
  const tools = make(
    "div",
    { class: "plan-tools" },
    ...presetButtons(model, setWakes),
    make("span", { class: "plan-gap" }),
    code.button,
  );
  const board = make("div", { class: "plan-board" }, grid.node, rates.node);
  function tell() {
    const { learning } = model.get("counts");
    const idle = learning.indexOf(0);
    const last = learning.lastIndexOf(0);
    const when = last > idle ? `epochs ${idle + 1} to ${last + 1}` : `epoch ${idle + 1}`;
    const warning = idle < 0
      ? ""
      : `⚠ Nothing learns in ${when}: training stops with an error there.`;
    said.textContent = warning || telling
      ? [telling ? `${telling}. ` : "", warning].join("")
      : KEYS;
    said.classList.toggle("is-warning", warning !== "");
  }
  function place() {
    const [least, most] = NAMES;
    const spare = board.clientWidth - BESIDE - least - NARROWEST * model.get("epochs");
    if (!board.clientWidth) return; // out of view
    board.classList.toggle("is-long", spare < 0);
    grid.place(spare < 0 ? most : Math.min(most, least + spare / 3));
  }
  function paint() {
    grid.paint();
    rates.paint();
    place();
  }
  let top = makeHead(model, stages);
  box.append(top, tools, code.panel, board, said);
  paint();
  tell();
  const resized = new ResizeObserver(() => requestAnimationFrame(place));
  resized.observe(box);
  const stops = [
    follow(model, ["wakes", "rates", "ratio"], paint),
    follow(model, ["code"], code.paint),
    follow(model, ["counts"], () => {
      paint();
      tell();
      telling = null;
    }),
    follow(model, ["epochs"], () => {
      const fresh = makeHead(model, stages);
      top.replaceWith(fresh);
      top = fresh;
      paint();
    }),
  ];
  return () => {
    resized.disconnect();
    stops.forEach((stop) => stop());
  };
}

export default { render };
