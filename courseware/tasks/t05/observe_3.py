"""05.3: the groups, options and state of an optimiser in which a stage is woken."""

from __future__ import annotations

import copy
from collections import OrderedDict

import torch
from torch import nn

from courseware.grading.observing import Case


def cases(seed):
    for kind in ("SGD with momentum", "Adam"):
        lrs = [lr * (1 + seed) for lr in (0.02, 0.3, 0.004)]
        yield Case("", kind=kind, lrs=lrs, seed=seed)


def observe(wake, case, seen):
    net, optimizer = _begun(case.kind, case.seed)
    first, second, third = case.lrs
    seen.given = f"{case.kind} over the head; late.parameters(), lr = {first}"
    _wake(wake, net, optimizer, net.late.parameters(), first, seen)
    net.late.requires_grad_(False)
    seen.given = (
        f"{case.kind}; the same parameters, frozen again, now with lr = {second}"
    )
    _wake(wake, net, optimizer, list(net.late.parameters()), second, seen)
    seen.call(_train, net, optimizer)
    net.early.weight.requires_grad_(True)
    net.early.bias.data.copy_(net.late.bias)  # a new one may equal one that is there
    seen.given = f"{case.kind} over head and late; all of the net, lr = {third}"
    _wake(wake, net, optimizer, net.parameters(), third, seen)


def _begun(kind, seed):
    """A net of three layers and an optimiser over its head, which has learned a little."""
    torch.manual_seed(seed + 4)
    late, head = nn.Linear(6, 6), nn.Linear(6, 2)
    layers = {"early": nn.Linear(5, 6), "tanh": nn.Tanh(), "late": late, "head": head}
    net = nn.Sequential(OrderedDict(layers)).requires_grad_(False)
    lr, learning = 0.05 * (1 + seed), list(head.requires_grad_(True).parameters())
    if kind == "Adam":  # its group has an option of its own
        group = {"params": learning, "weight_decay": 0.0}
        optimizer = torch.optim.Adam([group], lr=lr, weight_decay=0.01)
    else:
        optimizer = torch.optim.SGD(learning, lr=lr, momentum=0.9)
    _train(net, optimizer)
    return net, optimizer


def _train(net, optimizer):
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.linspace(-1, 1, 40).view(8, 5)).square().mean().backward()
        optimizer.step()


def _wake(wake, net, optimizer, parameters, lr, seen):
    there = len(optimizer.param_groups)
    before = copy.deepcopy([net.state_dict(), optimizer.defaults])
    got = seen.call(wake, optimizer, parameters, lr)
    other = isinstance(got, torch.optim.Optimizer) and got is not optimizer
    seen.note("no new optimiser comes back", not other)
    seen.notes(_facts(net, optimizer, there, *before))


def _facts(net, optimizer, there, weights, defaults):
    """What an optimiser holds, `there` groups of which it had before, and what learns."""
    names = {id(p): name for name, p in net.named_parameters()}
    rows = [{"lr": None, **group} for group in optimizer.param_groups]
    groups = [sorted(names.get(id(p), "?") for p in row.pop("params")) for row in rows]
    now = net.state_dict()
    return {
        "the groups that were there": groups[:there],
        "the new groups": groups[there:],
        "the rates": [row.pop("lr") for row in rows],
        "the other options of the groups": rows,
        "the optimiser's own options are as before": optimizer.defaults == defaults,
        "the weights are as before": all(torch.equal(now[k], weights[k]) for k in now),
        "the optimiser's state": {
            names.get(id(p), "?"): dict(kept) for p, kept in optimizer.state.items()
        },
        "what learns": {n for n, p in net.named_parameters() if p.requires_grad},
    }
