// @ts-check
import { follow, frame, make, send, svg, uid } from "./base.js";

const MARKS = [1, 2, 4, 8, 20]; // temperatures named below the slider
const CHART = { height: 62, left: 2, right: 2, top: 6, bottom: 5 };

// -- words and numbers ---------------------------------------------------------------

function shareText(share) {
  if (share < 0.0005) return "< 0.1 %";
  if (share >= 0.9995 && share < 1) return "> 99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}
function oddsText(odds) {
  if (odds >= 1e6) return odds.toExponential(0).replace("e+", "e");
  return odds >= 9.95 ? Math.round(odds).toLocaleString("en") : odds.toFixed(1);
}
const timesText = (x) => x.toFixed(x >= 9.95 ? 0 : x >= 0.995 ? 1 : x >= 0.0995 ? 2 : 3);
const atT = (T) => `T = ${Number(T.toFixed(2))}`;

// -- the pictures --------------------------------------------------------------------

// Native radio buttons with a picture each; arrow keys choose.
function makeThumbnails(model, choose) {
  const name = uid("picture");
  const pictures = model.get("pictures");
  const inputs = pictures.map((_, i) =>
    make("input", { type: "radio", name, onchange: () => choose(i) })
  );
  const node = make(
    "fieldset",
    { class: "soft-thumbs", role: "radiogroup", "aria-label": "Picture" },
    ...pictures.map((picture, i) =>
      make(
        "label",
        { title: `${i + 1}: ${picture.name}` },
        inputs[i],
        make("img", { src: picture.src, alt: `${i + 1}: ${picture.name}` }),
      )
    ),
  );
  node.hidden = pictures.length < 2;
  return {
    node,
    paint: () => {
      inputs[model.get("picture")].checked = true;
    },
  };
}

function makePicture(model, choose) {
  const shown = make("img", { class: "soft-picture" });
  const truth = make("b", {});
  const says = make("span", {});
  const thumbs = makeThumbnails(model, choose);
  const node = make(
    "section",
    { class: "soft-look", role: "group", "aria-label": "Pictures" },
    shown,
    make("p", { class: "soft-caption" }, truth, says),
    thumbs.node,
  );
  function paint(picture) {
    shown.src = picture.src;
    shown.alt = `The picture: ${picture.name}`;
    truth.textContent = picture.truth === null ? "No label" : picture.name;
    const right = picture.truth === 0;
    says.textContent = picture.truth === null
      ? `the teacher says ${picture.classes[0]}`
      : right
      ? "the teacher says so too"
      : `the teacher says ${picture.classes[0]}`;
    says.classList.toggle("is-wrong", picture.truth !== null && !right);
    thumbs.paint();
  }
  return { node, paint };
}

// -- the temperature -----------------------------------------------------------------

function makeTemperature(steps, set) {
  const last = steps.length - 1;
  const id = uid("T");
  const slider = make("input", {
    id,
    type: "range",
    min: 0,
    max: last,
    step: 1,
    class: "soft-slider",
    oninput: () => set(steps[slider.value]),
  });
  const value = make("b", { class: "soft-T", "aria-hidden": "true" });
  const marks = MARKS.map((T) => [T, steps.indexOf(T)]).filter(([, i]) => i >= 0);
  const scale = make(
    "div",
    { class: "soft-scale", "aria-hidden": "true" },
    ...marks.map(([T, i]) => make("span", { style: `--at: ${last ? i / last : 0}` }, String(T))),
  );
  const node = make(
    "div",
    { class: "soft-control" },
    make("label", { for: id }, "Temperature"),
    make("div", { class: "soft-track" }, slider, scale),
    value,
  );
  return {
    node,
    paint: (T) => {
      slider.value = steps.indexOf(T);
      slider.setAttribute("aria-valuetext", atT(T));
      value.textContent = atT(T);
    },
  };
}

// -- the bars ------------------------------------------------------------------------

function barRow(kind) {
  const before = make("span", { class: "soft-before" });
  const now = make("span", { class: "soft-now" });
  const cells = {
    name: make("span", { class: "soft-name", role: "rowheader" }),
    bars: make("span", { class: "soft-bars", role: "presentation" }, before, now),
  };
  for (const cell of ["one", "at", "odds"]) {
    cells[cell] = make("span", { class: `soft-number is-${cell}`, role: "cell" });
  }
  const node = make("div", { class: `soft-row ${kind}`, role: "row" }, ...Object.values(cells));
  const paint = (share, first, odds) => {
    before.style.setProperty("--share", first);
    now.style.setProperty("--share", share);
    cells.one.textContent = shareText(first);
    cells.at.textContent = shareText(share);
    cells.odds.textContent = odds === null ? "" : odds === 1 ? "best" : `1 : ${oddsText(odds)}`;
  };
  return { node, cells, paint };
}

function makeBars() {
  const head = ["class", "", "T = 1", "", "odds"].map((text, i) =>
    make(
      "span",
      i === 1
        ? { class: "soft-axis", role: "presentation" }
        : { role: "columnheader", class: i > 1 ? "soft-number" : "" },
      text,
    )
  );
  head[4].title = "How likely a class is, beside the best one";
  head[1].append(...[0, 50, 100].map((n) => make("span", { style: `--at: ${n / 100}` }, `${n} %`)));
  const body = make("div", { role: "rowgroup" });
  const node = make(
    "div",
    { class: "soft-table", role: "table", "aria-label": "Probabilities of the classes" },
    make("div", { class: "soft-row soft-head", role: "row" }, ...head),
    body,
  );
  let rows = [];
  let of = null;
  function build(picture) {
    of = picture;
    rows = picture.classes.map((name, i) => {
      const row = barRow(i === picture.truth ? "is-true" : "");
      row.cells.name.append(
        make("span", { title: name }, name),
        ...(i === picture.truth ? [make("small", {}, "✓ true")] : []),
      );
      return row;
    });
    if (picture.others) {
      const rest = barRow("is-rest");
      rest.cells.name.append(make("span", {}, `${picture.others.toLocaleString("en")} others`));
      rows.push(rest);
    }
    body.replaceChildren(...rows.map((row) => row.node));
  }
  function paint(picture, step, T) {
    if (of !== picture) build(picture);
    const first = picture.steps[0];
    head[3].textContent = atT(T);
    picture.classes.forEach((_, i) => rows[i].paint(step.shares[i], first.shares[i], step.odds[i]));
    if (picture.others) rows[rows.length - 1].paint(step.rest, first.rest, null);
  }
  return { node, paint };
}

// -- what follows from T -------------------------------------------------------------

// Lines over the slider's steps, with a mark at the chosen one; `top` is the upper edge's value.
function drawChart(place, lines, top, at) {
  const width = place.clientWidth || 240;
  const { height, left, right, bottom } = CHART;
  const n = lines[0].values.length;
  const x = (i) => left + 4 + ((width - left - right - 8) * i) / Math.max(n - 1, 1);
  const y = (value) => height - bottom - ((height - bottom - CHART.top) * value) / top;
  const path = (values) =>
    values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  place.replaceChildren(
    svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, class: "soft-chart", "aria-hidden": "true" },
      svg("path", { class: "is-axis", d: `M${left} ${y(0)}H${width - right}` }),
      svg("path", { class: "is-top", d: `M${left} ${y(top)}H${width - right}` }),
      svg("path", { class: "is-cursor", d: `M${x(at)} ${CHART.top - 4}V${height - bottom}` }),
      ...lines.map((line) => svg("path", { class: `line ${line.kind}`, d: path(line.values) })),
      ...lines.map((line) =>
        svg("circle", { class: `dot ${line.kind}`, cx: x(at), cy: y(line.values[at]), r: 4.2 })
      ),
    ),
  );
}

function makeCard(title) {
  const figure = make("p", { class: "soft-figure" });
  const chart = make("div", { class: "soft-drawn" });
  const note = make("p", { class: "soft-note" });
  return {
    node: make(
      "section",
      { class: "soft-card", role: "group", "aria-label": title },
      make("h4", {}, title),
      figure,
      chart,
      note,
    ),
    figure,
    chart,
    note,
  };
}

function makeCards(model) {
  const entropy = makeCard("Entropy");
  const dark = makeCard("Second best");
  const gradient = makeCard("Soft part’s gradient");
  const node = make("div", { class: "soft-cards" }, entropy.node, dark.node, gradient.node);
  const most = Math.log2(model.get("num_classes"));
  const allClasses = `all ${model.get("num_classes").toLocaleString("en")} classes`;
  function paintEntropy(picture, step, at) {
    entropy.figure.replaceChildren(
      make("b", {}, step.entropy.toFixed(2)),
      "bits",
      make("small", {}, `${picture.steps[0].entropy.toFixed(2)} at T = 1`),
    );
    drawChart(
      entropy.chart,
      [{ kind: "is-now", values: picture.steps.map((s) => s.entropy) }],
      most,
      at,
    );
    const limit = `at most ${most.toFixed(2)}, ${allClasses} alike`;
    entropy.note.textContent = `0 for a hard label; ${limit}.`;
  }
  function paintDark(picture, step, at) {
    const [best, second] = picture.classes;
    const first = picture.steps[0];
    dark.figure.replaceChildren(
      make("b", {}, `1 : ${oddsText(step.odds[1])}`),
      make("small", {}, `1 : ${oddsText(first.odds[1])} at T = 1`),
    );
    drawChart(
      dark.chart,
      [{ kind: "is-now", values: picture.steps.map((s) => s.shares[1]) }],
      0.5,
      at,
    );
    dark.note.replaceChildren(
      make("b", {}, second),
      ` against ${best}. The line: ${second}’s share, up to 50 %.`,
    );
  }
  function paintGradient(picture, step, at) {
    const lines = [{ kind: "is-now", values: picture.steps.map((s) => s.scaled) }, {
      kind: "is-plain",
      values: picture.steps.map((s) => s.plain),
    }];
    gradient.figure.replaceChildren(
      make("span", {}, make("b", {}, `× ${timesText(step.scaled)}`), " with T²"),
      make("span", { class: "is-plain" }, make("b", {}, `× ${timesText(step.plain)}`), " without"),
    );
    drawChart(gradient.chart, lines, Math.max(1, ...lines.flatMap((l) => l.values)), at);
    gradient.note.textContent =
      "Its length beside that at T = 1, for a student whose logits are all equal.";
  }
  return {
    node,
    paint: (...now) => {
      paintEntropy(...now);
      paintDark(...now);
      paintGradient(...now);
    },
  };
}

// -- the widget ----------------------------------------------------------------------

function summary(picture, step, T) {
  const classes = step.shares.map((share, i) => ({ share, name: picture.classes[i] }));
  const first = classes.sort((a, b) => b.share - a.share).slice(0, 3);
  const told = first.map(({ share, name }) => `${name} ${shareText(share)}`).join(", ");
  return `${atT(T)}: the student is told ${told}; ${step.entropy.toFixed(2)} bits.`;
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const steps = model.get("temperatures");
  const box = frame(el, "Soft targets by temperature");
  box.classList.add("cw-soft");
  const change = (changes) => {
    send(model, changes);
    paint();
  };
  const look = makePicture(model, (i) => change({ picture: i }));
  const control = makeTemperature(steps, (T) => change({ T }));
  const bars = makeBars();
  const cards = makeCards(model);
  const said = make("p", { class: "soft-said cw-quiet", role: "status" });
  const legend = make(
    "div",
    { class: "soft-legend", "aria-hidden": "true" },
    make("span", {}, make("i", { class: "soft-before" }), "T = 1"),
    make("span", {}, make("i", { class: "soft-now" }), "at T"),
  );
  const known = model.get("num_classes").toLocaleString("en");
  box.append(
    make(
      "header",
      { class: "soft-top" },
      make("h3", { class: "soft-title" }, "Soft targets"),
      legend,
      make(
        "p",
        { class: "soft-about" },
        `What ${model.get("teacher_name")}, which knows ${known} classes, tells a student: ` +
          "softmax(logits / T).",
      ),
    ),
    make(
      "div",
      { class: "soft-board" },
      look.node,
      make("div", { class: "soft-main" }, control.node, bars.node),
    ),
    cards.node,
    said,
  );
  function paint() {
    const picture = model.get("pictures")[model.get("picture")];
    const T = model.get("T");
    const at = Math.max(0, steps.indexOf(T));
    const step = picture.steps[at];
    look.paint(picture);
    control.paint(T);
    bars.paint(picture, step, T);
    cards.paint(picture, step, at);
    said.textContent = summary(picture, step, T);
  }
  paint();
  // the charts are as wide as their cards
  const resized = new ResizeObserver(() => requestAnimationFrame(paint));
  resized.observe(box);
  const stop = follow(model, ["T", "picture"], paint);
  return () => {
    resized.disconnect();
    stop();
  };
}

export default { render };
