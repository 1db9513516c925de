"""09.3: the temperature at which the targets are so soft."""

from __future__ import annotations

import math
from functools import partial
from statistics import fmean

from course_utils.distillation.loss import entropy_bits
from courseware.grading.judging import At, Task, When, Wrong, any_of
from courseware.tasks.t09.judge_3_search import ONE_PICTURE, mean_entropy, solution

TASK = Task(
    title="How soft are the targets?",
    points=3,
    hints=(
        "First a function that gives the mean entropy in bits at one T. Print it for T = "
        "0.5, 1, 2, 4: it grows.",
        "Bits come from log2, or from log divided by `math.log(2)`. Where p is 0, "
        "`p * log(p)` is nan in floating point: `torch.xlogy(p, p)` gives the 0 that is "
        "meant.",
        "`low, high = 0.01, 100.0`; 60 times: `T = (low + high) / 2`; if the entropy at T "
        "is below `bits`, T is too low (`low = T`), else `high = T`.",
    ),
    solution=solution,
    agree={
        # Where mistakes leave hardly any entropy, they are told apart more finely.
        "the mean entropy in bits at this T": lambda got, right: (
            abs(got - right) <= min(1.2e-3, 0.024 * right)
        ),
        "the temperature": lambda got, right: True,
    },
    mistakes={
        "not-positive": At(
            "the temperature is above 0, and finite",
            "A temperature is above 0, and finite.",
        ),
        "bound": When(
            lambda it: not 0.0102 < (it.seen("the temperature") or 1) < 99,
            "That is an end of the range: the search runs the wrong way (a higher T gives "
            "more entropy), or compares with nan (0 · log 0: use `torch.xlogy`), or with "
            "what never reaches `bits`.",
        ),
        "nats": Wrong(
            partial(solution, entropy=lambda z: math.log(2) * mean_entropy(z)),
            "There the entropy is right in nats, with the natural logarithm. Bits take "
            "log2.",
        ),
        "decimal": Wrong(
            partial(solution, entropy=lambda z: math.log10(2) * mean_entropy(z)),
            "There the entropy is right with log10. Bits take log2.",
        ),
        "sum": Wrong(
            partial(solution, entropy=lambda z: len(z) * mean_entropy(z)),
            "There the entropies of all pictures add up to `bits`. Take their mean.",
        ),
        "classes": Wrong(
            partial(solution, entropy=lambda z: mean_entropy(z) / z.shape[1]),
            "The entropy of a picture is a sum over its classes. Then take the mean over "
            "the pictures; `.mean()` alone divides by the classes too.",
        ),
        "share": Wrong(
            partial(
                solution, entropy=lambda z: mean_entropy(z) / math.log2(z.shape[1])
            ),
            "That is the entropy as a share of the largest, log2 of C. It is asked for in "
            "bits, undivided.",
        ),
        "multiplied": Wrong(
            lambda logits, bits: 1 / solution(logits, bits),
            "That is 1 / T: the temperature divides the logits. A high one makes the "
            "targets softer.",
        ),
        "dim": When(
            any_of(
                partial(solution, entropy=lambda z: mean_entropy(z.T)),
                partial(solution, entropy=lambda z: entropy_bits(z.softmax(0)).mean()),
            ),
            "The softmax goes over the classes of each picture: `dim=1`.",
        ),
        "average-first": Wrong(
            partial(
                solution,
                entropy=lambda z: entropy_bits(z.softmax(1).mean(0, keepdim=True)),
            ),
            "That is the entropy of the mean probabilities. Take the entropy of each "
            "picture, then the mean.",
        ),
        "mean-logits": Wrong(
            partial(solution, entropy=lambda z: mean_entropy(z.mean(0, keepdim=True))),
            "That is the entropy of the mean logits. Take the entropy of each picture, "
            "then the mean.",
        ),
        "one-picture": When(
            any_of(*ONE_PICTURE),
            "There one picture alone has this entropy, the first or the median. Take the "
            "mean over all of them.",
        ),
        "own-temperatures": Wrong(
            lambda logits, bits: fmean(solution(row[None], bits) for row in logits),
            "That is the mean of a temperature for each picture. Find one T for all, by "
            "the mean of their entropies.",
        ),
        "logarithm": Wrong(
            lambda logits, bits: math.log(solution(logits, bits)),
            "That is the logarithm of T: take `math.exp` of it in the end.",
        ),
        "bits": Wrong(
            lambda logits, bits: bits,
            "That is the entropy that was asked for. Return the T at which it is reached.",
        ),
        "fixed-bits": Wrong(
            lambda logits, bits: solution(logits, 1.0),
            "There the entropy is 1 bit, whatever is asked for: take the argument `bits`.",
        ),
        "whole": Wrong(
            lambda logits, bits: float(round(solution(logits, bits))),
            "That is the nearest whole number: T may lie between them.",
        ),
        "below-one": Wrong(
            partial(solution, low=1.0),
            "The search stops at 1. These answers are softer than asked for even there: T "
            "may be below 1, which sharpens them.",
        ),
        "too-narrow": When(
            any_of(partial(solution, high=1.0), partial(solution, high=10.0)),
            "The search ends too early, at a T that is too low: it may be as high as 100.",
        ),
        "coarse": When(
            lambda it: it.key == "value" and abs(it.got - it.right) < 0.15,
            lambda it: (
                f"Close, but the entropy there is {it.got:.4f} bits. Halve the range more "
                "often, do not round T, and add nothing to a probability (`torch.xlogy` "
                "takes 0 as well)."
            ),
        ),
        "value": lambda it: (
            f"At this T the entropy is {it.got:.3f} bits. Print the mean entropy for a "
            "few T, and see on which side of `bits` each lies."
        ),
    },
)
