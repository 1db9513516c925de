// @ts-check
import { focusIn, follow, frame, make, makeSwitch, rove, send, uid } from "./base.js";

const decode = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const number = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : x.toFixed(2));

// One channel, coloured, as a small canvas of the map's own size.
function colour(layer, tile, palette) {
  const canvas = make("canvas", { width: layer.width, height: layer.height });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(layer.width, layer.height);
  decode(tile.pixels).forEach((value, i) => {
    picture.data.set(
      [palette[3 * value], palette[3 * value + 1], palette[3 * value + 2], 255],
      4 * i,
    );
  });
  context.putImageData(picture, 0, 0);
  return canvas;
}

function paintScale(canvas, palette) {
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) {
    picture.data.set([palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], 255], 4 * i);
  }
  context.putImageData(picture, 0, 0);
}

function paintBig(canvas, image, map, opacity) {
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (image.complete && image.naturalWidth) {
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
  }
  if (!map) return;
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = false;
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
}

function field(label, control) {
  control.id = uid("field");
  return [make("label", { for: control.id }, label), control];
}

const size = (shape) => `${shape[0]} × ${shape[1]} × ${shape[2]}`;

function pickLayer(layers, current, choose) {
  if (layers.length <= 12) {
    return makeSwitch(
      "Layer",
      layers.map((l) => ({ value: l.label, label: l.label, note: size(l.shape) })),
      current,
      choose,
    );
  }
  const node = make(
    "select",
    { "aria-label": "Layer", onchange: () => choose(node.value) },
    ...layers.map((l) => make("option", { value: l.label }, `${l.label} (${size(l.shape)})`)),
  );
  node.value = current;
  return {
    node,
    set: (value) => {
      node.value = value;
    },
  };
}

function buildTiles(layer, choose) {
  const buttons = layer.tiles.map((tile) =>
    make("button", {
      class: "cw-tile",
      type: "button",
      role: "radio",
      "aria-checked": "false",
      "aria-label": `channel ${tile.channel}, values ${number(tile.low)} to ${number(tile.high)}`,
      onclick: () => choose(tile.channel),
    })
  );
  rove(buttons, 4);
  return buttons;
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const layers = new Map(model.get("layers").map((l) => [l.label, l]));
  const box = frame(el, "Feature maps");
  box.classList.add("cw-maps");
  const layerOf = () => layers.get(model.get("layer"));
  const palette = () => decode(model.get("palettes")[model.get("colormap")]);
  const chooseChannel = (channel) => send(model, { channel });
  const layerSwitch = pickLayer(
    [...layers.values()],
    model.get("layer"),
    (label) => send(model, { layer: label, channel: layers.get(label).tiles[0].channel }),
  );

  const image = make("img", { src: model.get("image"), alt: "" });
  const big = make("canvas", { class: "cw-big", width: 384, height: 384, role: "img" });
  const caption = make("figcaption", { "aria-live": "polite" });
  const scale = make("canvas", { "aria-hidden": "true" });
  const low = make("span");
  const high = make("span");
  const opacity = make("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 5,
    oninput: () => send(model, { opacity: Number(opacity.value) / 100 }),
  });
  const colormap = make(
    "select",
    { onchange: () => send(model, { colormap: colormap.value }) },
    ...Object.keys(model.get("palettes")).map((name) => make("option", { value: name }, name)),
  );
  const channel = make("input", {
    type: "number",
    min: 0,
    step: 1,
    onchange: () => {
      const last = layerOf().shape[0] - 1;
      chooseChannel(Math.min(last, Math.max(0, Math.round(Number(channel.value) || 0))));
      channel.value = model.get("channel");
    },
  });
  const heading = make("span", { class: "cw-quiet", id: uid("tiles") });
  const tiles = make("div", {
    class: "cw-tiles",
    role: "radiogroup",
    "aria-labelledby": heading.id,
  });
  let buttons = [];

  const shownTile = () => {
    const layer = layerOf();
    const wanted = model.get("channel");
    const asked = model.get("tile");
    return layer.tiles.find((t) => t.channel === wanted) ||
      (asked.layer === layer.label && asked.channel === wanted ? asked : null);
  };
  const paintChosen = () => {
    const layer = layerOf();
    const tile = shownTile();
    const share = model.get("opacity");
    const name = `${layer.label}, channel ${model.get("channel")} of ${layer.shape[0]}`;
    opacity.value = String(Math.round(100 * share));
    opacity.setAttribute("aria-valuetext", `${Math.round(100 * share)} percent`);
    channel.value = model.get("channel");
    channel.max = String(layer.shape[0] - 1);
    layer.tiles.forEach((t, i) =>
      buttons[i].setAttribute("aria-checked", String(t.channel === model.get("channel")))
    );
    focusIn(buttons, buttons.find((b) => b.getAttribute("aria-checked") === "true") || buttons[0]);
    paintBig(big, image, tile && colour(layer, tile, palette()), share);
    big.setAttribute("aria-label", `Feature map of ${name}, over the image`);
    const flat = tile && tile.low === tile.high;
    const text = tile
      ? name + (flat ? " (the same everywhere)" : "")
      : `${name}: waiting for the kernel`;
    if (caption.textContent !== text) caption.textContent = text;
    low.textContent = tile ? number(tile.low) : "";
    high.textContent = tile ? number(tile.high) : "";
  };
  const paintLayer = () => {
    const layer = layerOf();
    const colours = palette();
    layerSwitch.set(layer.label);
    colormap.value = model.get("colormap");
    paintScale(scale, colours);
    if (tiles.dataset.layer !== layer.label) {
      buttons = buildTiles(layer, chooseChannel);
      tiles.replaceChildren(...buttons);
      tiles.dataset.layer = layer.label;
    }
    layer.tiles.forEach((tile, i) =>
      buttons[i].replaceChildren(colour(layer, tile, colours), String(tile.channel))
    );
    heading.textContent = layer.tiles.length < layer.shape[0]
      ? `The ${layer.tiles.length} of ${layer.shape[0]} channels that vary most`
      : `All ${layer.shape[0]} channels, the most varied first`;
    paintChosen();
  };
  image.addEventListener("load", paintChosen);
  const controls = make(
    "div",
    { class: "cw-controls" },
    ...field("Map over image", opacity),
    ...field("Channel", channel),
    ...field("Colours", colormap),
  );
  const figure = make(
    "figure",
    {},
    big,
    caption,
    make("div", { class: "cw-scale" }, low, scale, high),
    controls,
  );
  box.append(
    make(
      "div",
      { class: "cw-maps-head" },
      make("span", { class: "cw-title" }, "Feature maps"),
      layerSwitch.node,
    ),
    make("div", { class: "cw-maps-body" }, figure, make("div", {}, heading, tiles)),
  );
  paintLayer();
  const stops = [
    follow(model, ["layer", "colormap"], paintLayer),
    follow(model, ["channel", "opacity", "tile"], paintChosen),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
