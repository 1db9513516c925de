"""01.4: what was loaded into a model, and what was reported."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from courseware.grading.observing import Case

CHANGED = "the entries of the model that changed"
ENTRIES = "the entries of the model"
NAMES = "the names not loaded"
SHARED = "the entries that share their memory with `state`"


def cases(seed):
    many = 7 + seed % 4
    torch.manual_seed(seed)
    whole = {name: value + 1 for name, value in net(many).state_dict().items()}
    wrapped = {f"module.{name}": value for name, value in whole.items()}
    # So many are gone that no set gives them in order by chance; torch itself never
    # reports num_batches_tracked as missing.
    stays = {k: v for k, v in whole.items() if k[:7] != "layer1." or "tracked" in k}
    gaps = {**stays, "ema.decay": torch.tensor(0.9)}
    mixed = {
        "module.net.module.weight": torch.full((3, 2), 4.0 + seed),
        "net.module.bias": torch.full((3,), 5.0),
        "module.net.head.weight": torch.full((3, 2), 6.0),  # (2, 3) in the model
    }
    fits, other_head = partial(net, many), partial(net, many - 4)
    odd = 'a layer called "module", the prefix on some names, a weight turned round'
    for make, state, given in (
        (fits, whole, "a state dict that fits"),
        (fits, wrapped, 'names that begin with "module."'),
        (other_head, wrapped, 'names that begin with "module.", and another head'),
        (other_head, gaps, "another head, an entry too many and some missing"),
        (nested, mixed, odd),
    ):
        yield Case(given, make=make, state=state)


def net(classes):
    stage = [
        layer for _ in range(3) for layer in (nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    ]
    return nn.ModuleDict(
        {
            "conv1": nn.Conv2d(3, 4, 3),
            "bn1": nn.BatchNorm2d(4),
            "layer1": nn.Sequential(*stage),
            "fc": nn.Linear(4, classes),
        }
    )


def nested():
    layers = {"module": nn.Linear(2, 3), "head": nn.Linear(3, 2)}
    net = nn.ModuleDict(layers)
    net.register_buffer("num_batches_tracked", torch.tensor(0))
    return nn.ModuleDict({"net": net})


def observe(load_matching, case, seen):
    model = case.make()
    for value in model.state_dict().values():
        value.fill_(0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    keeps = ("layers", "requires_grad", "mode", "hooks")
    got = seen.call(load_matching, model, case.state, keeps=keeps)
    seen.require("what your function returns", got, list)
    after = model.state_dict()
    same = {k for k, v in before.items() if k in after and torch.equal(v, after[k])}
    seen.note(CHANGED, before.keys() - same)
    seen.note(ENTRIES, after)
    seen.note(NAMES, got)
    seen.note(SHARED, seen.call(_shared, load_matching, case.make(), case.state))


def _shared(load_matching, model, state):
    load_matching(model, state)
    given = {value.data_ptr() for value in state.values()}
    return {k for k, v in model.state_dict().items() if v.data_ptr() in given}
