"""LP-FT by hand: the right way, and the usual wrong ones."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

from courseware.grading.judging import any_of

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
    model, loader, optimizer, epochs, *,
    loss=F.cross_entropy, zero=lambda batch: True, step=lambda batch: True,
    begin=lambda optimizer: None,
):  # fmt: skip
    """Train; `zero` and `step` tell for which batches, 0 and 1, an epoch does so."""
    for _ in range(epochs):
        begin(optimizer)
        for batch, (images, labels) in enumerate(loader):
            if zero(batch):
                optimizer.zero_grad()
            loss(model(images), labels).backward()
            if step(batch):
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


def reset(model):
    """Start the head anew."""
    model.fc.reset_parameters()


def of_kind(kind):
    """Make a test: another kind of optimiser, in one of the parts, shows the same."""
    later = partial(everything, kind=kind)
    return any_of(partial(solution, probing=kind), partial(solution, tuning=later))


fewer_steps = any_of(
    partial(solution, step=lambda batch: batch == 0),
    partial(solution, step=lambda batch: batch == 1),
    partial(solution, step=lambda batch: batch == 1, zero=lambda batch: batch == 0),
)
