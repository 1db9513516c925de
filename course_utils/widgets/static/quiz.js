// @ts-check
import { follow, frame, make, rich, rove, send, uid } from "./base.js";

function buildQuestion(question, number, pick) {
  const ids = { prompt: uid("prompt"), help: uid("help") };
  const prompt = make(
    "p",
    { class: "cw-prompt", id: ids.prompt, tabindex: -1 },
    `${number}. `,
    ...rich(question.prompt),
  );
  const options = question.choices.map((choice, i) => {
    const whyId = uid("why");
    const mark = make("span", { class: "cw-mark", "aria-hidden": "true" });
    const button = make(
      "button",
      {
        class: "cw-choice",
        type: "button",
        role: "radio",
        "aria-checked": "false",
        onclick: () => pick(i),
      },
      mark,
      make("span", {}, ...rich(choice)),
    );
    const why = make(
      "p",
      { class: "cw-why", id: whyId, hidden: true },
      make("b", {}, question.verdicts[i]),
      " ",
      ...rich(question.why[i]),
    );
    return {
      node: make("div", { class: "cw-option", role: "presentation" }, button, why),
      button,
      mark,
      why,
      whyId,
    };
  });
  const group = make("div", {
    class: "cw-choices",
    role: "radiogroup",
    "aria-labelledby": ids.prompt,
    "aria-describedby": ids.help,
  }, ...options.map((o) => o.node));
  rove(options.map((o) => o.button));
  const help = make(
    "span",
    { class: "cw-sr", id: ids.help },
    "Arrow keys move between the choices, Space answers.",
  );
  return { node: make("div", { class: "cw-question" }, prompt, help, group), prompt, options };
}

function paintQuestion(view, question, tried) {
  const latest = tried[tried.length - 1];
  view.options.forEach((option, i) => {
    const open = tried.includes(i);
    const right = i === question.answer;
    option.node.classList.toggle("is-open", open);
    option.node.classList.toggle("is-right", open && right);
    option.node.classList.toggle("is-wrong", open && !right);
    option.mark.textContent = open ? (right ? "✓" : "✗") : "";
    option.why.hidden = !open;
    option.button.setAttribute("aria-checked", String(i === latest));
    if (open) option.button.setAttribute("aria-describedby", option.whyId);
    else option.button.removeAttribute("aria-describedby");
  });
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const questions = model.get("questions");
  const box = frame(
    el,
    `Quick check, ${questions.length} question${questions.length > 1 ? "s" : ""}`,
  );
  const score = make("span", { class: "cw-quiet" });
  const spoken = make("div", { class: "cw-sr", role: "status", "aria-live": "polite" });
  const pick = (q, choice) => {
    const tries = model.get("tries").map((t) => [...t]);
    if (!tries[q].includes(choice)) {
      tries[q].push(choice);
      send(model, { tries });
    }
    spoken.textContent = `${questions[q].verdicts[choice]} ${questions[q].why[choice]}`;
  };
  const views = questions.map((question, i) =>
    buildQuestion(question, i + 1, (choice) => pick(i, choice))
  );
  const dots = questions.map(() => make("span", { class: "cw-dot" }));
  const go = (position) => {
    send(model, { position });
    views[position].prompt.focus();
  };
  const back = make("button", {
    class: "cw-button",
    type: "button",
    onclick: () => go(model.get("position") - 1),
  }, "Back");
  const next = make("button", {
    class: "cw-button",
    type: "button",
    onclick: () => go(model.get("position") + 1),
  }, "Next");
  const where = make("span", { class: "cw-quiet" });
  const again = make("button", {
    class: "cw-button cw-push",
    type: "button",
    onclick: () => {
      send(model, { tries: questions.map(() => []), position: 0 });
      spoken.textContent = "Cleared. Start again.";
      views[0].prompt.focus();
    },
  }, "Start again");
  const paging = [
    back,
    make("span", { class: "cw-dots", "aria-hidden": "true" }, ...dots),
    next,
    where,
  ];

  const paint = () => {
    const tries = model.get("tries");
    const single = model.get("one_at_a_time");
    const position = Math.min(Math.max(model.get("position"), 0), questions.length - 1);
    const right = tries.filter((t, i) => t.length && t[0] === questions[i].answer).length;
    const answered = tries.filter((t) => t.length).length;
    views.forEach((view, i) => {
      view.node.hidden = single && i !== position;
      paintQuestion(view, questions[i], tries[i]);
      dots[i].className = "cw-dot" + (i === position ? " is-here" : "") +
        (tries[i].length ? (tries[i][0] === questions[i].answer ? " is-right" : " is-wrong") : "");
    });
    const paged = single && questions.length > 1;
    for (const node of paging) node.hidden = !paged;
    back.disabled = position === 0;
    next.disabled = position === questions.length - 1;
    where.textContent = `Question ${position + 1} of ${questions.length}`;
    score.textContent = answered
      ? `${right} of ${questions.length} right at the first try`
      : "The first try counts";
    again.hidden = answered === 0;
  };
  box.append(
    make("div", { class: "cw-quiz-head" }, make("p", { class: "cw-title" }, "Quick check"), score),
    ...views.map((view) => view.node),
    make("div", { class: "cw-quiz-foot" }, ...paging, again),
    spoken,
  );
  paint();
  return follow(model, ["tries", "position", "one_at_a_time"], paint);
}

export default { render };
