// @ts-check
import { follow, frame, make, plural, rich, rove, send, uid } from "./base.js";

// The kernel judges. A reply is { choice, right, verdict, why }; there is one for each choice
// that was taken, in that order. Before it nothing here knows which choice is right.

const PATIENCE = 3000; // milliseconds until a word is said about a kernel that is silent
const SILENT = "The kernel has not judged this yet: it is busy, or this cell has not run since " +
  "the notebook was opened. Then run it.";

function buildQuestion(question, number, pick) {
  const ids = { prompt: uid("prompt"), help: uid("help") };
  const prompt = make(
    "p",
    { class: "cw-prompt", id: ids.prompt, tabindex: -1 },
    `${number}. `,
    ...rich(question.prompt),
  );
  const options = question.choices.map((choice, i) => buildOption(choice, () => pick(i)));
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

function buildOption(choice, onclick) {
  const whyId = uid("why");
  const mark = make("span", { class: "cw-mark", "aria-hidden": "true" });
  const button = make(
    "button",
    { class: "cw-choice", type: "button", role: "radio", "aria-checked": "false", onclick },
    mark,
    make("span", {}, ...rich(choice)),
  );
  const why = make("p", { class: "cw-why", id: whyId, hidden: true });
  const node = make("div", { class: "cw-option", role: "presentation" }, button, why);
  return { node, button, mark, why, whyId };
}

function paintQuestion(view, replies, asked) {
  const latest = replies.length ? replies[replies.length - 1].choice : asked;
  view.options.forEach((option, i) => {
    const reply = replies.find((r) => r.choice === i);
    option.node.classList.toggle("is-open", Boolean(reply));
    option.node.classList.toggle("is-right", Boolean(reply) && reply.right);
    option.node.classList.toggle("is-wrong", Boolean(reply) && !reply.right);
    option.mark.textContent = reply ? (reply.right ? "✓" : "✗") : i === asked ? "…" : "";
    option.why.hidden = !reply;
    option.why.replaceChildren(
      ...(reply ? [make("b", {}, reply.verdict), " ", ...rich(reply.why)] : []),
    );
    option.button.setAttribute("aria-checked", String(i === latest));
    if (reply) option.button.setAttribute("aria-describedby", option.whyId);
    else option.button.removeAttribute("aria-describedby");
  });
}

function paintDot(dot, replies, isHere) {
  const first = replies.length ? (replies[0].right ? " is-right" : " is-wrong") : "";
  dot.className = "cw-dot" + (isHere ? " is-here" : "") + first;
}

function scoreText(replies, passed) {
  const answered = replies.filter((r) => r.length).length;
  const right = replies.filter((r) => r.length && r[0].right).length;
  const score = answered
    ? `${right} of ${replies.length} right at the first try`
    : "The first try counts";
  return passed ? `Passed ✓ · ${score}` : score;
}

/** @param {import("./base.js").View} view */
function render({ model, el }) {
  const questions = model.get("questions");
  const box = frame(el, `Quick check, ${plural(questions.length, "question")}`);
  const score = make("span", { class: "cw-quiet" });
  const spoken = make("div", { class: "cw-sr", role: "status", "aria-live": "polite" });
  const silent = make("p", { class: "cw-quiet cw-silent", hidden: true }, SILENT);
  let asked = null; // the choice that the kernel has not judged yet
  let timer = 0;

  const speak = (reply) => spoken.textContent = `${reply.verdict} ${reply.why}`;
  const find = (q, choice) => model.get("replies")[q].find((r) => r.choice === choice);
  const pick = (q, choice) => {
    const known = find(q, choice);
    if (known) return speak(known);
    asked = { q, choice };
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent.hidden = false;
      spoken.textContent = SILENT;
    }, PATIENCE);
    model.send({ pick: [q, choice] });
    paint();
  };
  const views = questions.map((question, i) =>
    buildQuestion(question, i + 1, (choice) => pick(i, choice))
  );
  const dots = questions.map(() => make("span", { class: "cw-dot" }));
  const go = (position) => {
    send(model, { position });
    views[position].prompt.focus();
  };
  const push = (label, onclick, more = "") =>
    make("button", { class: `cw-button${more}`, type: "button", onclick }, label);
  const back = push("Back", () => go(model.get("position") - 1));
  const next = push("Next", () => go(model.get("position") + 1));
  const where = make("span", { class: "cw-quiet" });
  const again = push("Start again", () => {
    model.send({ again: true });
    spoken.textContent = "Cleared. Start again.";
    views[0].prompt.focus();
  }, " cw-push");
  const row = make("span", { class: "cw-dots", "aria-hidden": "true" }, ...dots);
  const paging = [back, row, next, where];

  const hear = () => {
    const reply = asked && find(asked.q, asked.choice);
    if (!reply) return;
    clearTimeout(timer);
    asked = null;
    silent.hidden = true;
    speak(reply);
  };
  const paint = () => {
    hear();
    const replies = model.get("replies");
    const single = model.get("one_at_a_time");
    const position = Math.min(Math.max(model.get("position"), 0), questions.length - 1);
    views.forEach((view, i) => {
      view.node.hidden = single && i !== position;
      paintQuestion(view, replies[i], asked && asked.q === i ? asked.choice : -1);
      paintDot(dots[i], replies[i], i === position);
    });
    for (const node of paging) node.hidden = !(single && questions.length > 1);
    back.disabled = position === 0;
    next.disabled = position === questions.length - 1;
    where.textContent = `Question ${position + 1} of ${questions.length}`;
    score.textContent = scoreText(replies, model.get("passed"));
    again.hidden = replies.every((r) => r.length === 0);
  };
  box.append(
    make("div", { class: "cw-quiz-head" }, make("p", { class: "cw-title" }, "Quick check"), score),
    ...views.map((view) => view.node),
    silent,
    make("div", { class: "cw-quiz-foot" }, ...paging, again),
    spoken,
  );
  paint();
  const unfollow = follow(model, ["replies", "passed", "position", "one_at_a_time"], paint);
  return () => {
    clearTimeout(timer);
    unfollow();
  };
}

export default { render };
