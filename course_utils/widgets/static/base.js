// Helpers that every widget's script begins with.

let serial = 0;
const uid = (prefix) => `cw-${prefix}-${++serial}-${Math.random().toString(36).slice(2, 7)}`;

// An element with attributes, listeners (onclick: f) and children (nodes or text).
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same inside an <svg>.
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// Text in which `backticks` become code elements.
function rich(text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return [text];
  return parts.map((part, i) => (i % 2 ? make("code", {}, part) : part)).filter((p) => p !== "");
}

// The widget's frame. The notebook's own shortcuts (a, b, arrows) must not hear its keys.
function frame(root, label) {
  const box = make("div", { class: "cw", role: "group", "aria-label": label });
  box.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  root.append(box);
  return box;
}

// Native radio buttons in a row; arrow keys choose. Returns {node, set(value)}.
function makeSwitch(label, options, value, onchange) {
  const name = uid("switch");
  const node = make("fieldset", { class: "cw-switch", role: "radiogroup", "aria-label": label });
  const inputs = new Map();
  for (const option of options) {
    const input = make("input", {
      type: "radio",
      name,
      value: option.value,
      onchange: () => onchange(option.value),
    });
    const caption = make("span", {}, option.label);
    if (option.note) caption.append(make("small", {}, option.note));
    node.append(make("label", {}, input, caption));
    inputs.set(option.value, input);
  }
  const set = (chosen) => {
    if (inputs.has(chosen)) inputs.get(chosen).checked = true;
  };
  set(value);
  return { node, set };
}

// Follows traits of the model for as long as the view lives; returns the clean-up.
function follow(model, names, callback) {
  for (const name of names) model.on(`change:${name}`, callback);
  return () => {
    for (const name of names) model.off(`change:${name}`, callback);
  };
}

function send(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

// Arrow keys, Home and End move the focus among items of which one is in the tab order.
function rove(items, columns = 1) {
  const steps = { ArrowRight: 1, ArrowDown: columns, ArrowLeft: -1, ArrowUp: -columns };
  items.forEach((item, i) => {
    item.tabIndex = i === 0 ? 0 : -1;
    item.addEventListener("keydown", (event) => {
      let next = event.key in steps ? i + steps[event.key] : -1;
      if (event.key === "Home") next = 0;
      else if (event.key === "End") next = items.length - 1;
      else if (!(event.key in steps)) return;
      event.preventDefault();
      if (columns === 1) next = (next + items.length) % items.length;
      if (items[next]) {
        focusIn(items, items[next]);
        items[next].focus();
      }
    });
  });
}

function focusIn(items, chosen) {
  for (const item of items) item.tabIndex = item === chosen ? 0 : -1;
}
