// @ts-check
import { follow, frame, make, rich, send } from "./base.js";

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const names = model.get("names");
  const box = frame(el, "Download ImageNet weights");
  box.classList.add("cw-fetch");
  const button = make("button", {
    class: "cw-button",
    type: "button",
    onclick: () => send(model, { clicks: model.get("clicks") + 1 }),
  });
  const bar = make("progress", { max: names.length, "aria-label": "weights on this machine" });
  const message = make("span", { role: "status" });
  const paint = () => {
    const state = model.get("state");
    button.textContent = {
      idle: "Download",
      running: "Downloading …",
      done: "Check again",
      failed: "Try again",
    }[state];
    button.disabled = state === "running";
    bar.value = model.get("finished");
    bar.hidden = state === "idle";
    message.classList.toggle("is-failed", state === "failed");
    const text = (state === "failed" ? "✗ " : state === "done" ? "✓ " : "") + model.get("message");
    if (message.textContent !== text) message.replaceChildren(...rich(text));
  };
  box.append(
    make("p", { class: "cw-title" }, "ImageNet weights"),
    make("div", { class: "cw-quiet" }, names.join(", ")),
    make("div", { class: "cw-fetch-row" }, button, bar, message),
  );
  paint();
  return follow(model, ["state", "message", "finished"], paint);
}

export default { render };
