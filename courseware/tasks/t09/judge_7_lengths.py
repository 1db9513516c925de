"""09.7: mistakes in what is made of the two gradients."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import When, Wrong, any_of
from courseware.tasks.t09.judge_7_share import part, solution


def _mean_share(a, b):
    return part(a.norm(dim=1), b.norm(dim=1)).mean()


def _mean_length(a, b):
    return part(a.norm(dim=1).mean(), b.norm(dim=1).mean())


LENGTHS = {
    "gathered": When(
        any_of(
            partial(solution, share=lambda a, b: part(a.norm(), (a + b).norm())),
            partial(solution, share=lambda a, b: part(a.norm(), a.norm())),
        ),
        "`backward()` adds to `.grad`: the second gradient has the first one in it, "
        "and `.grad` is the same tensor each time. Use `torch.autograd.grad`, or set "
        "`logits.grad = None` between the two.",
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
    "per-picture": When(
        any_of(
            *(partial(solution, share=share) for share in (_mean_share, _mean_length))
        ),
        "That is a mean over the pictures. Take the length over the whole batch.",
    ),
}
