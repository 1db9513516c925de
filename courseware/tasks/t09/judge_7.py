"""09.7: a teacher who fades as classes are added."""

from __future__ import annotations

import math
from functools import partial

from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import Task, When, Wrong
from courseware.tasks.t09.judge_7_prediction import AGREE, PREDICTED
from courseware.tasks.t09.judge_7_share import part, solution
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
            lambda it: any(
                it.shows_the_same(partial(solution, kl=_fixed(reduction)))
                for reduction in ("mean", "batchmean", "sum")
            ),
            "That is the share for another reduction: hand the argument on to `kl_div`, "
            "`reduction=reduction`.",
        ),
        "times": Wrong(
            lambda s, t, labels, how, times: solution(s, t, labels, how, 1),
            "`times` is without effect: it multiplies the divergence, and only that.",
        ),
        "hard-sum": Wrong(
            partial(solution, hard=partial(F.cross_entropy, reduction="sum")),
            "The cross-entropy is a mean over the pictures, not a sum.",
        ),
        "gathered": Wrong(
            partial(solution, share=lambda a, b: part(a.norm(), (a + b).norm())),
            "`backward()` adds to `.grad`: the second gradient has the first one in it. "
            "Use `torch.autograd.grad`, or set `logits.grad = None` between the two.",
        ),
        "gathered-hard-first": Wrong(
            partial(solution, share=lambda a, b: part((a + b).norm(), b.norm())),
            "`backward()` adds to `.grad`: the first term's gradient has that of the "
            "cross-entropy in it. Use `torch.autograd.grad`, or set `logits.grad = None` "
            "between the two.",
        ),
        "length-of-sum": Wrong(
            partial(solution, share=lambda a, b: a.norm() / (a + b).norm()),
            "You divide by the length of the whole gradient, in which the two may cancel. "
            "Divide by the sum of both lengths.",
        ),
        "ratio": Wrong(
            partial(solution, share=lambda a, b: a.norm() / b.norm()),
            "That is the teacher's length over the labels'. A share is a part of the "
            "whole: divide by the sum of both lengths.",
        ),
        "labels": Wrong(
            partial(solution, share=lambda a, b: part(b.norm(), a.norm())),
            "That is the labels' share: the teacher's length goes above the line.",
        ),
        "percent": Wrong(
            partial(solution, share=lambda a, b: 100 * part(a.norm(), b.norm())),
            "A share from 0 to 1, not in per cent.",
        ),
        "squares": Wrong(
            partial(solution, share=lambda a, b: part(a.norm() ** 2, b.norm() ** 2)),
            "These are squared lengths: take the root first, as `.norm()` does.",
        ),
        "absolute": Wrong(
            partial(solution, share=lambda a, b: part(a.abs().sum(), b.abs().sum())),
            "That is the sum of absolute values. The length is the root of the sum of the "
            "squares: `.norm()`.",
        ),
        "largest": Wrong(
            partial(solution, share=lambda a, b: part(a.abs().max(), b.abs().max())),
            "That is the largest number of each gradient. The length is the root of the "
            "sum of the squares: `.norm()`.",
        ),
        "per-picture": Wrong(
            partial(
                solution, share=lambda a, b: part(a.norm(dim=1), b.norm(dim=1)).mean()
            ),
            "That is the mean of a share for each picture. Take the length over the whole "
            "batch.",
        ),
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
