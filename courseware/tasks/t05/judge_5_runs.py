"""LP-FT by hand: the right way, and the usual wrong ones."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

SGD = partial(torch.optim.SGD, momentum=0.9)


def everything(model, optimizer, lr, kind=SGD):
    """Make the optimiser of the second part; that of the probe is left behind."""
    return kind(model.parameters(), lr=lr)


def solution(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr, *,
    probing=SGD, tuning=everything, between=lambda model: None, **habits,
):  # fmt: skip
    """Probe, then tune; what stands behind the star makes it a wrong one."""
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = probing(model.fc.parameters(), lr=probe_lr)
    _train(model, loader, optimizer, probe_epochs, **habits)
    between(model)
    model.train().requires_grad_(True)
    optimizer = tuning(model, optimizer, tune_lr)
    _train(model, loader, optimizer, tune_epochs, **habits)


def _train(
    model, loader, optimizer, epochs, loss=F.cross_entropy, zero=True, anew=False
):
    for _ in range(epochs):
        if anew:  # as in a new optimiser
            optimizer.state.clear()
        for images, labels in loader:
            if zero:
                optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()


def joined(model, optimizer, lr, *, head_as_before=False):
    """Go on with the probe's optimiser, the backbone added to it."""
    head = optimizer.param_groups[0]
    head["lr"] = head["lr"] if head_as_before else lr
    body = [p for name, p in model.named_parameters() if not name.startswith("fc.")]
    optimizer.add_param_group({"params": body, "lr": lr})
    return optimizer


def head_as_before(model, optimizer, lr):
    """Make a new optimiser, in which the head has the probe's rate."""
    optimizer.state.clear()  # as in a new one
    return joined(model, optimizer, lr, head_as_before=True)


def other_order(model, loader, probe_epochs, tune_epochs, *lrs):
    """Tune first."""
    solution(model, loader, 0, tune_epochs, *lrs)
    solution(model, loader, probe_epochs, 0, *lrs)


def reset(model):
    """Start the head anew."""
    model.fc.reset_parameters()


def like(kind):
    """Make a test: another kind of optimiser, in one of the parts, shows the same."""
    later = partial(everything, kind=kind)
    tried = partial(solution, probing=kind), partial(solution, tuning=later)
    return lambda it: any(it.shows_the_same(wrong) for wrong in tried)
