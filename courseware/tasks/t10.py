"""Exercise 10: shared nets, masked losses, learnt weights, gradients that conflict."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courseware.grading.registry import task
from courseware.grading.values import plain

_Values = dict[str, Tensor]

# --- nets and properties that several tasks ask for ---------------------------------


class _Backbone(nn.Module):
    """A backbone that counts its passes, and can be told what features to give."""

    def __init__(self, width: int, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(12, width), nn.BatchNorm1d(width), nn.Tanh()
        )
        self.passes, self.told = 0, None

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return self.body(images) if self.told is None else self.told


def _images(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def _ids(parameters: Iterable[Tensor]) -> set[int]:
    return {id(p) for p in parameters}


def _numel(parameters: Iterable[Tensor]) -> int:
    return sum(p.numel() for p in {id(p): p for p in parameters}.values())


def _head_values(width: int, tasks: Mapping[str, int]) -> int:
    return sum((width + 1) * classes for classes in tasks.values())


def _check_logits(c, logits, tasks, rows, given) -> _Values:
    """Require {task: (B, classes)}; return it as a plain dict."""
    c.type(logits, dict, "what forward returns")
    logits = {plain(name): value for name, value in logits.items()}
    c.that(logits.keys() == tasks.keys(), "the tasks", key="tasks", given=given,
           expected=list(tasks), got=list(logits),
           hint="A dict with the logits of each task, by the task's name.")  # fmt: skip
    for name, classes in tasks.items():
        c.tensor(logits[name], f"the logits of {name}", shape=(rows, classes),
                 shape_hint="One row a picture, one logit a class of that "
                 "task.")  # fmt: skip
    return logits


def _check_no_softmax(c, logits: _Values, given: str) -> None:
    for values in logits.values():
        sums = values.detach().sum(1), values.detach().exp().sum(1)
        ones = any(torch.allclose(s, torch.ones(len(s)), atol=1e-4) for s in sums)
        c.that(not ones, "the logits", key="softmax", given=given, got=values,
               hint="These are probabilities, or their logarithms. Return the head's "
               "logits: cross_entropy does the softmax itself.")  # fmt: skip


def _check_linear(c, head: Callable[[Tensor], _Values], width: int, given: str) -> None:
    """Require logits that are a linear layer's of the features, without chance."""
    alike = head(torch.ones(8, width)).values()
    c.that(all(torch.allclose(v, v[:1].expand_as(v), atol=1e-5) for v in alike),
           "the heads", key="chance", given=given, hint="Pictures with the same features "
           "get different logits: dropout belongs into neither heads nor forward "
           "here.")  # fmt: skip
    torch.manual_seed(width)
    x, y = torch.randn(2, 4, width).unbind()
    a, b, both, none = (head(f) for f in (x, y, x + y, torch.zeros_like(x)))
    straight = all(torch.allclose(a[t] + b[t], both[t] + none[t], atol=1e-4) for t in a)
    c.that(straight, "the heads", key="not-linear", given=given,
           hint="The logits do not depend linearly on the features: no activation "
           "belongs into or behind a head here.")  # fmt: skip


def _attempt(c, errors: dict[str, tuple[str, str]], function: Callable, *args) -> None:
    """Fail with a message of our own for an error whose text is known."""
    text = str(c.attempt(function, *args).error)
    for part, (key, hint) in errors.items():
        c.that(part not in text, "it runs without an error", key=key, hint=hint,
               got=text[:150])  # fmt: skip


# --- 10.1 ---------------------------------------------------------------------------

_TWO = {"species": 5, "colour": 3}


@task(
    "10.1",
    title="One backbone, several heads",
    points=2,
    hints=(
        "What must __init__ keep so that parameters() finds it? And how often does "
        "forward need the features?",
        "nn.ModuleDict is a dict whose modules are registered: self.heads[task] = "
        "nn.Linear(num_features, classes). In forward compute the features first, "
        "before you go through the heads.",
        "features = self.backbone(images); return {task: head(features) for task, head "
        "in self.heads.items()}",
    ),
)
def shared_net(answer, c):
    alike = {"species": 4, "colour": 4, "petals": 4}
    for tasks, width in c.cases(
        [(_TWO, 6), (alike, 4)], hidden=[({"petals": 5}, 3), (_TWO | {"size": 2}, 7)]
    ):
        backbone = _Backbone(width, seed=width)
        given = f"{width} features, tasks = {tasks}"
        keeps = ("layers", "weights", "requires_grad", "mode")
        net = c.call(answer, backbone, width, tasks, given=given, keeps=keeps)
        c.type(net, nn.Module, "what SharedNet gives")
        _check_shared_net(c, net, backbone, width, tasks, given)


def _check_shared_net(c, net, backbone, width, tasks, given):
    backbone.passes = 0
    logits = c.call(lambda: net(_images(5)), given=given)
    passes, rest = backbone.passes, _ids(backbone.parameters())
    logits = _check_logits(c, logits, tasks, 5, given)
    _check_backbone(c, net, rest, given)
    heads = [p for p in net.parameters() if id(p) not in rest]
    _check_heads(c, heads, logits, width, tasks, given)
    c.that(passes > 0, "the backbone", key="unused", given=given,
           hint="The backbone that was given never ran: call self.backbone(images) in "
           "forward.")  # fmt: skip
    c.that(passes == 1, "the passes of the backbone", key="passes", given=given,
           expected="1", got=passes, hint="The backbone runs more than once a forward "
           "pass. Compute the features before the loop over the heads: it is where the "
           "time goes, and BatchNorm would count the batch twice.")  # fmt: skip
    _check_no_softmax(c, logits, given)
    _check_linear(c, lambda told: _from_features(c, net, backbone, told), width, given)
    _check_reach(c, net, backbone, heads, tasks, given)


def _check_backbone(c, net, rest: set[int], given: str) -> None:
    found = _ids(net.parameters())
    c.that(rest <= found, "the backbone's parameters", key="backbone-lost", given=given,
           hint="parameters() does not give those of the backbone: keep the very module "
           "that was given, as self.backbone = backbone. A copy, or a module in a plain "
           "list, will not do.")  # fmt: skip


def _check_heads(c, heads, logits, width, tasks, given):
    right, got = _head_values(width, tasks), _numel(heads)
    shown = {"given": given, "expected": f"{right} values in heads", "got": got}
    c.that(got > 0, "the heads' parameters", key="not-registered",
           hint="parameters() does not give the heads': an optimiser would never train "
           "them. A plain dict or list hides modules; nn.ModuleDict registers them. And "
           "make them in __init__, not in forward.", **shown)  # fmt: skip
    values = [v.detach() for v in logits.values()]
    same = [a.shape == b.shape and torch.equal(a, b)
            for i, a in enumerate(values) for b in values[:i]]  # fmt: skip
    c.that(not any(same), "the heads", key="shared-head", given=given,
           hint="Two tasks get the same logits: each needs a head of its own.")  # fmt: skip
    c.that(got == right, "the heads' parameters", key="head",
           hint="A head is one nn.Linear(num_features, classes), with its bias, and the "
           "module holds nothing beside backbone and heads.", **shown)  # fmt: skip


def _from_features(c, net, backbone, told: Tensor) -> _Values:
    backbone.told = told
    logits = c.call(lambda: net(_images(len(told))))
    backbone.told = None
    return {plain(name): value.detach() for name, value in logits.items()}


def _check_reach(c, net, backbone, heads, tasks, given):
    """Each loss reaches the whole backbone, all losses together every head."""
    for name in tasks:
        net.zero_grad()
        loss = c.call(lambda: net(_images(5)), given=given)[name].square().sum()
        missed = not loss.requires_grad
        if not missed:
            loss.backward()
            missed = any(p.grad is None for p in backbone.body[1].parameters())
        c.that(not missed, "the gradients", key="detached", given=given,
               hint=f"The loss of {name} does not reach the backbone. Neither detach() "
               "nor no_grad() belongs into forward.")  # fmt: skip
    net.zero_grad()
    c.call(lambda: sum(v.square().sum() for v in net(_images(5)).values()).backward())
    c.that(all(p.grad is not None for p in heads), "the gradients", key="head",
           given=given, hint="A head that is registered takes no part in "
           "forward.")  # fmt: skip


# --- 10.2 ---------------------------------------------------------------------------


class _Factory:
    """Builds backbones, each a little different, and keeps them."""

    def __init__(self, width: int):
        self.width, self.made = width, []

    def __call__(self) -> _Backbone:
        self.made.append(_Backbone(self.width, seed=self.width + len(self.made)))
        return self.made[-1]


@task(
    "10.2",
    title="Find the bug: nothing is shared",
    points=2,
    hints=(
        "How many backbones does the loop build? Compare id(nets[t][0]) of two tasks.",
        "Build the backbone once, before the loop. Then look at the list of parameters: "
        "how often does it hold each weight of the backbone now?",
        "nets = nn.ModuleDict(); the same backbone in each nn.Sequential; "
        "torch.optim.SGD(nets.parameters(), lr=lr), for a module gives a shared "
        "parameter once.",
    ),
)
def share(answer, c):
    alike = {"species": 4, "colour": 4}
    for tasks, width, lr in c.cases(
        [(_TWO, 6, 0.1), (alike, 4, 0.02)], hidden=[(_TWO | {"size": 2}, 5, 0.3)]
    ):
        factory = _Factory(width)
        # Made before the answer runs: the first optimiser imports much, which is slow.
        plain_sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
        given = f"{width} features, tasks = {tasks}, lr = {lr}"
        got = c.call(answer, factory, width, tasks, lr, given=given)
        c.type(got, (tuple, list), "what share returns")
        c.that(len(got) == 2, "the result", key="two-things", given=given,
               expected="nets, optimizer", got=f"{len(got)} things",
               hint="Return two things: nets and the optimizer.")  # fmt: skip
        nets = _check_nets(c, got[0], tasks, given)
        _check_shared(c, nets, factory, tasks, given)
        _check_optimizer(c, got[1], nets, factory.made[0], plain_sgd, given)
        _check_pull(c, nets, factory.made[0], given)


def _check_nets(c, nets, tasks, given) -> dict[str, nn.Module]:
    c.type(nets, (dict, nn.ModuleDict), "the nets")
    nets = {plain(name): net for name, net in nets.items()}
    c.that(nets.keys() == tasks.keys(), "the tasks", key="tasks", given=given,
           expected=list(tasks), got=list(nets),
           hint="One net for each task, by the task's name.")  # fmt: skip
    for name, net in nets.items():
        c.type(net, nn.Module, f"the net of {name}")
    logits = c.call(lambda: {t: net(_images(5)) for t, net in nets.items()})
    _check_no_softmax(c, _check_logits(c, logits, tasks, 5, given), given)
    return nets


def _check_shared(c, nets, factory, tasks, given):
    built = len(factory.made)
    c.that(built > 0, "the backbone", key="not-built", given=given,
           hint="make_backbone() was never called.")  # fmt: skip
    first = _ids(factory.made[0].parameters())
    inside = [first <= _ids(net.parameters()) for net in nets.values()]
    shown = {"given": given, "expected": "one backbone in all nets"}
    c.that(built == 1, "the backbones built", key="built-twice", got=f"{built} built",
           hint="make_backbone() is called more than once. Each call gives other weights "
           "in other memory; equal values at the start, as after load_state_dict, are "
           "not shared either. Call it before the loop.", **shown)  # fmt: skip
    c.that(all(inside), "the backbone", key="copy",
           got=f"the backbone built is in {sum(inside)} of {len(inside)} nets",
           hint="A copy begins with the same values and then learns alone. Put the very "
           "object into each net: it is no copy to use it twice.", **shown)  # fmt: skip
    everything = [p for net in nets.values() for p in net.parameters()]
    got = _numel(p for p in everything if id(p) not in first)
    right = _head_values(factory.width, tasks)
    c.that(got == right, "the heads", key="head", given=given, got=got,
           expected=f"{right} values in heads", hint="Each task has one Linear layer of "
           "its own, with a bias, behind the shared backbone.")  # fmt: skip


def _check_optimizer(c, optimizer, nets, backbone, plain_sgd, given):
    lr = plain_sgd.defaults["lr"]
    c.that(not isinstance(optimizer, (dict, list, tuple)), "the optimiser",
           key="optimizers", given=given, hint="One optimiser for all nets. Several "
           "would each move the shared backbone.")  # fmt: skip
    c.type(optimizer, torch.optim.SGD, "the optimiser")
    groups = optimizer.param_groups
    held = [id(p) for group in groups for p in group["params"]]
    shared, needed = _ids(backbone.parameters()), _ids(
        p for net in nets.values() for p in net.parameters()
    )  # fmt: skip
    c.that(len(held) == len(set(held)), "the optimiser's parameters", key="twice",
           given=given, expected=f"{len(needed)} parameters", got=f"{len(held)} entries",
           hint="The optimiser holds the shared parameters once for each task: SGD "
           "would move them several times a step. (PyTorch warns of that; here warnings "
           "are silent.) nn.ModuleDict(nets).parameters() gives each once.")  # fmt: skip
    c.that(shared <= set(held), "the optimiser's parameters", key="no-backbone",
           given=given, hint="The optimiser does not have the shared backbone: it would "
           "never learn.")  # fmt: skip
    c.that(needed == set(held), "the optimiser's parameters", key="missing", given=given,
           expected=f"{len(needed)} parameters", got=f"{len(held)} parameters",
           hint="The optimiser must hold all parameters of all nets, and no "
           "others.")  # fmt: skip
    rates = [group["lr"] for group in groups]
    c.that(all(rate == lr for rate in rates), "the rate", key="rate", given=given,
           expected=lr, got=rates, hint="The rate is lr for every parameter.")  # fmt: skip
    usual = plain_sgd.defaults
    extra = [o for o in usual if any(g[o] != usual[o] for g in groups) and o != "lr"]
    c.that(not extra, "the optimiser's options", key="options", given=given, got=extra,
           hint="Plain SGD: leave the other options alone.")  # fmt: skip


def _check_pull(c, nets, backbone, given):
    """Each task's loss alone gives every parameter of the backbone a gradient."""
    for name, net in nets.items():
        net.zero_grad()
        loss = c.call(lambda net=net: net(_images(5)), given=given).square().sum()
        learns = loss.requires_grad
        if learns:
            loss.backward()
            learns = all(p.grad is not None for p in net.parameters())
        c.that(learns, "the gradients", key="detached", given=given,
               hint=f"The loss of {name} does not reach all of its net: nothing is to "
               "be frozen or detached.")  # fmt: skip
    c.that(backbone.passes > 0, "the backbone", key="copy", given=given,
           hint="The backbone that was built never runs.")  # fmt: skip


# --- 10.3 ---------------------------------------------------------------------------

_BOUNDS = (
    "ignore-index",
    "-1 is no class. Take the pictures that have a label before the loss (known = "
    "truth != -1), or tell cross_entropy ignore_index=-1.",
)
_NO_CLASS = {
    "Target -1 is out of bounds": _BOUNDS,
    "index -1 is out of bounds": _BOUNDS,
    "must be non-negative": _BOUNDS,
}


@task(
    "10.3",
    title="Losses where labels are missing",
    points=2,
    hints=(
        "For each task by itself: which rows count? And by how many do you divide?",
        "known = truth != -1; cross_entropy over logits[task][known] and truth[known]. "
        "What is the mean over no rows at all?",
        'The sum over the known rows, reduction="sum", divided by '
        "known.sum().clamp(min=1): 0 / 1 is 0, and still has a graph.",
    ),
)
def masked_losses(answer, c):
    shown = [
        {"species": [0, 3, -1, 4], "colour": [-1, 2, 1, 0]},
        {"species": [1, 2, 0], "colour": [-1, -1, -1]},
    ]
    hidden = [
        {"species": [-1, -1, 2, -1, -1], "colour": [1, 0, -1, -1, -1]},
        {"species": [-1, -1], "colour": [-1, -1], "petals": [1, 0]},
        {"species": [-1], "colour": [-1]},
    ]
    apart = {"species": [0, -1, 2, 1], "colour": [2, 0, -1, 1]}
    for number, rows in enumerate(c.cases([*shown, apart], hidden=hidden)):
        labels = {name: torch.tensor(row) for name, row in rows.items()}
        spread = 150.0 if rows is apart else 2.0
        logits = _random_logits(labels, spread, seed=number)
        far = ", logits hundreds apart" if rows is apart else ""
        given = f"labels {rows}{far}"
        _attempt(c, _NO_CLASS, answer, logits, labels)
        got = c.call(answer, logits, labels, given=given)
        losses = _check_losses(c, got, logits, labels, given)
        _check_loss_values(c, losses, logits, labels, given)
        _check_loss_gradients(c, answer, logits, labels, given)


def _random_logits(labels: _Values, spread: float, *, seed: int) -> _Values:
    generator = torch.Generator().manual_seed(seed)
    classes = {"species": 5, "colour": 3, "petals": 2}
    return {
        name: torch.randn(len(row), classes[name], generator=generator) * spread
        for name, row in labels.items()
    }


def _check_losses(c, got, logits, labels, given) -> _Values:
    c.type(got, dict, "the result")
    got = {plain(name): value for name, value in got.items()}
    c.that(got.keys() == labels.keys(), "the tasks", key="tasks", given=given,
           expected=list(labels), got=list(got), hint="A loss for each task, also for "
           "one without any label: its loss is 0.")  # fmt: skip
    for name, loss in got.items():
        c.tensor(loss, f"the loss of {name}", shape=(), shape_hint="One number a task: "
                 "the mean over its labelled pictures.")  # fmt: skip
        loss = loss.detach()
        c.that(not loss.isinf().item(), f"the loss of {name}", key="log-of-zero",
               given=given, got="inf", hint="A probability has become 0, and its "
               "logarithm is lost. Hand the logits to cross_entropy as they are, or take "
               "log_softmax.")  # fmt: skip
        c.that(not loss.isnan().item(), f"the loss of {name}", key="nan",
               given=given, got="nan", hint="The mean over no pictures is 0 / 0, which "
               "is NaN, and a NaN loss spoils every weight in one step. Where no label "
               "is there, the loss is 0.")  # fmt: skip
    return {name: loss.detach() for name, loss in got.items()}


def _check_loss_values(c, losses, logits, labels, given):
    right = _losses_by(_mean_of_known, logits, labels)
    full = [name for name, truth in labels.items() if (truth != -1).any()]
    shown = {"given": given, "got": {n: losses[n].item() for n in losses},
             "expected": {n: right[n].item() for n in right}}  # fmt: skip

    def agree(a: _Values, b: _Values) -> bool:
        return all(torch.allclose(a[n].float(), b[n], atol=1e-5) for n in full)

    for key, rule in _WRONG_LOSSES.items():
        wrong = _losses_by(rule, logits, labels)
        c.that(agree(wrong, right) or not agree(losses, wrong), "the losses", key=key,
               hint=_LOSS_HINTS[key], **shown)  # fmt: skip
    for name in labels:
        empty = name not in full
        hint = ("No picture has a label for this task, so its loss is exactly 0."
                if empty else "The mean cross-entropy over the pictures whose label "
                "is not -1, for each task by itself.")  # fmt: skip
        c.close(losses[name], right[name], f"the loss of {name}", given=given,
                key="not-zero" if empty else "value", hint=hint,
                atol=0.0 if empty else 1e-5, rtol=1e-5)  # fmt: skip


def _losses_by(rule: Callable, logits: _Values, labels: _Values) -> _Values:
    complete = torch.stack([truth != -1 for truth in labels.values()]).all(0)
    return {name: rule(logits[name], truth, complete) for name, truth in labels.items()}


def _summed(logits: Tensor, truth: Tensor, rows: Tensor) -> Tensor:
    return F.cross_entropy(logits[rows], truth[rows], reduction="sum")


def _mean_of_known(logits, truth, complete) -> Tensor:
    known = truth != -1
    return _summed(logits, truth, known) / known.sum().clamp(min=1)


def _zeroed(logits, truth, complete) -> Tensor:
    known = truth != -1
    return F.cross_entropy(logits * known[:, None], truth.clamp(min=0))


_WRONG_LOSSES = {
    "whole-batch": lambda x, y, _: _summed(x, y, y != -1) / len(y),
    "summed": lambda x, y, _: _summed(x, y, y != -1),
    "complete-only": lambda x, y, all_known: (
        _summed(x, y, all_known) / all_known.sum().clamp(min=1)
    ),
    "last-class": lambda x, y, _: F.cross_entropy(x, y % x.shape[1]),
    "first-class": lambda x, y, _: F.cross_entropy(x, y.clamp(min=0)),
    "zeroed": _zeroed,
    "softmax": lambda x, y, all_known: _mean_of_known(x.softmax(1), y, all_known),
    "sign": lambda x, y, all_known: -_mean_of_known(x, y, all_known),
}
_LOSS_HINTS = {
    "whole-batch": "You divide by all pictures of the batch. A task with few labels would "
    "then learn slowly: divide by those that have a label for this task.",
    "summed": "That is the sum. Divide by the number of pictures that have a label for "
    "this task.",
    "complete-only": "A picture whose label is missing for one task still has labels for "
    "others: mask each task by itself, do not drop whole pictures.",
    "last-class": "-1 was taken as an index, and index -1 is the last class. Such "
    "pictures must not count for this task.",
    "first-class": "A missing label was taken as class 0. Such pictures must not count "
    "for this task.",
    "zeroed": "Logits of 0 are a prediction too: all classes alike, which costs log(C) a "
    "picture. Leave the rows out instead.",
    "softmax": "cross_entropy takes logits and does the softmax itself.",
    "sign": "The sign is turned: cross-entropy is at least 0.",
}


def _check_loss_gradients(c, answer, logits, labels, given):
    leaves = {name: row.clone().requires_grad_() for name, row in logits.items()}
    losses = c.call(lambda: answer(leaves, labels), given=given)
    losses = {plain(name): loss for name, loss in losses.items()}
    known = {name: truth != -1 for name, truth in labels.items()}
    whole = all(losses[n].requires_grad for n in losses if known[n].any())
    c.that(whole, "the graph", key="no-graph", given=given, hint="No gradient flows from "
           "a loss: .item(), .detach(), torch.tensor(…) and no_grad() cut it "
           "off.")  # fmt: skip
    learns = [loss for loss in losses.values() if loss.requires_grad]
    if learns:
        c.call(lambda: sum(learns).backward(), given=given)
    twins = {name: row.clone().requires_grad_() for name, row in logits.items()}
    sum(_losses_by(_mean_of_known, twins, labels).values()).backward()
    for name, leaf in leaves.items():
        zeros = torch.zeros_like(leaf)
        found = zeros if leaf.grad is None else leaf.grad
        c.close(found, twins[name].grad, f"the gradient of the logits of {name}",
                key="gradient", given=given, hint="Only the rows of labelled pictures "
                "get a gradient, and nothing is NaN.")  # fmt: skip


# --- 10.4 ---------------------------------------------------------------------------


@task(
    "10.4",
    title="Weights that are learnt",
    points=2,
    hints=(
        "nn.Parameter, kept as an attribute of a module, is what parameters() gives. In "
        "forward, look each loss up by its task, not by its place in the dict.",
        "self.s = nn.Parameter(torch.zeros(len(tasks))). The term of a task is "
        "torch.exp(-s) * loss + s / 2, without detach() or item().",
        "for task, loss in losses.items(): s = self.s[self.tasks.index(task)]; total = "
        "total + torch.exp(-s) * loss + s / 2",
    ),
)
def uncertainty_loss(answer, c):
    for s, losses in c.cases(
        [
            ({"species": 0.5, "colour": 1.5}, {"species": 2.0, "colour": 0.3}),
            ({"species": 0.4, "colour": 1.2}, {"colour": 0.7, "species": 2.5}),
            ({"species": 0.4, "colour": 1.2}, {"colour": 0.7}),
        ],
        hidden=[
            ({"a": -1.0, "b": 0.7, "d": 2.0}, {"d": 0.2, "a": 1.1, "b": 3.0}),
            ({"a": -0.5}, {"a": 0.9}),
        ],
    ):
        module = c.call(answer, list(s), given=f"tasks = {list(s)}")
        c.type(module, nn.Module, "what UncertaintyLoss gives")
        start = _check_parameter(c, module, list(s))
        with torch.no_grad():
            module.s.copy_(torch.tensor(list(s.values())))
        _check_total(c, module, s, losses, start)
        right = torch.zeros(len(s))
        c.close(start, right, "s at the start", key="start", given=f"tasks = {list(s)}",
                hint="Every s starts at 0, so that every weight starts at "
                "1.")  # fmt: skip


def _check_parameter(c, module, tasks) -> Tensor:
    given = f"tasks = {tasks}"
    s = getattr(module, "s", None)
    c.that(isinstance(s, nn.Parameter), "the attribute s", key="not-parameter",
           given=given, expected="an nn.Parameter", got=type(s).__name__,
           hint="s is not an nn.Parameter, so parameters() does not give it, no optimiser "
           "gets it, and the weights stay at 1: self.s = nn.Parameter(…).")  # fmt: skip
    c.tensor(s.detach(), "s", shape=(len(tasks),),
             shape_hint="One value for each task, in one parameter.")  # fmt: skip
    c.that(s.is_floating_point() and s.requires_grad, "the attribute s", given=given,
           key="frozen", hint="s must learn: floats, with requires_grad.")  # fmt: skip
    others = len(list(module.parameters())) - 1
    c.that(others == 0, "the parameters", key="extra", given=given,
           got=f"{others} more than s", hint="s is all that is to be learnt.")  # fmt: skip
    return s.detach().clone()


def _check_total(c, module, s, losses, start):
    leaves = {t: torch.tensor(x, requires_grad=True) for t, x in losses.items()}
    given = f"s = {s}, losses = {losses}"
    got = c.call(lambda: module(dict(leaves)), given=given)
    c.tensor(got, "the total", shape=(), shape_hint="One number: the sum over the "
             "tasks.")  # fmt: skip
    values, right = got.item(), _total(_kendall, s, losses)
    shown = {"given": given, "expected": right, "got": values}
    for key, wrong in _wrong_totals(s, losses):
        c.that(_near(wrong, right) or not _near(values, wrong), "the total",
               key=key, hint=_TOTAL_HINTS[key], **shown)  # fmt: skip
    c.close(values, right, "the total", given=given, rtol=1e-4, hint="Work out "
            "exp(-s)·L + s/2 for each task in losses, and add.")  # fmt: skip
    _check_total_gradients(c, module, got, s, leaves, given)


def _kendall(s: float, loss: float) -> float:
    return _exp(-s) * loss + s / 2


def _exp(x: float) -> float:
    return torch.tensor(x, dtype=torch.float64).exp().item()


def _log(x: float) -> float:
    return torch.tensor(x, dtype=torch.float64).log().item()


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * max(1.0, abs(b))  # False where one is NaN


def _total(rule: Callable[[float, float], float], s: dict, losses: dict) -> float:
    return sum(rule(s[name], loss) for name, loss in losses.items())


def _wrong_totals(s: dict, losses: dict) -> Iterator[tuple[str, float]]:
    """(key, the total) of the usual mistakes."""
    rules = (
        ("no-half", lambda v, x: _exp(-v) * x),
        ("whole-s", lambda v, x: _exp(-v) * x + v),
        ("minus-half", lambda v, x: _exp(-v) * x - v / 2),
        ("plus", lambda v, x: _exp(v) * x + v / 2),
        ("plus", lambda v, x: _exp(v) * x - v / 2),
        ("plus", lambda v, x: _exp(v) * x),
        ("regression", lambda v, x: _exp(-v) * x / 2 + v / 2),
        ("log-sigma", lambda v, x: _exp(-2 * v) * x + v),
        ("log-sigma", lambda v, x: _exp(-2 * v) * x + v / 2),
        ("sigma", lambda v, x: x / v**2 + _log(v)),
        ("sigma", lambda v, x: x / (2 * v**2) + _log(v)),
        ("sigma", lambda v, x: x / v + _log(v) / 2),
        ("no-exp", lambda v, x: v * x),
        ("no-exp", lambda v, x: v * x + v / 2),
        ("no-exp", lambda v, x: -v * x + v / 2),
    )
    for key, rule in rules:
        yield key, _total(rule, s, losses)
    absent = sum(v / 2 for name, v in s.items() if name not in losses)
    yield "absent", _total(_kendall, s, losses) + absent
    yield "mean", _total(_kendall, s, losses) / len(losses)
    yield "mean", _total(_kendall, s, losses) / len(s)
    placed = dict(zip(losses, s.values(), strict=False))
    yield "order", _total(_kendall, placed, losses)
    yield "order", _total(_kendall, placed, losses) + absent


_TOTAL_HINTS = {
    "no-half": "The s/2 is missing. Without it the total falls as s grows, for nothing "
    "holds it: every weight would go to 0, and nothing be learnt.",
    "whole-s": "Half of s: log σ is half of log σ².",
    "minus-half": "s/2 is added: it makes it dear to call a task uncertain. Subtracted, "
    "s would grow without end.",
    "plus": "The sign in the exponent is turned: the more uncertain a task (the larger "
    "s), the less its loss counts, so exp(-s).",
    "regression": "The half before the loss belongs to a regression. For cross-entropy "
    "it is exp(-s)·L + s/2.",
    "log-sigma": "s is log σ², not log σ: the term is exp(-s)·L + s/2.",
    "sigma": "That learns σ or σ² itself, which a step of the optimiser can make 0 or "
    "negative: the total is then infinite or NaN. Learn s = log σ², which may be any "
    "number.",
    "no-exp": "s itself is no weight: it may be negative, and a negative weight would "
    "make the loss grow. The weight is exp(-s).",
    "absent": "A task that losses leaves out adds nothing, its s/2 too: with no loss "
    "against it, s would fall without end.",
    "mean": "The sum over the tasks, not their mean.",
    "order": "The losses come in any order. Take the s of each task by its name, not by "
    "its place in the dict.",
}


def _check_total_gradients(c, module, total, s, leaves, given):
    c.that(total.requires_grad, "the gradient of s", key="detached", given=given,
           hint=_CUT)  # fmt: skip
    total.backward()
    right = torch.tensor([-_exp(-v) * leaves[t].item() + 0.5 if t in leaves else 0.0
                          for t, v in s.items()])  # fmt: skip
    found = module.s.grad
    c.that(found is not None, "the gradient of s", key="detached", given=given,
           hint=_CUT)  # fmt: skip
    c.close(found, right, "the gradient of s", key="detached", given=given, hint=_CUT)
    for name, leaf in leaves.items():
        grad = torch.zeros(()) if leaf.grad is None else leaf.grad
        c.close(grad, _exp(-s[name]), f"the gradient of the loss of {name}", given=given,
                key="losses-detached", hint="The losses' graph is cut off, so the net "
                "would not learn: no item(), detach() or torch.tensor(…) on "
                "them.")  # fmt: skip


_CUT = (
    "s gets no gradient, or a part of it only, so the weights are not learnt. Compute "
    "with self.s itself: no item(), detach(), data or torch.tensor(…)."
)


# --- 10.5 ---------------------------------------------------------------------------


class _TwoTasks(nn.Module):
    """A backbone with BatchNorm, two heads; a frozen stem, and dropout, if asked for."""

    def __init__(self, seed: int, *, freeze: bool, drops: bool):
        super().__init__()
        torch.manual_seed(seed)
        stem = nn.Linear(12, 8).requires_grad_(not freeze)
        self.backbone = nn.Sequential(
            nn.Flatten(), stem, nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6), nn.ReLU()
        )
        heads = {"species": nn.Linear(6, 4), "colour": nn.Linear(6, 3)}
        if drops:
            self.backbone.append(nn.Dropout(0.5))
            heads = {t: nn.Sequential(nn.Dropout(0.5), h) for t, h in heads.items()}
        self.heads = nn.ModuleDict(heads)
        self.trained = False  # did any layer ever run in train mode?

    def forward(self, images: Tensor) -> _Values:
        self.trained |= any(module.training for module in self.modules())
        features = self.backbone(images)
        return {name: head(features) for name, head in self.heads.items()}


_GRADIENT_ERRORS = {
    "backward through the graph a second time": (
        "retain-graph",
        "The first task's gradient frees the graph that both tasks share. Keep it: "
        "retain_graph=True, or run the model once for each task.",
    ),
    "not have been used in the graph": (
        "heads",
        "The head of one task has no part in the loss of the other. Take the backbone's "
        "parameters only: model.backbone.parameters().",
    ),
    "One of the differentiated Tensors does not require grad": (
        "frozen",
        "Some parameters are frozen and have no gradient: leave out those whose "
        "requires_grad is False.",
    ),
    "does not require grad and does not have a grad_fn": (
        "no-grad",
        "There is no graph: run the model with gradients, not under no_grad() or "
        "inference_mode(). eval() is enough, it does not switch gradients off.",
    ),
}
_TRACELESS = ("layers", "weights", "statistics", "requires_grad", "mode", "hooks")


@task(
    "10.5",
    title="Do two tasks pull together?",
    points=2,
    hints=(
        "torch.autograd.grad(loss, parameters) returns the gradients and writes nothing "
        "into .grad. Both losses need the same graph.",
        "shared = [p for p in model.backbone.parameters() if p.requires_grad]; "
        "torch.autograd.grad(loss, shared, retain_graph=True); put all of them into one "
        "vector: torch.cat([g.flatten() for g in found]).",
        "F.cosine_similarity(a, b, dim=0).item(). Remember model.training before you "
        "call eval(), and put it back with model.train(training).",
    ),
)
def gradient_cosine(answer, c):
    # seed, batch, train mode, frozen stem, .grad there before, dropout
    shown = [(0, 8, False, False, False, False), (1, 8, True, True, True, False)]
    hidden = [(2, 6, True, False, False, True), (3, 5, False, True, True, True)]
    for seed, n, training, freeze, filled, drops in c.cases(shown, hidden=hidden):
        model = _TwoTasks(seed, freeze=freeze, drops=drops).train(training)
        images, labels = _batch(n, seed)
        _settle_statistics(model, filled)
        given = (f"{n} pictures, a model in {'train' if training else 'eval'} mode"
                 f"{', its first layer frozen' if freeze else ''}"
                 f"{', gradients in .grad' if filled else ''}"
                 f"{', with dropout' if drops else ''}")  # fmt: skip
        _attempt(c, _GRADIENT_ERRORS, answer, copy.deepcopy(model), images, labels)
        reference = copy.deepcopy(model)
        before = _grads(model)
        got = c.call(answer, model, images, labels, given=given, keeps=_TRACELESS)
        c.type(got, float, "the result")
        case = reference, images, labels
        _check_cosine(c, got, case, before, given, trained=model.trained)
        after = _grads(model)
        same = all(_same_grad(before[name], after[name]) for name in before)
        c.that(same, "the gradients afterwards", key="grad-written", given=given,
               hint="A parameter's .grad is another than before: the next step of an "
               "optimiser would use it. torch.autograd.grad writes nothing there; after "
               "backward() you must put back what was there.")  # fmt: skip


def _batch(n: int, seed: int) -> tuple[Tensor, _Values]:
    generator = torch.Generator().manual_seed(seed)
    labels = {"species": 4, "colour": 3}
    return _images(n, seed + 10), {
        name: torch.randint(classes, (n,), generator=generator)
        for name, classes in labels.items()
    }


def _settle_statistics(model: _TwoTasks, filled: bool) -> None:
    """Give BatchNorm statistics of its own, and .grad a value where asked for."""
    norm = model.backbone[2]
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.3, 3)
    if filled:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.randn_like(parameter)


def _grads(model: nn.Module) -> dict[str, Tensor | None]:
    return {name: None if p.grad is None else p.grad.clone()
            for name, p in model.named_parameters()}  # fmt: skip


def _same_grad(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)


def _task_gradients(
    model: _TwoTasks, images: Tensor, labels: _Values, *, train: bool = False
) -> list[dict[str, Tensor]]:
    """Each task's gradients on all parameters that learn, by name."""
    twin = copy.deepcopy(model).train(train)
    names, parameters = zip(
        *((n, p) for n, p in twin.named_parameters() if p.requires_grad), strict=True
    )
    logits = twin(images)
    losses = [F.cross_entropy(logits[name], labels[name]) for name in logits]
    options = {"retain_graph": True, "materialize_grads": True, "allow_unused": True}
    return [dict(zip(names, torch.autograd.grad(loss, parameters, **options),
                     strict=True)) for loss in losses]  # fmt: skip


def _vector(gradients: dict[str, Tensor], *, whole: bool = False) -> Tensor:
    return torch.cat([g.flatten().double() for name, g in gradients.items()
                      if whole or name.startswith("backbone.")])  # fmt: skip


def _cosine(a: Tensor, b: Tensor) -> float:
    return F.cosine_similarity(a, b, dim=0).item()


def _check_cosine(c, got, case, before, given, *, trained):
    gradients = _task_gradients(*case)
    a, b = (_vector(g) for g in gradients)
    right = _cosine(a, b)
    shown = {"given": given, "expected": right, "got": got}
    moved = _task_gradients(*case, train=True)
    wrongs = [
        ("heads", _cosine(*(_vector(g, whole=True) for g in gradients))),
        ("mean-of-cosines", _mean_of_cosines(gradients)),
        ("train-mode", _cosine(*(_vector(g) for g in moved))),
        ("train-mode", _cosine(*(_vector(g, whole=True) for g in moved))),
        ("dot", (a @ b).item()),
        ("aliased", 1.0),
        ("accumulated", _cosine(a, a + b)),
        ("accumulated", _cosine(*_accumulated(before, gradients))),
        ("absolute", abs(right)),
        ("sign", -right),
        ("distance", 1 - right),
    ]
    for key, wrong in wrongs:
        c.that(abs(wrong - right) < 1e-4 or abs(got - wrong) > 1e-5, "the cosine",
               key=key, hint=_COSINE_HINTS[key], **shown)  # fmt: skip
    c.that(not trained or abs(got - right) < 1e-4, "the cosine", key="train-mode",
           hint=_COSINE_HINTS["train-mode"], **shown)  # fmt: skip
    c.that(-1.0001 <= got <= 1.0001, "the cosine", key="range", hint="A cosine lies from "
           "-1 to 1: divide by the lengths of both gradients.", **shown)  # fmt: skip
    c.close(got, right, "the cosine", given=given, atol=1e-4, hint="The dot product of "
            "the two gradients on the backbone, divided by both lengths.")  # fmt: skip


def _mean_of_cosines(gradients: list[dict[str, Tensor]]) -> float:
    names = [name for name in gradients[0] if name.startswith("backbone.")]
    pairs = [[g[name].flatten().double() for g in gradients] for name in names]
    return sum(_cosine(*pair) for pair in pairs) / len(pairs)


def _accumulated(
    before: dict[str, Tensor | None], gradients: list[dict[str, Tensor]]
) -> tuple[Tensor, Tensor]:
    """What backward() twice would leave, on top of what .grad held."""
    a, b = gradients
    held = {name: torch.zeros_like(g) if before[name] is None else before[name]
            for name, g in a.items()}  # fmt: skip
    start = _vector(held)
    return start + _vector(a), start + _vector(a) + _vector(b)


_COSINE_HINTS = {
    "heads": "The heads are in it. They are not shared: each head's gradient is 0 for the "
    "other task, which lengthens both vectors and draws the cosine towards 0.",
    "mean-of-cosines": "That is the mean of the layers' cosines, in which a small bias "
    "counts as much as a large matrix. Put all gradients into one vector first.",
    "train-mode": "The model, or a part of it, ran in train mode, where BatchNorm uses "
    "the batch's statistics, and moves its own, and dropout draws by chance. Call "
    "model.eval() first, for backbone and heads.",
    "dot": "That is the dot product: divide by the lengths of both gradients.",
    "aliased": "Both gradients are the same here. p.grad is one tensor that the second "
    "backward() writes into: clone what you keep, or use torch.autograd.grad.",
    "accumulated": "backward() adds to what .grad holds, so the second gradient contains "
    "the first, or an older one. Use torch.autograd.grad.",
    "absolute": "Keep the sign: below 0 the tasks pull against each other.",
    "sign": "The sign is turned.",
    "distance": "That is the cosine distance: the cosine itself is asked for.",
}


# --- 10.6 ---------------------------------------------------------------------------

_BODY, _OLD_HEAD = 11_689_512 - 513_000, 513_000
_NEW_HEADS = 513 * 5 + 513 * 6
_COUNTED = {"one": _BODY + _NEW_HEADS, "two": 2 * _BODY + _NEW_HEADS}


@task(
    "10.6",
    title="One model with two heads, or two models?",
    points=1,
    hints=(
        "How many parameters does the old head have? A Linear layer has a weight for "
        "each pair of feature and class, and a bias for each class.",
        "The backbone has 11,689,512 - 513 · 1,000 parameters. A new head has 513 for "
        "each of its classes.",
        "one = backbone + 513 · (5 + 6); two = 2 · backbone + 513 · (5 + 6).",
    ),
)
def how_many_parameters(answer, c, counted=None):
    """`counted`: both numbers, as the exercise counted them."""
    c.that(counted is None or plain(counted) == _COUNTED, "the count", key="count",
           got=counted, hint="`counted` is not what the cell above counts: run that cell "
           "as it was handed out.")  # fmt: skip
    c.type(answer, dict, "the answer")
    answer = {plain(name): plain(value) for name, value in answer.items()}
    c.that(answer.keys() == _COUNTED.keys(), "the names", key="names", got=list(answer),
           expected=list(_COUNTED), hint='A dict with "one" and "two".')  # fmt: skip
    for value in answer.values():
        c.type(value, (int, float), "each number")
    swapped = answer["one"] == _COUNTED["two"] and answer["two"] == _COUNTED["one"]
    c.that(not swapped, "the two numbers", key="mixed-up", got=answer,
           hint="It is the other way round: two models have two backbones.")  # fmt: skip
    for key, one, two in _MISCOUNTED:
        for name, wrong in (("one", one), ("two", two)):
            c.that(answer[name] != wrong, f'the number "{name}"', key=key,
                   got=f"{wrong:,}", hint=_COUNT_HINTS[key])  # fmt: skip
    for name, right in _COUNTED.items():
        shown = f"Counted: {right:,}. " if counted is not None else ""
        c.that(answer[name] == right, f'the number "{name}"', key="value",
               got=f"{answer[name]:,}", hint=shown + "Backbone(s) without the old head, "
               "and one new head for each task.")  # fmt: skip


_BARE_HEADS = 512 * 11
_MISCOUNTED = (  # key, what comes of it for "one" and for "two"
    ("old-head", _COUNTED["one"] + _OLD_HEAD, _COUNTED["two"] + 2 * _OLD_HEAD),
    ("old-head", _COUNTED["one"] + _OLD_HEAD, _COUNTED["two"] + _OLD_HEAD),
    ("no-heads", _BODY, 2 * _BODY),
    ("bias", _BODY + _BARE_HEADS, 2 * _BODY + _BARE_HEADS),
    ("bias", _BODY + 1000 + _BARE_HEADS, 2 * (_BODY + 1000) + _BARE_HEADS),
    ("bias", _BODY + 1000 + _NEW_HEADS, 2 * (_BODY + 1000) + _NEW_HEADS),
    ("twice", 2 * _BODY + _NEW_HEADS, 2 * (_BODY + _NEW_HEADS)),
)
_COUNT_HINTS = {
    "old-head": "The old head is still in it: take its 513,000 parameters off first, "
    "once for each backbone.",
    "no-heads": "These are the backbones alone: the new heads are missing.",
    "bias": "A Linear layer has a bias for each class: 513 parameters a class, in the "
    "old head as in the new ones.",
    "twice": 'In "one" the backbone is there once, that is the point of sharing; in '
    '"two" each model has one head only.',
}


# --- 10.7 ---------------------------------------------------------------------------

_MEANS = {"A": "b", "B": "d", "C": "a", "D": "f"}
_ALONG_A = "Along a, the step is |a| from a itself and cosine · |b| from b. "
_NOT_MEANT = {
    "A": {
        "a": "b has a part against a: -0.4 times its length. That part is taken off.",
        "c": _ALONG_A + "With equal lengths 1 - 0.4 = 0.6 of the fall is left.",
        "d": _ALONG_A + "With equal lengths 1 - 0.4 = 0.6 of the fall is left. The "
        "tasks disturb each other, and both still learn.",
    },
    "B": {
        "a": "b has a part against a, and b is long.",
        "b": _ALONG_A + "Now 1 - 0.4 · 3 is below 0.",
        "c": _ALONG_A + "1 - 0.4 · 3 is not 0.",
    },
    "C": {
        "b": "At a cosine of 0 the gradients stand at right angles: b has no part along "
        "a, however long it is.",
        "c": "a itself is still in the step.",
        "d": "At a cosine of 0 b has no part against a, however long it is.",
    },
    "D": {
        "e": "One batch says little, and at the start gradients turn quickly. A "
        "conflict of gradients is a reason to look, not yet a loss of accuracy.",
        "g": "Missing labels are masked, and a task with few labels gains most from "
        "features that another task teaches.",
        "h": "Loss weights mend that, fixed or learnt: it is a matter of scale.",
    },
}


@task(
    "10.7",
    title="What a cosine of -0.4 means",
    points=1,
    hints=(
        "For a small step the loss falls by the rate times a · (step direction): here "
        "a · (a + b). Alone it is a · a.",
        "a · b = cosine · |a| · |b|. Put in the lengths: with |a| = 1 the fall is "
        "1 + cosine · |b|.",
        "A: 1 - 0.4. B: 1 - 1.2. C: 1 + 0. For D: what would you measure in the end, "
        "gradients or accuracy?",
    ),
)
def what_the_cosine_means(answer, c, measured=None):
    """`measured`: the share of the fall in A to C, as the exercise measured it."""
    if measured is not None:
        _check_measured(c, measured)
    why = {
        name: {
            letter: text + _measured(name, measured) for letter, text in wrong.items()
        }
        for name, wrong in _NOT_MEANT.items()
    }
    c.choices(answer, _MEANS, why, what="question")


def _measured(name: str, measured: Any) -> str:
    if measured is None or name not in measured:
        return ""
    return f" Measured: {measured[name]:.0%} of the fall alone."


def _check_measured(c, measured):
    right = {"A": 0.6, "B": -0.2, "C": 1.0}
    holds = type(measured) is dict and all(
        type(measured.get(name)) is float and abs(measured[name] - value) < 0.01
        for name, value in right.items()
    )
    c.that(holds, "the measurement", key="measurement", got=str(measured)[:200],
           hint="`measured` is not what the cell above measures: run that cell as it was "
           "handed out.")  # fmt: skip
