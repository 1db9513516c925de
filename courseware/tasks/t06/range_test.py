"""06.4: a range test with options for what is often done otherwise, and its losses."""

from __future__ import annotations

import copy
import math
from functools import partial
from itertools import accumulate

import torch
from torch.nn.functional import cross_entropy

from courseware.grading.judging import When, Wrong, any_of


def growing(start, end, count):
    return [start * (end / start) ** (i / (count - 1)) for i in range(count)]


def logarithms(start, end, count):
    return [math.log10(lr) for lr in growing(start, end, count)]


def solution(
    model,
    batches,
    start_lr=1e-7,
    end_lr=1.0,
    num_iter=40,
    spaced=growing,
    recorded=lambda losses: losses,
    **done,
):
    kept, mode = copy.deepcopy(model.state_dict()), model.training
    lrs = spaced(start_lr, end_lr, num_iter)
    losses = list(steps(model, batches, lrs, **done))
    model.load_state_dict(kept)
    model.train(mode)
    return lrs[: len(losses)], recorded(losses)


def steps(
    model,
    batches,
    lrs,
    made=torch.optim.SGD,
    used=lambda lrs: lrs,
    training=True,
    zero=True,
    after=False,
    of=cross_entropy,
):
    """Yield the loss of each step, up to one that is not finite."""
    optimizer = made(model.train(training).parameters(), lr=1e-3)
    for step, lr in enumerate(used(lrs)):
        images, labels = batches[step % len(batches)]
        optimizer.param_groups[0]["lr"] = lr
        loss = of(model(images), labels)
        if not math.isfinite(loss):
            return
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield cross_entropy(model(images), labels).item() if after else loss.item()


def smoothed(losses):
    return list(accumulate(losses, lambda mean, loss: 0.9 * mean + 0.1 * loss))


LOSSES = {
    "after": Wrong(
        partial(solution, after=True),
        "These are the losses after the update. Record the loss that the gradients "
        "come from: that of the weights before this step's update.",
    ),
    "no-zero-grad": Wrong(
        partial(solution, zero=False),
        "Gradients add up from step to step: call `optimizer.zero_grad()` before "
        "`loss.backward()`.",
    ),
    "eval-mode": Wrong(
        partial(solution, training=False),
        "The steps ran in eval mode: call `model.train()` first, since training is "
        "what the test is about.",
    ),
    "no-update": Wrong(
        partial(solution, used=lambda lrs: [0.0] * len(lrs)),
        "The weights did not change between the steps: is `optimizer.step()` missing, "
        "or are the weights put back in every step?",
    ),
    "constant-lr": When(
        any_of(
            partial(solution, used=lambda lrs: [lrs[0]] * len(lrs)),
            partial(solution, used=lambda lrs: [lrs[-1]] * len(lrs)),
            partial(solution, used=lambda lrs: [1e-3] * len(lrs)),  # SGD's own rate
        ),
        "Every update was made at the same rate. An optimiser reads its rate from "
        '`optimizer.param_groups[0]["lr"]`; other names have no effect.',
    ),
    "shifted": When(
        any_of(
            partial(solution, used=lambda lrs: [lrs[0], *lrs[:-1]]),
            partial(solution, used=lambda lrs: [*lrs[1:], lrs[-1]]),
        ),
        "The updates were made at the rate of the step before or after: set this "
        "step's rate before `optimizer.step()`.",
    ),
    "reduced": When(
        any_of(
            partial(solution, of=partial(cross_entropy, reduction="sum")),
            partial(solution, of=lambda z, y: cross_entropy(z, y) / len(y)),
            partial(solution, recorded=lambda losses: [x / 6 for x in losses]),
            partial(solution, recorded=lambda losses: [x * 6 for x in losses]),
        ),
        "`cross_entropy` is a mean over the batch already: neither a sum, nor divided or "
        "multiplied by the number of pictures.",
    ),
    "softmax-twice": Wrong(
        partial(solution, of=lambda z, y: cross_entropy(z.softmax(1), y)),
        "`cross_entropy` takes logits: it has the softmax inside.",
    ),
    "second-first": Wrong(
        lambda net, batches, *more: solution(net, [*batches[1:], batches[0]], *more),
        "The first step takes the first batch: `batches[step % len(batches)]`, where "
        "`step` counts from 0.",
    ),
    "one-batch": Wrong(
        lambda model, batches, *numbers: solution(model, batches[:1], *numbers),
        "Every step took the first batch: take the next one.",
    ),
    "momentum": Wrong(
        partial(solution, made=partial(torch.optim.SGD, momentum=0.9)),
        "Plain SGD has no momentum here.",
    ),
    "adam": Wrong(
        partial(solution, made=torch.optim.Adam),
        "That is Adam. Take `torch.optim.SGD`.",
    ),
    "best": Wrong(
        partial(solution, recorded=lambda losses: list(accumulate(losses, min))),
        "That is the least loss so far. Record each step's own.",
    ),
    "smoothed": Wrong(
        partial(solution, recorded=smoothed),
        "These losses are smoothed. Record each step's own.",
    ),
}
