"""02.1: what is mistaken in the five largest logits."""

from __future__ import annotations

from courseware.grading.judging import At, When
from courseware.tasks.t02.judge_1_figures import best_five, wrong


def _is_nested(it):
    return (
        it.fact == '"top5"' and isinstance(it.got, list) and list in map(type, it.got)
    )


_FLAT = "A flat list of positions: topk's `.indices` for the one picture, as a list."

MISTAKES = {
    "top5-values": wrong(
        "These are the logits themselves. topk gives both: take `.indices`.",
        best=lambda logits: logits.topk(5).values.tolist(),
    ),
    "top5-tensor": wrong(_FLAT, best=lambda logits: logits.topk(5).indices),
    "top5-nested": When(_is_nested, _FLAT),
    "top5-length": When(
        lambda it: it.fact == '"top5"' and it.key == "length", "Exactly five positions."
    ),
    "top5-least": wrong(
        "These are the five smallest logits.",
        best=lambda logits: logits.topk(5, largest=False).indices.tolist(),
    ),
    "top5-ascending": wrong(
        "The largest logit comes first.", best=lambda logits: best_five(logits)[::-1]
    ),
    "top5-sorted": wrong(
        "These are sorted by position. The largest logit comes first.",
        best=lambda logits: sorted(best_five(logits)),
    ),
    "top5-size": wrong(
        "A logit far below 0 is a small one, not a large one: no abs().",
        best=lambda logits: best_five(logits.abs()),
    ),
    "top5-from-one": wrong(
        "Positions count from 0.",
        best=lambda logits: [i + 1 for i in best_five(logits)],
    ),
    "top5": At('"top5"', "The positions of the five largest logits of this model."),
}
