"""09.7: a teacher who fades as classes are added."""

from __future__ import annotations

import math
from functools import partial

from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import Task, When, Wrong, any_of
from courseware.tasks.t09.judge_7_lengths import LENGTHS
from courseware.tasks.t09.judge_7_prediction import AGREE, PREDICTED
from courseware.tasks.t09.judge_7_share import solution
from courseware.tasks.t09.judge_shares import number


def _fixed(reduction):
    return lambda own, told, **how: F.kl_div(
        own, told, **how | {"reduction": reduction}
    )


TASK = Task(
    title="A teacher who fades as classes are added",
    points=3,
    hints=(
        "How many numbers does `kl_div` hold before it reduces them, and by how many does "
        "each reduction divide? For the share you need two gradients, one of each term.",
        "A mean over B pictures and C classes divides by B · C, where a divergence is a "
        "sum over the classes. `torch.autograd.grad(term, logits)` gives the gradient of "
        "one term alone; `logits` is a clone with `requires_grad_()`.",
        "`(a,) = torch.autograd.grad(times * F.kl_div(logits.log_softmax(1), "
        "teacher_logits.log_softmax(1), reduction=reduction, log_target=True), logits)`, "
        "`(b,)` the same of the cross-entropy; `a.norm() / (a.norm() + b.norm())`, with "
        "`.item()`. The numbers to predict are the numbers of classes.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-6, 1e-4),
    agree=AGREE,
    mistakes={
        "nan": When(
            number(math.isnan),
            "That is nan: a logarithm of something negative. `kl_div` takes the target as "
            "probabilities, unless you say `log_target=True`.",
        ),
        "reduction": When(
            any_of(
                *(
                    partial(solution, kl=_fixed(reduction))
                    for reduction in ("mean", "batchmean", "sum")
                )
            ),
            "That is the share for another reduction. The argument belongs to `kl_div`, "
            "`reduction=reduction`, and to it alone: the cross-entropy stays a mean.",
        ),
        "times": Wrong(
            lambda s, t, labels, how, times: solution(s, t, labels, how, 1),
            "`times` is without effect: it multiplies the divergence, and only that.",
        ),
        "hard-sum": Wrong(
            partial(solution, hard=partial(F.cross_entropy, reduction="sum")),
            "The cross-entropy is a mean over the pictures, not a sum.",
        ),
        **LENGTHS,
        "swapped": Wrong(
            lambda s, t, *rest: solution(t, s, *rest),
            "The nets are swapped: the student's logits are those with the gradient.",
        ),
        "direction": Wrong(
            partial(solution, kl=lambda own, told, **how: F.kl_div(told, own, **how)),
            "The divergence is the wrong way round. `F.kl_div(input, target)` is "
            "KL(target ‖ input): the student's log-probabilities first, the teacher "
            "second.",
        ),
        "student-softmax": Wrong(
            partial(solution, kl=lambda own, told, **k: F.kl_div(own.exp(), told, **k)),
            "`kl_div` wants the student as *log*-probabilities: `log_softmax`.",
        ),
        "log-target": Wrong(
            partial(
                solution,
                kl=lambda own, told, reduction, **_: F.kl_div(
                    own, told, reduction=reduction
                ),
            ),
            "`kl_div` takes the target as probabilities, unless you say "
            "`log_target=True`.",
        ),
        "values": Wrong(
            partial(solution, of=lambda term, logits: term.detach()),
            "That is the share of the loss. A step follows gradients, not values: take "
            "the gradient of each term, and its length.",
        ),
        "rounded": When(
            lambda it: number(lambda share: abs(share - it.right) < 6e-3)(it),
            "Nearly: hand the share over as it comes, without rounding.",
        ),
        "value": "Compute both gradients apart and print their lengths. `kl_div` takes "
        "the student's log-probabilities first; both softmaxes go over the classes; there "
        "is no temperature here.",
        **PREDICTED,
    },
)
