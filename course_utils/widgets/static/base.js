// @ts-check
// What the widgets' scripts share: elements, the frame, traits, the keyboard, numbers.

/**
 * The part of anywidget's model that the scripts use.
 *
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(message: object) => void} send
 * @property {(event: string, callback: () => void) => void} on
 * @property {(event: string, callback: () => void) => void} off
 */

/** @typedef {{ model: Model, el: HTMLElement }} View what `render` receives */

/** @typedef {{ [name: string]: unknown }} Attributes of an element, and its listeners (onclick) */

let serial = 0;

/** @param {string} prefix */
export const uid = (prefix) => `cw-${prefix}-${++serial}-${Math.random().toString(36).slice(2, 7)}`;

/**
 * Makes an element with attributes, listeners (onclick: f) and children (nodes or text).
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Makes the same inside an <svg>.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * @template {Element} T
 * @param {T} node
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    const listener = /** @type {EventListener} */ (value);
    if (name.startsWith("on")) node.addEventListener(name.slice(2), listener);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

/**
 * Returns text in which `backticks` have become code elements.
 *
 * @param {string} text
 */
export function rich(text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return [text];
  return parts.map((part, i) => (i % 2 ? make("code", {}, part) : part)).filter((p) => p !== "");
}

/**
 * Makes the widget's frame. The notebook's own shortcuts (a, b, arrows) must not hear its keys.
 *
 * @param {HTMLElement} root
 * @param {string} label
 */
export function frame(root, label) {
  const box = make("div", { class: "cw", role: "group", "aria-label": label });
  box.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  root.append(box);
  return box;
}

/**
 * Makes native radio buttons in a row; arrow keys choose.
 *
 * @param {string} label
 * @param {{ value: string, label: string, note?: string }[]} options
 * @param {string} value
 * @param {(value: string) => void} onchange
 */
export function makeSwitch(label, options, value, onchange) {
  const name = uid("switch");
  const node = make("fieldset", { class: "cw-switch", role: "radiogroup", "aria-label": label });
  /** @type {Map<string, HTMLInputElement>} */
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
  /** @param {string} chosen */
  const set = (chosen) => {
    const input = inputs.get(chosen);
    if (input) input.checked = true;
  };
  set(value);
  return { node, set };
}

/**
 * Follows traits of the model for as long as the view lives; returns the clean-up.
 *
 * @param {Model} model
 * @param {string[]} names
 * @param {() => void} callback
 */
export function follow(model, names, callback) {
  for (const name of names) model.on(`change:${name}`, callback);
  return () => {
    for (const name of names) model.off(`change:${name}`, callback);
  };
}

/**
 * Sets traits of the model and sends them to Python.
 *
 * @param {Model} model
 * @param {{ [trait: string]: unknown }} changes
 */
export function send(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

/**
 * Lets arrow keys, Home and End move the focus among items of which one is in the tab order.
 *
 * @param {HTMLElement[]} items
 * @param {number} [columns]
 */
export function rove(items, columns = 1) {
  /** @type {{ [key: string]: number }} */
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

/**
 * Puts one of the items into the tab order, and takes the others out of it.
 *
 * @param {HTMLElement[]} items
 * @param {HTMLElement} chosen
 */
export function focusIn(items, chosen) {
  for (const item of items) item.tabIndex = item === chosen ? 0 : -1;
}

/** @param {unknown} value */
export const gap = (value) => value === null || value === undefined;

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** @type {(n: number, word: string) => string} */
export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/**
 * Returns a count's three figures and its unit: ["11.7", "M"]; below 1,000 as it is.
 *
 * @param {number} n
 * @param {string[]} [units] of 1, 1,000, 1,000,000 …
 * @returns {[string, string]}
 */
export function compactParts(n, units = ["", "k", "M", "G", "T"]) {
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return [i ? n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0) : String(n), units[i]];
}

/**
 * Returns a count as text: "11.7 M". The static forms' `compact` (Python) writes the same.
 *
 * @type {(n: number, units?: string[]) => string}
 */
export const compact = (n, units) => compactParts(n, units).join(" ").trim();
