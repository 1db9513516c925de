"""09.1: the distillation loss by hand."""

from __future__ import annotations

import math
from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t09.judge_1_loss import solution
from courseware.tasks.t09.judge_1_parts import PARTS

TASK = Task(
    title="The distillation loss by hand",
    points=3,
    hints=(
        "Two parts. For the soft one you need logarithms of probabilities: which function "
        "gives them without ever taking the logarithm of 0?",
        "`F.kl_div(input, target)` is KL(target ‖ input): the student's log-probabilities "
        'come first, and `reduction="batchmean"` divides by B only. With '
        "`log_target=True` the target is log-probabilities too.",
        "`soft = F.kl_div(F.log_softmax(student_logits / T, dim=1), "
        "F.log_softmax(teacher_logits.detach() / T, dim=1), reduction='batchmean', "
        "log_target=True)`; then `alpha * T**2 * soft + (1 - alpha) *` the "
        "cross-entropy.",
    ),
    solution=solution,
    tolerance=Tolerance(2e-5, 2e-5),
    mistakes={
        "number": When(
            lambda it: it.key == "type" and it.difference.got in ("float", "int"),
            "A plain number has no graph behind it: `backward()` needs the tensor. Leave "
            "out `.item()` and `float()`.",
        ),
        "switched-off": Raises(
            "flags of leaf variables",
            "The teacher's logits may carry a graph, and then cannot be switched off in "
            "place: take `teacher_logits.detach()`.",
        ),
        "one-entry": When(
            lambda it: it.fact == "the shape of the loss" and it.got == [1],
            "That is a row of one entry. The shape is to be (): no `keepdim`, no brackets "
            "around the number, or `.squeeze()` in the end.",
        ),
        "cut-off": At(
            "the teacher's logits keep their graph",
            "`detach_()`, with its underscore, cuts the caller's own tensor off its graph: "
            "take `teacher_logits.detach()`.",
        ),
        "shape": At(
            "the shape of the loss",
            "One number for the batch: sum over the classes, mean over the pictures.",
        ),
        "clamped": Wrong(
            lambda s, t, *rest: solution(s.clamp(-50, 50), t.clamp(-50, 50), *rest),
            "Clamped logits are other logits, and carry no gradient: `log_softmax` takes "
            "any.",
        ),
        "log-of-zero": When(
            lambda it: it.case.far,
            "A probability has become 0 here, and its logarithm is lost. A small number "
            "added to it hides that and falsifies the loss: use `log_softmax`, and "
            "`log_target=True`.",
        ),
        "nan": When(
            lambda it: it.fact == "the loss" and math.isnan(it.got),
            "That is nan: a logarithm of something negative. `kl_div` takes the target as "
            "probabilities, unless you say `log_target=True`.",
        ),
        "no-gradient": At(
            "a gradient reaches the student's logits",
            "The loss does not depend on the student's logits any more: no `detach()`, "
            "`.data`, `no_grad()` around the student, and no new tensor of a number.",
        ),
        "teacher-gradient": At(
            "no gradient reaches the teacher's logits",
            "A gradient flows into the teacher's logits, and the teacher would learn from "
            "its student: `detach()` them.",
        ),
        "gradient": At(
            "the gradient by the student's logits",
            "The loss is right and its gradient is not: a part of it is cut off from the "
            "student. No `detach()` and no `no_grad()` there.",
        ),
        **PARTS,
        "swapped": Wrong(
            partial(solution, shares=lambda alpha, T: (1 - alpha, alpha)),
            "alpha is the teacher's share: it stands before the soft part.",
        ),
        "no-alpha": When(
            any_of(
                partial(solution, shares=lambda alpha, T: (1, 1)),
                partial(solution, shares=lambda alpha, T: (1, 1 - alpha)),
            ),
            "The parts are added with weights: alpha and 1 - alpha.",
        ),
        "no-hard": Wrong(
            partial(solution, shares=lambda alpha, T: (alpha, 0)),
            "The hard part is missing: (1 - alpha) times the cross-entropy.",
        ),
        "no-soft": Wrong(
            partial(solution, shares=lambda alpha, T: (0, 1 - alpha)),
            "The soft part is missing: alpha · T² times the divergence.",
        ),
        "labels-only": Wrong(
            partial(solution, shares=lambda alpha, T: (0, 1)),
            "That is the cross-entropy alone: it counts 1 - alpha, and the soft part is "
            "missing.",
        ),
        "hard-whole": Wrong(
            partial(solution, shares=lambda alpha, T: (alpha, 1)),
            "The hard part has a weight as well: 1 - alpha.",
        ),
        "T2-on-all": Wrong(
            partial(solution, shares=lambda alpha, T: (alpha, (1 - alpha) * T**2)),
            "T² belongs to the soft part alone.",
        ),
        "fixed-alpha": Wrong(
            lambda s, t, labels, T, alpha: solution(s, t, labels, T, 0.7),
            "The teacher's share is 0.7, whatever it should be: take the argument alpha.",
        ),
        "fixed-T": When(
            any_of(
                lambda s, t, labels, T, alpha: solution(s, t, labels, 4.0, alpha),
                partial(solution, factor=lambda T: 16),
            ),
            "The temperature is 4, whatever it should be: take the argument T.",
        ),
        "whole-T": Wrong(
            lambda s, t, labels, T, alpha: solution(s, t, labels, int(T), alpha),
            "The temperature is cut to a whole number: take T as it comes.",
        ),
        "nets": Wrong(
            lambda s, t, *rest: solution(t, s, *rest),
            "The nets are swapped: the student's logits come first in the `def` line, and "
            "they alone meet the labels.",
        ),
        "value": "Compute both parts apart and print them: alpha · T² · KL, and "
        "(1 - alpha) · cross-entropy.",
        "type": "One tensor is asked for: the sum of both parts.",
    },
)
