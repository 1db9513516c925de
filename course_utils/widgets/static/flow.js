// @ts-check
import { compact, follow, frame, make, makeSwitch, send, svg } from "./base.js";

const TOP = 40;
const HEIGHT = 92;
const BACK = TOP + HEIGHT + 26;
const KEPT = BACK + 36;

const NARROWEST = 56;

function spacing(count, width) {
  const narrow = width < 110 * (count + 1);
  const [end, loss, gap] = narrow ? [62, 44, 11] : [92, 56, 20];
  return { narrow, end, loss, gap };
}

// Stages that would not fit are drawn as one: the middle ones, which always share a fate.
function fold(stages, trains, width) {
  const { end, loss, gap } = spacing(stages.length, width);
  const most = Math.max(3, Math.floor((width - end - loss - gap - 4) / (NARROWEST + gap)));
  if (stages.length <= most) return [stages, trains];
  const kept = most - 2;
  const folded = stages.slice(kept, -1);
  const one = {
    name: `+ ${folded.length} more`,
    parameters: folded.reduce((sum, s) => sum + s.parameters, 0),
  };
  return [[...stages.slice(0, kept), one, stages[stages.length - 1]], [
    ...trains.slice(0, kept + 1),
    trains[trains.length - 1],
  ]];
}

// Columns (image, stages, loss) that fill the width.
function layout(count, width) {
  const { narrow, end, loss, gap } = spacing(count, width);
  const free = width - end - loss - gap * (count + 1) - 4;
  const stage = Math.min(120, Math.max(NARROWEST, free / count));
  const columns = [];
  let x = 2;
  for (const w of [end, ...Array(count).fill(stage), loss]) {
    columns.push({ x, w, middle: x + w / 2, right: x + w });
    x += w + gap;
  }
  return { columns, gap, narrow, width: x - gap + 2 };
}

// A name cut to a width in its middle, for its end holds the number: "dense…k4".
function fit(name, width) {
  const room = Math.max(5, Math.floor((width - 4) / 5.8));
  if (name.length <= room) return name;
  const last = name.split(".").pop();
  const short = /^\d+$/.test(last) ? name : last;
  return short.length <= room ? short : `${short.slice(0, room - 3)}…${short.slice(-2)}`;
}

function nameText(name, column) {
  const text = fit(name, column.w);
  const tight = text.length * 7.4 > column.w - 8
    ? { textLength: column.w - 8, lengthAdjust: "spacingAndGlyphs" }
    : {};
  return svg("text", { class: "name", x: column.middle, y: TOP + 20, ...tight }, text);
}

function snowflake(x, y) {
  const arms = [0, 60, 120].map((angle) =>
    svg("path", {
      class: "icon",
      transform: `rotate(${angle})`,
      d: "M0-9V9M-3-7.5L0-5L3-7.5M-3 7.5L0 5L3 7.5",
    })
  );
  return svg("g", { transform: `translate(${x} ${y})` }, ...arms);
}

function flame(x, y) {
  return svg(
    "g",
    { transform: `translate(${x} ${y})` },
    svg("path", {
      class: "icon",
      d: "M0-11C1-6 7-4 7 3A7 7 0 0 1-7 3C-7-1-4-2-4-6C-2-5-1-3-1-2C1-4 1-8 0-11Z",
    }),
    svg("path", {
      class: "icon-core",
      d: "M0 9A3.6 3.6 0 0 1-3.4 5C-3.4 2.5-1 2 0-1C1 2 3.4 2.5 3.4 5A3.6 3.6 0 0 1 0 9Z",
    }),
  );
}

function arrow(from, to, y, kind) {
  const tip = to > from ? 6 : -6;
  return [
    svg("path", { class: kind, d: `M${from} ${y}H${to - tip}` }),
    svg("path", { class: `${kind}-tip`, d: `M${to} ${y}l${-tip * 1.2} -4.5v9z` }),
  ];
}

function sheets(x, y) {
  return svg(
    "g",
    { class: "kept" },
    ...[6, 3, 0].map((d) =>
      svg("rect", { x: x - 11 + d, y: y - 8 - d, width: 16, height: 13, rx: 2 })
    ),
  );
}

function block(column, className, ...inside) {
  return svg(
    "g",
    { class: className },
    svg("rect", { class: "stage", x: column.x, y: TOP, width: column.w, height: HEIGHT, rx: 8 }),
    ...inside,
  );
}

function drawEnd(column, lines) {
  const middle = TOP + HEIGHT / 2;
  return [
    svg("rect", {
      class: "plain",
      x: column.x,
      y: TOP + 18,
      width: column.w,
      height: HEIGHT - 36,
      rx: 8,
    }),
    ...lines.map((line, i) =>
      svg("text", { x: column.middle, y: middle + 4 + (i - (lines.length - 1) / 2) * 16 }, line)
    ),
  ];
}

function drawStage(stage, learns, column) {
  const icon = (learns ? flame : snowflake)(column.middle, TOP + 41);
  const group = block(
    column,
    learns ? "learns" : "frozen",
    nameText(stage.name, column),
    icon,
    svg("text", { x: column.middle, y: TOP + 67 }, learns ? "learns" : "frozen"),
    svg("text", { class: "small", x: column.middle, y: TOP + 83 }, compact(stage.parameters)),
  );
  const count = `${stage.parameters.toLocaleString("en")} parameters`;
  group.append(svg("title", {}, `${stage.name}: ${count}, ${learns ? "learns" : "frozen"}`));
  return group;
}

function drawFlow(allStages, allTrains, available) {
  const [stages, trains] = fold(allStages, allTrains, available);
  const { columns, gap, narrow, width } = layout(stages.length, available);
  const canvas = svg("svg", { width, height: KEPT + 18, viewBox: `0 0 ${width} ${KEPT + 18}` });
  const first = trains.indexOf(true);
  const loss = columns[columns.length - 1];
  canvas.append(
    svg("text", { class: "lane", x: columns[0].x, y: 16 }, narrow ? "forward" : "forward pass"),
    ...arrow(columns[0].x + (narrow ? 50 : 78), loss.right, 12, "forward"),
  );
  canvas.append(...drawEnd(columns[0], ["image"]), ...drawEnd(loss, ["loss"]));
  stages.forEach((stage, i) => canvas.append(drawStage(stage, trains[i], columns[i + 1])));
  for (let i = 0; i + 1 < columns.length; i++) {
    canvas.append(
      ...arrow(columns[i].right + 1, columns[i + 1].x - 1, TOP + HEIGHT / 2, "forward"),
    );
  }

  canvas.append(svg("text", { class: "lane", x: columns[0].x, y: BACK + 4 }, "gradients"));
  for (let i = stages.length - 1; i >= first; i--) {
    const from = i === stages.length - 1 ? loss.middle : columns[i + 2].middle;
    canvas.append(...arrow(from - 4, columns[i + 1].middle, BACK, "gradient"));
    canvas.append(
      svg("path", {
        class: "gradient",
        d: `M${columns[i + 1].middle} ${BACK - 4}V${TOP + HEIGHT + 5}`,
      }),
    );
  }
  canvas.append(
    svg("path", { class: "gradient", d: `M${loss.middle - 4} ${BACK}V${TOP + HEIGHT - 14}` }),
  );
  if (first > 0) {
    const x = columns[first + 1].x - gap / 2;
    canvas.append(
      svg("path", { class: "stop", d: `M${x} ${BACK - 9}V${BACK + 9}` }),
      svg(
        "text",
        { class: "small", x: x - 8, y: BACK + 4, style: "text-anchor: end" },
        "stops here",
      ),
    );
  }
  canvas.append(
    svg(
      "text",
      { class: "lane", x: columns[0].x, y: KEPT + 3 },
      narrow ? "kept" : "kept in memory",
    ),
  );
  stages.forEach((_, i) => {
    const x = columns[i + 1].middle;
    canvas.append(
      i >= first ? sheets(x, KEPT) : svg("path", { class: "not-kept", d: `M${x - 6} ${KEPT}h12` }),
    );
  });
  return canvas;
}

function describe(stages, trains, title) {
  const words = stages.map((s, i) => `${s.name} ${trains[i] ? "learns" : "is frozen"}`);
  return `${title}. The image passes through ${words.join(", ")}; then comes the loss.`;
}

function showFacts(list, labels, facts) {
  const row = (key, label) => [make("dt", {}, label), make("dd", {}, facts[key])];
  const rows = Object.entries(labels).flatMap(([key, label]) => row(key, label));
  rows[1].append(
    make(
      "div",
      { class: "cw-bar", "aria-hidden": "true" },
      make("span", { style: `width: ${100 * facts.share}%` }),
    ),
  );
  list.replaceChildren(...rows);
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const stages = model.get("stages");
  const modes = model.get("modes");
  const box = frame(el, "Flow of a training step");
  box.classList.add("cw-flow");
  const choice = makeSwitch(
    "Way to adapt the net",
    Object.entries(modes).map(([value, label]) => ({ value, label })),
    model.get("mode"),
    (mode) => send(model, { mode }),
  );
  const scroll = make("div", { class: "cw-flow-scroll", role: "img", tabindex: 0 });
  const list = make("dl", { class: "cw-facts", "aria-live": "polite" });
  let drawn = 0;
  const draw = () => {
    const mode = model.get("mode");
    const facts = model.get("facts")[mode];
    drawn = scroll.clientWidth || 640;
    scroll.setAttribute("aria-label", describe(stages, facts.trains, modes[mode]));
    scroll.replaceChildren(drawFlow(stages, facts.trains, drawn));
    if (scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0;
    else scroll.removeAttribute("tabindex");
  };
  const paint = () => {
    choice.set(model.get("mode"));
    draw();
    showFacts(list, model.get("labels"), model.get("facts")[model.get("mode")]);
  };
  box.append(
    make(
      "div",
      { class: "cw-flow-head" },
      make("span", { class: "cw-title" }, "One training step"),
      choice.node,
    ),
    scroll,
    list,
  );
  paint();
  const resized = new ResizeObserver(() => {
    if (scroll.clientWidth && scroll.clientWidth !== drawn) requestAnimationFrame(draw);
  });
  resized.observe(scroll);
  const unfollow = follow(model, ["mode"], paint);
  return () => {
    resized.disconnect();
    unfollow();
  };
}

export default { render };
