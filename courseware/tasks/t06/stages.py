"""06.1: the groups by stage, and what goes wrong with their rates."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import At, When, Wrong, any_of


def within(model, layers):
    return [p for layer in layers for p in model.get_submodule(layer).parameters()]


def solution(
    model,
    stages,
    lr,
    ratio,
    found=within,
    rate=lambda lr, ratio, steps, count: lr * ratio**steps,
):
    steps = reversed(range(len(stages)))  # from each group to the head
    return [
        {
            "params": found(model, layers),
            "lr": rate(lr, ratio, i, len(stages)),
            "name": name,
        }
        for i, (name, layers) in zip(steps, stages.items(), strict=True)
    ]


def by_name(test):
    """The groups of those parameters whose names and a group's layers pass a test."""
    return partial(
        solution,
        found=lambda model, layers: [
            p for name, p in model.named_parameters() if test(name, layers)
        ],
    )


RATES = {
    "same-lr": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr),
        "All groups have the same rate.",
    ),
    "reversed": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * ratio ** (n - 1 - i)),
        "The rates run the wrong way: the head learns fastest, the stem, whose edges "
        "and colours serve any task, slowest.",
    ),
    "head-scaled": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * ratio ** (i + 1)),
        "The head gets `lr` itself: count the steps from the head, from 0 on.",
    ),
    "ratio-twice": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * ratio ** (2 * i)),
        "The ratio was applied twice for each step towards the stem.",
    ),
    "two-rates": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * ratio if i else lr),
        "Every group before the head has the same rate. The ratio applies once more "
        "with each step towards the stem.",
    ),
    "linear": When(
        any_of(
            partial(solution, rate=lambda lr, ratio, i, n: lr * (n - i) / n),
            partial(solution, rate=lambda lr, ratio, i, n: lr * ratio / i if i else lr),
            partial(solution, rate=lambda lr, ratio, i, n: lr * ratio * i if i else lr),
            partial(
                solution,
                rate=lambda lr, ratio, i, n: lr * (1 - (1 - ratio) * i / (n - 1)),
            ),
        ),
        "The rates fall by equal differences. Each group gets ratio *times* the rate "
        "behind it: a power of the ratio.",
    ),
    "divided": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr / ratio**i),
        "Towards the stem the rates grow: multiply by the ratio, do not divide.",
    ),
    "fixed-ratio": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * 0.1**i),
        "That is a factor of ten; take the ratio that is given.",
    ),
    "fixed-count": Wrong(
        partial(solution, rate=lambda lr, ratio, i, n: lr * ratio ** (i + 5 - n)),
        "Five groups are taken for granted: there are `len(stages)` of them.",
    ),
    "rates": At(
        "the rates",
        "`lr` for the head, and ratio times the rate behind it for each *group* "
        "before it, however many layers are in it.",
    ),
}
