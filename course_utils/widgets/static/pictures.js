// @ts-check
import { follow, frame, make, makeSwitch, send } from "./base.js";

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const pictures = model.get("pictures");
  const label = model.get("label");
  const box = frame(el, label);
  box.classList.add("cw-pictures");
  const choice = makeSwitch(
    label,
    pictures.map((p) => ({ value: p.name, label: p.name })),
    model.get("selected"),
    (selected) => send(model, { selected }),
  );
  const images = pictures.map((p) => make("img", { src: p.src, alt: p.alt }));
  const paint = () => {
    choice.set(model.get("selected"));
    images.forEach((image, i) => {
      image.hidden = pictures[i].name !== model.get("selected");
    });
  };
  box.append(
    make(
      "div",
      { class: "cw-pictures-head" },
      make("span", { class: "cw-title" }, label),
      choice.node,
    ),
    ...images,
  );
  paint();
  return follow(model, ["selected"], paint);
}

export default { render };
