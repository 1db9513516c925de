// @ts-check
// The code that makes what a widget shows: folded, coloured, with a button that copies.
import { make, uid } from "./base.js";

const CODE_WORDS = /(#.*$)|("[^"]*")|\b(from|import|for|in|not|if|True|False|None)\b/gm;

/** @param {string} code */
function colouredCode(code) {
  const out = [];
  let at = 0;
  for (const found of code.matchAll(CODE_WORDS)) {
    const kind = found[1] ? "c-note" : found[2] ? "c-text" : "c-word";
    out.push(code.slice(at, found.index), make("span", { class: kind }, found[0]));
    at = found.index + found[0].length;
  }
  return [...out, code.slice(at)];
}

/**
 * @param {string} text
 * @param {Node} node that shows the text
 */
async function copyCode(text, node) {
  if (navigator.clipboard?.writeText) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* no permission: the older way below */ }
  }
  const range = document.createRange();
  const chosen = getSelection();
  range.selectNodeContents(node);
  chosen.removeAllRanges();
  chosen.addRange(range);
  return document.execCommand("copy");
}

/**
 * Makes the panel and its button; `paint` is called when the trait `code` has changed.
 *
 * @param {import("./base.js").Model} model
 */
export function makeCodePanel(model) {
  const id = uid("code");
  const text = make("code", {});
  const said = make("span", { class: "cw-quiet", role: "status" });
  const pre = make("pre", {
    class: "code-text",
    tabindex: 0,
    "aria-label": "Code for what is shown",
  }, text);
  const copy = make("button", {
    class: "cw-button",
    type: "button",
    onclick: async () => {
      said.textContent = (await copyCode(model.get("code"), text))
        ? "Copied."
        : "Select the text and copy it.";
    },
  }, "Copy");
  const panel = make(
    "div",
    { id, hidden: true, class: "code-panel" },
    pre,
    make("div", { class: "code-tools" }, copy, said),
  );
  const button = make("button", {
    class: "cw-button",
    type: "button",
    "aria-expanded": "false",
    "aria-controls": id,
    onclick: () => {
      panel.hidden = !panel.hidden;
      button.setAttribute("aria-expanded", String(!panel.hidden));
      button.textContent = panel.hidden ? "Show the code" : "Hide the code";
    },
  }, "Show the code");
  const paint = () => {
    text.replaceChildren(...colouredCode(model.get("code")));
    said.textContent = "";
  };
  paint();
  return { button, panel, paint };
}
