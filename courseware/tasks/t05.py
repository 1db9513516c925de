"""Exercise 05: schedules, BatchNorm, waking in an optimiser, curves, LP-FT, causes."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import timm
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, TensorDataset

from course_utils.layer_groups import UnfreezeSchedule, freeze, unfreeze
from course_utils.training import fit, train_one_epoch
from courseware.grading.registry import task
from courseware.grading.values import plain


def _resnet() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=5)


def _parameters_of(model: nn.Module, stages: Sequence[str]) -> set[str]:
    """Names of the parameters in the stages named."""
    return {
        name
        for name, _ in model.named_parameters()
        if any(name.startswith(f"{stage}.") for stage in stages)
    }


# --- 05.1 ---------------------------------------------------------------------------


class _Staged(nn.Module):
    """Stages whose names begin alike, a list of blocks, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.stage1, self.stage10 = nn.Linear(6, 6), nn.Linear(6, 6)
        self.blocks = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 4))
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.stage10(self.stage1(x))) * self.scale)


_USUAL = {1: ["fc"], 4: ["layer4"], 7: ["layer3", "layer2"]}
_UNSORTED = {1: ["fc"], 6: ["stage10"], 3: ["stage1", "blocks.2"]}
_KEPT = ("layers", "weights", "statistics", "mode", "hooks")


@task(
    "05.1",
    title="Which stages learn in this epoch?",
    points=2,
    hints=(
        "The epoch alone decides: a stage learns if the epoch in which it wakes has come "
        "or is past. Do not rely on what was set before.",
        "Freeze everything first. Then wake the stages of each entry of the schedule "
        "whose epoch is at most the one asked for.",
        "model.requires_grad_(False); then for start, names in schedule.items(): if start "
        "<= epoch: for name in names: model.get_submodule(name).requires_grad_(True)",
    ),
)
def set_learning(answer, c):
    resnet, other = _resnet(), _Staged()
    for epoch in (1, 3, 4):
        resnet.requires_grad_(True)
        _check_epoch(answer, c, resnet, _USUAL, epoch, "all of it trainable")
    resnet.requires_grad_(False).eval()
    _check_epoch(answer, c, resnet, _USUAL, 8, "all of it frozen, in eval mode")
    _check_epoch(answer, c, resnet, _USUAL, 5, "as epoch 8 left it", back=True)
    for epoch in (4, 2, 7):
        other.requires_grad_(True)
        _check_epoch(answer, c, other, _UNSORTED, epoch, "all of it trainable")
    _check_epoch(answer, c, other, {2: ["fc"]}, 1, "as epoch 7 left it", back=True)


def _check_epoch(answer, c, model, schedule, epoch, came, *, back=False):
    given = f"schedule {schedule}, epoch {epoch}, the model came with {came}"
    was_trainable = any(p.requires_grad for p in model.parameters())
    c.call(answer, model, schedule, epoch, given=given, keeps=_KEPT)
    learns = {name for name, p in model.named_parameters() if p.requires_grad}
    woken = {e: names for e, names in schedule.items() if e <= epoch}
    right = _parameters_of(model, sum(woken.values(), []))
    shown = {"given": given, "expected": _stages(right), "got": _stages(learns)}
    c.that(bool(learns) or was_trainable or not right, "what learns", key="asleep",
           hint=_ASLEEP, **shown)  # fmt: skip
    for key, wrong in _other_epochs(model, schedule, epoch):
        c.that(learns != wrong or wrong == right, "what learns", key=key,
               hint=_MISTIMED[key], **shown)  # fmt: skip
    c.that(right <= learns, "what learns", key="asleep", hint=_ASLEEP, **shown)
    loose = {n for n, _ in model.named_parameters(recurse=False)}
    c.that(learns - right != loose or not loose, "what learns", key="loose",
           hint="A parameter that belongs to no stage still learns. Freeze all of "
           "model.parameters() first.", **shown)  # fmt: skip
    begins = tuple(name for names in woken.values() for name in names)
    alike = {n for n in learns if n.startswith(begins)} - loose
    c.that(learns == right or alike != learns, "what learns", key="prefix",
           hint="stage10 begins with stage1 and is another stage. Compare whole names, "
           "or ask model.get_submodule(name).", **shown)  # fmt: skip
    c.that(not back or learns <= right, "what learns", key="back", hint="Something of an "
           "earlier call stayed. A run can be resumed in any epoch: work out the state "
           "from the epoch alone, and freeze what does not learn.", **shown)  # fmt: skip
    c.that(learns <= right, "what learns", key="not-frozen", hint="A stage learns whose "
           "epoch has not come. Waking is half of it: freeze all others.",
           **shown)  # fmt: skip


def _stages(parameters: set[str]) -> str:
    stages = {".".join(name.split(".")[:-1]) or name for name in parameters}
    top = {s if s.startswith("blocks") else s.split(".")[0] for s in stages}
    return ", ".join(sorted(top)) or "nothing"


_ASLEEP = (
    "A stage that should learn is frozen. The model may come with all of it frozen: set "
    "requires_grad = True for each parameter of the stages that learn."
)
_MISTIMED = {
    "only-now": "Only the stages that wake in this very epoch learn here. Those that "
    "woke before go on learning.",
    "late": "Everything wakes an epoch late. A stage learns in the epoch of its entry "
    "already: start <= epoch.",
    "early": "Everything wakes an epoch early. Epochs count from 1, as in the schedule.",
    "order": "The entries are not sorted: a later one may stand first. Look at all of "
    "them.",
    "last-only": "Only the entry that came last learns here. Stages that woke before it "
    "go on learning.",
    "all": "Everything learns, though not all of it has woken. Freeze what has not, in "
    "any epoch: this may be the first call for this model.",
}


def _other_epochs(model, schedule, epoch) -> Iterator[tuple[str, set[str]]]:
    """(key, what would learn) of the usual mistakes."""

    def learning(rule: Callable[[int], bool]) -> set[str]:
        names = [n for start, stages in schedule.items() if rule(start) for n in stages]
        return _parameters_of(model, names)

    begun = [start for start in schedule if start <= epoch]
    ahead = [start for start in schedule if start > epoch]
    stop = list(schedule).index(ahead[0]) if ahead else len(schedule)
    first = list(schedule)[:stop]
    yield "last-only", learning(lambda start: start == max(begun, default=0))
    yield "only-now", learning(lambda start: start == epoch)
    yield "late", learning(lambda start: start < epoch)
    yield "early", learning(lambda start: start <= epoch + 1)
    yield "order", learning(lambda start: start in first)
    yield "all", {name for name, _ in model.named_parameters()}


# --- 05.2 ---------------------------------------------------------------------------


def _mixed() -> nn.Module:
    """A net with BatchNorm of every kind: deep, as a whole stage, without weights.

    Names of stages begin alike, and a part of a stage can be named as one.
    """
    deep = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sequential(nn.BatchNorm2d(4)))
    bare = nn.BatchNorm1d(6, affine=False)
    stages = {
        "volume": nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2)),
        "norm": nn.BatchNorm2d(4),
        "norm2": nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
        "maps": nn.Sequential(deep, nn.Dropout2d(), nn.GroupNorm(2, 4),
                              nn.InstanceNorm2d(4), nn.BatchNorm2d(4)),
        "rows": nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.LayerNorm(6)),
        "fc": nn.Sequential(nn.Linear(6, 6), bare, nn.Dropout(), nn.Linear(6, 3)),
    }  # fmt: skip
    return nn.Sequential(OrderedDict(stages))


@task(
    "05.2",
    title="What is frozen holds its BatchNorm still",
    points=2,
    hints=(
        "Running statistics are buffers: they move in train mode, whatever requires_grad "
        "says. Which layers, of which stages, must not be in train mode?",
        "For each frozen stage go through model.get_submodule(name).modules(), which "
        "gives the stage itself and everything inside of it, at any depth.",
        "if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)): "
        "layer.eval()",
    ),
)
def hold_batchnorm(answer, c):
    mixed = "a net with BatchNorm1d, 2d and 3d"
    for name, make, frozen, by_optimizer in (
        ("test_resnet", _resnet, ["conv1", "bn1", "layer1", "layer2"], False),
        (mixed, _mixed, ["volume", "norm", "maps"], False),
        (mixed, _mixed, ["rows", "maps"], False),
        (mixed, _mixed, ["maps.0", "fc.1"], False),
        (mixed, _mixed, ["norm", "rows"], True),
        (mixed, _mixed, [], False),
    ):
        model = make()
        for stage in [] if by_optimizer else frozen:
            model.get_submodule(stage).requires_grad_(False)
        model.train()
        given = f"{name} in train mode, frozen = {frozen}"
        if by_optimizer:
            given += " (not in the optimiser, but requires_grad is True)"
        settings = _batchnorm_settings(model)
        keeps = ("layers", "weights", "statistics", "requires_grad")
        c.call(answer, model, frozen, given=given, keeps=keeps)
        lost = [n for n in settings if n not in _batchnorm_settings(model)]
        c.that(not lost, "the layers", key="removed", given=given, got=lost,
               hint="BatchNorm layers are gone. They must stay: their statistics are a "
               "part of the pretrained net.")  # fmt: skip
        _check_modes(c, model, frozen, given)
        c.same(_batchnorm_settings(model), settings, "the settings of BatchNorm",
               key="settings", given=given, hint="momentum, eps and track_running_stats "
               "must stay as they are. Without tracking, or with momentum 0 in train "
               "mode, the layer normalises by the batch.")  # fmt: skip


def _batchnorm_settings(model: nn.Module) -> dict[str, tuple]:
    return {
        name: (layer.momentum, layer.eps, layer.track_running_stats)
        for name, layer in model.named_modules()
        if isinstance(layer, _BatchNorm)
    }


def _check_modes(c, model, frozen, given):
    layers = dict(model.named_modules())
    norms = [n for n, layer in layers.items() if isinstance(layer, _BatchNorm)]
    inside = [n for n in norms if any(n == s or n.startswith(f"{s}.") for s in frozen)]
    moving = [n for n in inside if layers[n].training]
    shown = {"given": given, "expected": f"in eval mode: {', '.join(inside) or 'none'}"}
    shown["got"] = f"in train mode: {', '.join(moving)}"
    dotted = [
        n for s in frozen if "." in s for n in moving if f"{n}.".startswith(f"{s}.")
    ]
    c.that(not dotted, "BatchNorm of the frozen stages", key="dotted", hint="A stage's "
           "name may have dots, as in named_modules(), and so be a part of a larger one. "
           "model.get_submodule(name) finds it.", **shown)  # fmt: skip
    c.that(not moving or moving != inside, "BatchNorm of the frozen stages", key="train",
           hint="They are all in train mode, and their statistics go on moving: "
           "requires_grad has no say in that, eval() has.", **shown)  # fmt: skip
    flat = [n for n in moving if not isinstance(layers[n], nn.BatchNorm2d)]
    c.that(not moving or flat != moving, "BatchNorm of the frozen stages", key="kinds",
           hint="BatchNorm1d and BatchNorm3d are BatchNorm too.", **shown)  # fmt: skip
    itself = bool(moving) and all(n in frozen for n in moving)
    c.that(not itself, "BatchNorm of the frozen stages", key="stage-itself",
           hint="A stage may be a BatchNorm layer itself, as bn1 is. modules() gives the "
           "stage too, children() does not.", **shown)  # fmt: skip
    c.that(not moving, "BatchNorm of the frozen stages", key="nested", hint="Some were "
           "missed. They stand at any depth: modules() reaches all, children() only the "
           "first level.", **shown)  # fmt: skip
    still = [n for n in norms if n not in inside and not layers[n].training]
    alike = [n for n in still if n.startswith(tuple(frozen))]
    c.that(not still or alike != still, "BatchNorm of the stages that learn",
           key="prefix", given=given, got=f"in eval mode: {', '.join(still)}",
           expected="in train mode", hint="A name may begin like another: norm2 begins "
           "with norm and is another stage. Look for the name with a dot behind it, or "
           "ask model.get_submodule(name).")  # fmt: skip
    c.that(not still, "BatchNorm of the stages that learn", key="learning-eval",
           given=given, expected="in train mode", got=f"in eval mode: {', '.join(still)}",
           hint="Only the stages named in `frozen` hold still. A layer without weights "
           "(affine=False) is not frozen for that.")  # fmt: skip
    others = [n or "the model itself" for n, layer in layers.items()
              if n not in norms and not layer.training]  # fmt: skip
    c.that(not others, "the other layers", key="others", given=given, got=others[:4],
           expected="in train mode", hint="Only BatchNorm goes into eval mode. Dropout, "
           "containers and other norms stay in train mode, in frozen stages "
           "too.")  # fmt: skip


# --- 05.3 ---------------------------------------------------------------------------


class _Running:
    """A net of three layers and an optimiser over its head that has made two steps."""

    def __init__(self, make: Callable):
        torch.manual_seed(4)
        self.early, self.late = nn.Linear(5, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 2)
        self.net = nn.Sequential(self.early, nn.Tanh(), self.late, nn.Tanh(), self.head)
        self.net.requires_grad_(False)
        self.head.requires_grad_(True)
        self.optimizer = make(self.head.parameters())
        self.inputs = torch.randn(8, 5)
        self.step(2)

    def step(self, times: int) -> None:
        for _ in range(times):
            self.optimizer.zero_grad()
            self.net(self.inputs).square().mean().backward()
            self.optimizer.step()

    def weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.net.parameters()]).clone()

    def state(self) -> list[dict]:
        """What the optimiser keeps for each parameter of the head."""
        kept = [self.optimizer.state.get(p, {}) for p in self.head.parameters()]
        return [{k: torch.as_tensor(v).clone() for k, v in s.items()} for s in kept]

    def groups(self) -> list[tuple[list[int], float]]:
        """The parameters of each group, by id, and its rate."""
        groups = self.optimizer.param_groups
        return [([id(p) for p in group["params"]], group["lr"]) for group in groups]


def _sgd(parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def _adam(parameters) -> torch.optim.Optimizer:
    head = {"params": parameters, "weight_decay": 0.0}  # an option of its own
    return torch.optim.Adam([head], lr=0.05, weight_decay=0.01)


_OPTIMISERS = (("SGD with momentum", _sgd), ("Adam", _adam))


@task(
    "05.3",
    title="Wake a stage in a running optimiser",
    points=3,
    hints=(
        "A new optimiser would begin without momentum. The running one can take a group "
        "more: optimizer.add_param_group({...}).",
        "Collect what is already in: {id(p) for group in optimizer.param_groups for p in "
        'group["params"]}. Add the parameters whose id is not among them, if there are '
        "any. Tensors are compared by id, not by ==.",
        "parameters = list(parameters); set requires_grad of each; missing = [p for p in "
        "parameters if id(p) not in known]; if missing: optimizer.add_param_group("
        '{"params": missing, "lr": lr})',
    ),
)
def wake(answer, c):
    for name, make in _OPTIMISERS:
        _check_wake_errors(answer, c, make, name)
        run, twin = _Running(make), _Running(make)
        late = list(run.late.parameters())
        given = f"{name} over the head; late.parameters(), lr = 0.02"
        _wake(answer, c, run, run.late.parameters(), 0.02, late, given)
        twin.late.requires_grad_(True)
        twin.optimizer.add_param_group({"params": twin.late.parameters(), "lr": 0.02})
        _check_steps(c, run, twin, given)
        given = f"{name}; the same parameters, frozen again, now with lr = 0.3"
        run.late.requires_grad_(False)
        _wake(answer, c, run, late, 0.3, [], given)
        given = f"{name} over head and late; all parameters of the net, lr = 0.004"
        early = list(run.early.parameters())
        for one in (run, twin):  # a new parameter may equal one that is there
            one.early.bias.data.copy_(one.late.bias)
        early[0].requires_grad_(True)
        _wake(answer, c, run, run.net.parameters(), 0.004, early, given)
        twin.early.requires_grad_(True)
        twin.optimizer.add_param_group({"params": twin.early.parameters(), "lr": 0.004})
        _check_steps(c, run, twin, given)


def _check_wake_errors(answer, c, make, name):
    """Name the misconception behind an error, where there is one."""
    run = _Running(make)
    for parameters in (run.late.parameters(), list(run.late.parameters()),
                       run.net.parameters()):  # fmt: skip
        run.late.requires_grad_(False)
        error = c.attempt(answer, run.optimizer, parameters, 0.02).error
        text = f"{type(error).__name__}: {error}"
        c.that("more than one parameter group" not in text, "no parameter twice",
               key="twice", given=name, got=text[:200], hint="A parameter that the "
               "optimiser has already was added again. Leave out those that are in any "
               "of its groups.")  # fmt: skip
        compared = "Boolean value of Tensor" in text or "must match the size" in text
        c.that(not compared, "it runs without an error", key="compared", given=name,
               got=text[:200], hint="`p in list` compares tensors by their values. "
               "Compare id(p), or use a set.")  # fmt: skip


def _wake(answer, c, run, parameters, lr, missing, given):
    groups, state, weights = run.groups(), run.state(), run.weights()
    asked = list(run.optimizer.param_groups)
    defaults = dict(run.optimizer.defaults)
    got = c.call(answer, run.optimizer, parameters, lr, given=given)
    new = isinstance(got, torch.optim.Optimizer) and got is not run.optimizer
    c.that(not new, "the optimiser", key="new-optimizer", given=given, hint="This is a "
           "new optimiser, which has lost the momentum of the head. Change the one that "
           "runs.")  # fmt: skip
    now = run.groups()
    _check_head(c, run, groups, now, state, given)
    _check_new_group(c, groups, now, missing, lr, given)
    if missing:
        _check_defaults(c, run.optimizer, asked, given)
    c.that(run.optimizer.defaults == defaults, "the optimiser's own options",
           key="defaults", given=given, hint="optimizer.defaults changed, which groups "
           "added later will take. Give the rate to the new group "
           "alone.")  # fmt: skip
    c.that(torch.equal(run.weights(), weights), "the weights", key="weights", given=given,
           hint="Waking changes no weight: do not take a step in it.")  # fmt: skip
    learns = all(p.requires_grad for p in (missing or run.late.parameters()))
    c.that(learns, "requires_grad", key="asleep", given=given, hint="The optimiser has "
           "them, but they get no gradient: set requires_grad = True for each of the "
           "parameters. (They may come as a generator, which can be gone through only "
           "once: make a list first.)")  # fmt: skip


def _check_head(c, run, before, now, state, given):
    """What was in the optimiser is in it as before."""
    lost = [
        i for ids, _ in before for i in ids if i not in sum((g for g, _ in now), [])
    ]
    c.that(not lost, "the groups that were there", key="lost", given=given, hint="Some "
           "of the optimiser's parameters are gone. Add a group, and leave the others "
           "alone.")  # fmt: skip
    rates = [[lr for ids, lr in groups if before[0][0][0] in ids][0]
             for groups in (before, now)]  # fmt: skip
    c.that(rates[0] == rates[1], "the head's rate", key="head-lr", given=given,
           expected=rates[0], got=rates[1], hint="The new rate is for the new group "
           "only; a group that is there keeps its own.")  # fmt: skip
    kept = run.state()
    same = [a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
            for a, b in zip(state, kept, strict=True)]  # fmt: skip
    c.that(all(same), "the optimiser's state", key="state-lost", given=given,
           hint="The momentum of the head is lost or changed. Leave optimizer.state "
           "alone, and do not initialise the optimiser again.")  # fmt: skip


def _check_new_group(c, before, now, missing, lr, given):
    shown = {"given": given, "got": f"{len(before)} groups before, {len(now)} now"}
    mixed = any(a[0] != b[0] for a, b in zip(before, now, strict=False))
    c.that(not mixed, "the groups that were there", key="old-group", hint="The stage's "
           "parameters were put into a group that was there, and share its rate. Add a "
           "group of their own.", **shown)  # fmt: skip
    if not missing:
        c.that(all(ids for ids, _ in now), "the groups", key="empty-group", hint="All of "
               "the parameters are in already, and an empty group was added. Add one "
               "only where something is missing.", **shown)  # fmt: skip
    fresh = now[len(before) :]
    added = [i for ids, _ in fresh for i in ids]
    wanted = [id(p) for p in missing]
    c.that(bool(added) or not wanted, "the groups", key="nothing-added", hint="The "
           "optimiser does not know the woken parameters, so they would never move: "
           "optimizer.add_param_group. (A generator that you have gone through once is "
           "empty: make a list first.)", **shown)  # fmt: skip
    c.that(len(set(added)) == len(added) and set(added) <= set(wanted), "the groups",
           key="twice", hint="A parameter that the optimiser has already was added "
           "again.", **shown)  # fmt: skip
    c.that(set(added) == set(wanted), "the groups", key="part", hint="Some of the "
           "stage's parameters are missing: weights and biases belong to it, whether "
           "they learn already or not, and also those whose numbers equal another's. Go "
           "by id(p).", **shown)  # fmt: skip
    c.that(len(fresh) == bool(wanted), "the groups", key="many-groups", hint="One group "
           "for all of the stage's parameters.", **shown)  # fmt: skip
    rates = [rate for _, rate in now]
    right = [rate for _, rate in before] + [lr] * bool(wanted)
    c.that(rates == right, "the rates", key="lr", given=given, expected=right, got=rates,
           hint='The new group has its own rate: {"params": ..., "lr": lr}. Those that '
           "were there keep theirs.")  # fmt: skip


def _check_defaults(c, optimizer, before, given):
    """The new group has the optimiser's own options but for the rate."""
    fresh = optimizer.param_groups[len(before)]
    other = [k for k, v in optimizer.defaults.items() if k != "lr" and fresh[k] != v]
    c.that(not other, "the new group", key="options", given=given, got=other,
           hint="momentum, weight_decay and the rest are what the optimiser was made "
           "with, not what one of its groups has: add_param_group fills them "
           "in.")  # fmt: skip


def _check_steps(c, run, twin, given):
    for one in (run, twin):
        one.step(2)
    c.close(run.weights(), twin.weights(), "the weights after two steps more",
            key="steps", given=given, hint="Training goes on otherwise than it should: "
            "the head with its momentum, the woken parameters at their own "
            "rate.")  # fmt: skip


# --- small runs for 05.4 and 05.5 ---------------------------------------------------


class _Small(nn.Module):
    """Three stages with BatchNorm, and a head fc."""

    stages = ("stem", "stage1", "stage2", "fc")

    def __init__(self):
        super().__init__()
        self.stem = _block(3, 6)
        self.stage1, self.stage2 = _block(6, 6), _block(6, 8)
        self.fc = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.stage2(self.stage1(self.stem(images))).mean((2, 3)))


def _block(width: int, out: int) -> nn.Sequential:
    conv = nn.Conv2d(width, out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def _small(seed: int) -> nn.Module:
    """A net whose BatchNorm has seen some pictures, so that frozen maps are of use."""
    torch.manual_seed(seed)
    model = _Small()
    images = _pictures(24, seed=seed).tensors[0]
    with torch.no_grad():
        for _ in range(20):
            model(images)
    return model


class _Watched(DataLoader):
    """A loader that records the model's weights whenever a pass over it begins."""

    def __init__(self, model: nn.Module, *, seed: int):
        super().__init__(_pictures(24, seed=seed), batch_size=12)
        self.model, self.seen = model, []

    def __iter__(self) -> Iterator:
        self.seen.append(_copy_of(self.model))
        return super().__iter__()


def _pictures(count: int, *, seed: int) -> TensorDataset:
    """Noise with a tint for each of three classes; some are hard to tell."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    tint = 2.0 * nn.functional.one_hot(labels, 3)[..., None, None]
    noise = torch.randn(count, 3, 6, 6, generator=generator)
    shade = torch.randn(count, 3, 1, 1, generator=generator)
    return TensorDataset(tint + 0.5 * noise + 0.7 * shade, labels)


def _copy_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: v.detach().clone() for name, v in model.state_dict().items()}


def _is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _moved(before: dict, after: dict, *, statistics: bool = False) -> list[str]:
    """The stages of `_Small` whose weights (or BatchNorm statistics) differ."""
    names = [n for n in before if _is_statistic(n) is statistics]
    found = {n.split(".")[0] for n in names if not torch.equal(before[n], after[n])}
    return [stage for stage in _Small.stages if stage in found]


_SAME = 1e-5  # rounding moves these weights by 1e-7; weight decay of 1e-4 by more


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[n].double() - other[n].double()).abs().max()) for n in one)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Show no bars and no figures meanwhile; close the figures that were made."""
    shown, bars = plt.show, os.environ.get("COURSE_PROGRESS")
    known = set(plt.get_fignums())
    plt.show, os.environ["COURSE_PROGRESS"] = _show_nothing, "0"
    try:
        yield
    finally:
        plt.show = shown
        os.environ.pop("COURSE_PROGRESS")
        if bars is not None:
            os.environ["COURSE_PROGRESS"] = bars
        for number in set(plt.get_fignums()) - known:
            plt.close(number)


def _show_nothing(*_: object, **__: object) -> None:
    """Take the place of plt.show."""


# --- 05.4 ---------------------------------------------------------------------------

_RUNS = (  # schedule, epochs, lr
    ({1: ["fc"], 2: ["stage2"], 4: ["stage1"]}, 5, 0.05),
    ({3: ["stage2", "stage1"], 1: ["fc"], 6: ["stem"], 9: ["stem"]}, 6, 0.1),
    ({1: ["fc"], 3: ["stage2"], 8: ["stage1"]}, 4, 0.1),
)


@task(
    "05.4",
    title="Gradual unfreezing, with curves",
    points=3,
    hints=(
        "fit takes callbacks=[UnfreezeSchedule(schedule)] and returns the history. Which "
        "parameters must the optimiser know so that a stage can move once it wakes?",
        "Hand all of model.parameters() to one optimiser at the start. Draw both columns "
        'of accuracy over history["epoch"], and ax.axvline(epoch) for each entry with '
        "1 < epoch <= epochs.",
        "optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9); history = "
        "fit(model, train, val, optimizer=optimizer, epochs=epochs, "
        "callbacks=[UnfreezeSchedule(schedule)]); _, ax = plt.subplots(); ax.plot(…, "
        'label="train"); ax.set(title=…, xlabel=…, ylabel=…); ax.legend()',
    ),
)
def train_gradually(answer, c):
    for number in range(len(_RUNS)):
        with _undisturbed():
            _examine_run(answer, c, number)


def _examine_run(answer, c, number):
    schedule, epochs, lr = _RUNS[number]
    given = f"schedule {schedule}, epochs = {epochs}, lr = {lr}"
    model, train, val = _small_world(number)
    wanted, right = _gradual_run(number)
    got = c.call(answer, model, train, val, schedule, epochs, lr, given=given)
    c.type(got, tuple, "what your function returns")
    c.that(len(got) == 2, "what your function returns", key="pair", given=given,
           got=f"{len(got)} things", hint="Return two: history, ax.")  # fmt: skip
    history, ax = got
    c.type(history, pd.DataFrame, "the history")
    passes = len(train.seen)
    c.that(passes == epochs, "passes over `train`", key="epochs", given=given,
           expected=epochs, got=passes, hint="Train for `epochs` epochs in all, one pass "
           "over `train` in each.")  # fmt: skip
    _check_movements(c, [*train.seen, _copy_of(model)], schedule, given)
    _check_end(c, _copy_of(model), wanted, number, given)
    _check_history(c, history, right, given)
    c.type(ax, Axes, "the picture")
    _check_curves(c, ax, right, given)
    _check_marks(c, ax, schedule, epochs, given)
    _check_words(c, ax, given)


def _small_world(number: int) -> tuple[nn.Module, _Watched, DataLoader]:
    model = _small(number)
    val = DataLoader(_pictures(21, seed=100 + number), batch_size=12)
    return model, _Watched(model, seed=number), val


@cache
def _gradual_run(number: int) -> tuple[dict[str, Tensor], pd.DataFrame]:
    """The run as it should be: the weights in the end, and the history."""
    schedule, epochs, lr = _RUNS[number]
    model, train, val = _small_world(number)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs, progress=False,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    return _copy_of(model), history


@cache
def _restarted_run(number: int) -> dict[str, Tensor]:
    """The end of the run with a new optimiser whenever a stage wakes."""
    schedule, epochs, lr = _RUNS[number]
    plan = UnfreezeSchedule(schedule)
    model, train, _ = _small_world(number)
    for epoch in range(1, epochs + 1):
        plan.apply(model, epoch)
        if epoch in plan:
            optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        train_one_epoch(model, train, optimizer, progress=False)
    return _copy_of(model)


def _check_movements(c, states, schedule, given):
    """Each stage moves from its epoch on and not before; BatchNorm with it."""
    moved = [_moved(a, b) for a, b in zip(states, states[1:], strict=False)]
    ever = {stage for stages in moved for stage in stages}
    for epoch, now in enumerate(moved, start=1):
        learning = UnfreezeSchedule(schedule).trainable(epoch)
        right = [stage for stage in _Small.stages if stage in learning]
        shown = {"given": f"{given}; epoch {epoch}", "expected": right, "got": now}
        early = [stage for stage in now if stage not in right]
        c.that(not early, "what moves in an epoch", key="too-early", hint="A stage moves "
               "before the epoch in which it wakes. Hand the schedule to fit: "
               "callbacks=[UnfreezeSchedule(schedule)].", **shown)  # fmt: skip
        asleep = [stage for stage in right if stage not in now]
        c.that(not asleep or asleep[0] in ever, "what moves in an epoch",
               key="not-in-optimiser", hint="A stage wakes and never moves: the optimiser "
               "does not know its parameters. Give it all of model.parameters() from the "
               "start; frozen ones get no gradient and stay.", **shown)  # fmt: skip
        c.that(not asleep, "what moves in an epoch", key="late", hint="A stage learns in "
               "the epoch of its entry already, and goes on to the end. Epochs count "
               "from 1.", **shown)  # fmt: skip
        drifted = _moved(states[epoch - 1], states[epoch], statistics=True)
        drifted = [stage for stage in drifted if stage not in right]
        c.that(not drifted, "BatchNorm's statistics", key="batchnorm", given=given,
               got=drifted, hint="The statistics of a frozen stage moved. "
               "UnfreezeSchedule holds them still; by hand, put frozen BatchNorm into "
               "eval mode after train().")  # fmt: skip


def _check_end(c, found, wanted, number, given):
    """The weights at the end are those of the run as it was asked for."""
    away = _distance(found, wanted)
    if away < _SAME:
        return
    c.that(_distance(found, _restarted_run(number)) > _SAME, "the optimiser",
           key="restarted", given=given, hint="A new optimiser at each step of the "
           "schedule forgets the head's momentum. Make one for the whole "
           "run.")  # fmt: skip
    c.fail("the weights in the end", key="other-training", given=given, got=f"up to "
           f"{away:.3g} away", hint="One run with torch.optim.SGD, the rate lr for all, "
           "momentum 0.9, and nothing else; what learns is in train mode.")  # fmt: skip


_ACCURACIES = ("train_accuracy", "val_accuracy")


def _check_history(c, history, right, given):
    columns = [str(name) for name in history.columns]
    missing = [n for n in ("epoch", *_ACCURACIES) if n not in columns]
    c.that(not missing, "the history's columns", key="columns", given=given, got=columns,
           expected=["epoch", *_ACCURACIES], hint="Return the history as fit returns it; "
           "fit measures val_accuracy where it is given `val`.")  # fmt: skip
    c.that(len(history) == len(right), "the history's rows", key="rows", given=given,
           expected=len(right), got=len(history), hint="One row for each epoch of the "
           "whole run.")  # fmt: skip
    for name in ("epoch", *_ACCURACIES):
        c.close(_numbers(history[name]), right[name].tolist(), f"history[{name!r}]",
                key="history", atol=1e-3, given=given, hint="Return the history that fit "
                "gave, with accuracy as a share from 0 to 1.")  # fmt: skip


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values, dtype=float).ravel()]


def _check_curves(c, ax, history, given):
    epochs = _numbers(history["epoch"])
    lines = [(line, _numbers(line.get_ydata())) for line in ax.get_lines()]
    shown = {}
    for name in _ACCURACIES:
        wanted = history[name].tolist()
        drawn = [line for line, y in lines if _same_curve(y, wanted)]
        c.that(bool(drawn), "the curves", key="curves", given=given,
               got=f"{len(lines)} lines, none of them {name}", hint="Draw train_accuracy "
               "and val_accuracy of the history as lines, all epochs of them.")  # fmt: skip
        own = name.split("_")[0]
        labels = [str(line.get_label()).lower() for line in drawn]
        line = drawn[next((i for i, label in enumerate(labels) if own in label), 0)]
        across = _numbers(line.get_xdata())
        c.that(across != list(range(len(epochs))), "the curves", key="x-from-zero",
               given=given, expected=epochs, got=across, hint="The curve begins at 0, "
               'but epochs count from 1: ax.plot(history["epoch"], ...).')  # fmt: skip
        c.that(across == epochs, "the curves", key="x", given=given, expected=epochs,
               got=across, hint="The epochs belong on the x axis.")  # fmt: skip
        other = "val" if own == "train" else "train"
        shown[own] = line
        named = any(own in label or other not in label for label in labels)
        c.that(named, "the labels", key="labels-swapped", given=given, got=labels,
               hint=f"The line of this label shows {name}.")  # fmt: skip
    legend = ax.get_legend()
    words = [text.get_text() for text in legend.get_texts()] if legend else []
    told = all(any(n in word.lower() for word in words) for n in ("train", "val"))
    c.that(told, "the legend", key="legend", given=given, got=words, hint="Say which "
           'line is which: label="train" and label="val", then ax.legend().')  # fmt: skip
    looks = {name: _look(line) for name, line in shown.items()}
    swapped = looks["train"] != looks["val"] and any(
        _look(handle) == looks[other]
        and own in word.lower()
        and other not in word.lower()
        for handle, word in zip(legend.legend_handles, words, strict=False)
        for own, other in (("train", "val"), ("val", "train"))
    )
    c.that(not swapped, "the legend", key="labels-swapped", given=given, got=words,
           hint="The legend gives a line the name of the other one.")  # fmt: skip


def _look(artist: Any) -> tuple:
    """How a line is drawn, by which a legend tells it from others."""
    kinds = "color", "linestyle", "marker"
    return tuple(str(getattr(artist, f"get_{kind}", str)()) for kind in kinds)


def _same_curve(found: list[float], wanted: list[float]) -> bool:
    """Whether a line shows these shares, as such or in per cent."""
    if len(found) != len(wanted):
        return False
    return any(
        np.allclose(found, np.multiply(wanted, k), atol=2e-3 * k) for k in (1, 100)
    )


def _check_marks(c, ax, schedule, epochs, given):
    marks = _vertical_lines(ax)
    right = sorted(float(epoch) for epoch in schedule if 1 < epoch <= epochs)
    shown = {"given": given, "expected": right, "got": marks}
    c.that(bool(marks), "the marks", key="no-marks", hint="Mark where a stage wakes by a "
           "vertical line: ax.axvline(epoch).", **shown)  # fmt: skip
    c.that(marks != [1.0, *right], "the marks", key="marks-start", hint="Nothing wakes "
           "in epoch 1: there the run begins. No line for it.", **shown)  # fmt: skip
    c.that(max(marks) <= epochs, "the marks", key="marks-beyond", hint="There is a mark "
           "for an entry that the run does not reach, out to the right of the curves: "
           "leave out what lies beyond `epochs`.", **shown)  # fmt: skip
    c.that(marks != [epoch - 1 for epoch in right], "the marks", key="marks-shifted",
           hint="The marks stand an epoch too far left. Epochs count from 1 here, on the "
           "axis too.", **shown)  # fmt: skip
    c.that(marks == right, "the marks", key="marks", hint="A vertical line at each epoch "
           "in which a stage wakes after the first, and nowhere else.",
           **shown)  # fmt: skip


def _vertical_lines(ax: Axes) -> list[float]:
    """Where vertical lines stand, by axvline, plot or vlines."""
    pieces = [
        line.get_xydata() for line in ax.get_lines() if len(line.get_xdata()) == 2
    ]
    for collection in ax.collections:
        pieces += getattr(collection, "get_segments", list)()
    ends = [np.asarray(piece, dtype=float) for piece in pieces if len(piece) == 2]
    return sorted({float(a[0]) for a, b in ends if a[0] == b[0] and a[1] != b[1]})


def _check_words(c, ax, given):
    titles = [ax.get_title(loc) for loc in ("center", "left", "right")]
    whole = getattr(ax.figure, "get_suptitle", str)()
    c.that(any(text.strip() for text in [*titles, whole]), "the title", key="title",
           given=given, hint="Give the picture a title: ax.set_title(...).")  # fmt: skip
    bare = [n for n in ("x", "y") if not getattr(ax, f"get_{n}label")().strip()]
    c.that(not bare, "the axis labels", key="axis-labels", given=given,
           got=f"no label on {' and '.join(bare)}", hint="Say what the axes show: "
           'ax.set_xlabel("epoch"), ax.set_ylabel("accuracy").')  # fmt: skip


# --- 05.5 ---------------------------------------------------------------------------

_SEED = 6


@task(
    "05.5",
    title="First the probe, then fine-tuning: LP-FT",
    points=2,
    hints=(
        "Two runs one after the other, on one model: which parameters learn in each, and "
        "which optimiser has them?",
        "freeze(model) of course_utils.layer_groups freezes all but the head and holds "
        "BatchNorm still; unfreeze(model) undoes both. train_one_epoch(model, loader, "
        "optimizer) is one epoch; a loop over range(0) does nothing.",
        "freeze(model); an SGD over model.fc.parameters() with lr=probe_lr, momentum=0.9; "
        "probe_epochs times train_one_epoch; unfreeze(model); a new SGD over "
        "model.parameters() with lr=tune_lr, momentum=0.9; tune_epochs times.",
    ),
)
def lp_ft(answer, c):
    for probe, tune, rates, thawed in (
        (3, 0, (0.5, 0.02), True),
        (2, 2, (0.4, 0.03), True),
        (2, 1, (0.2, 0.05), False),
        (0, 2, (0.5, 0.02), False),
    ):
        came = "all of it trainable" if thawed else "all of it frozen, in eval mode"
        given = (
            f"probe_epochs = {probe}, tune_epochs = {tune}, probe_lr = {rates[0]}, "
            f"tune_lr = {rates[1]}; the model came with {came}"
        )
        model = _small(_SEED).requires_grad_(thawed).train(thawed)
        loader = _Watched(model, seed=_SEED)
        begun = _copy_of(model)
        with _undisturbed():
            c.call(answer, model, loader, probe, tune, *rates, given=given)
            states = [begun, *loader.seen[1:], _copy_of(model)]
            found = len(loader.seen)
            c.that(found == probe + tune, "passes over the loader", key="epochs",
                   given=given, expected=probe + tune, got=found, hint="probe_epochs "
                   "passes for the head, then tune_epochs for everything. Either may be "
                   "0.")  # fmt: skip
            right = _probed_and_tuned(probe, tune, *rates)
            _check_probe(c, states[: probe + 1], right, (probe, tune, *rates), given)
            _check_tuning(c, states[probe:], right, (probe, tune, *rates), given)


@cache
def _probed_and_tuned(probe, tune, probe_lr, tune_lr, *, carried=False) -> list[dict]:
    """The weights before each epoch and at the end, of LP-FT as it should be.

    `carried` keeps the probe's optimiser for the second part, and so its momentum.
    """
    model = _small(_SEED)
    loader = _Watched(model, seed=_SEED)
    freeze(model)
    probing = torch.optim.SGD(model.parameters(), lr=probe_lr, momentum=0.9)
    for _ in range(probe):
        train_one_epoch(model, loader, probing, progress=False)
    unfreeze(model)
    tuning = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    if carried:
        tuning.load_state_dict(probing.state_dict())
        tuning.param_groups[0]["lr"] = tune_lr
    for _ in range(tune):
        train_one_epoch(model, loader, tuning, progress=False)
    return [*loader.seen, _copy_of(model)]


def _check_probe(c, states, right, numbers, given):
    probe, tune, probe_lr, tune_lr = numbers
    if not probe:
        return
    begun, ended = states[0], states[-1]
    body = [stage for stage in _moved(begun, ended) if stage != "fc"]
    c.that(not body, "the backbone during the probe", key="backbone-moved", given=given,
           expected="not a bit of it moves", got=body, hint="The probe trains the head "
           "alone: freeze the backbone, or give the optimiser model.fc.parameters() "
           "only.")  # fmt: skip
    drifted = _moved(begun, ended, statistics=True)
    c.that(not drifted, "BatchNorm during the probe", key="batchnorm", given=given,
           got=drifted, hint="BatchNorm's statistics moved while the backbone was "
           "frozen. freeze(model) holds them; by hand, eval() after train().")  # fmt: skip
    c.that(bool(_moved(begun, ended)), "the head during the probe", key="head-asleep",
           given=given, hint="The head did not move in the probe. The model may come "
           "with all of it frozen, the head too, or the head was reset "
           "afterwards.")  # fmt: skip
    if _distance(ended, right[probe]) < _SAME:
        return
    swapped = _probed_and_tuned(probe, 0, tune_lr, probe_lr)[probe]
    c.that(_distance(ended, swapped) > _SAME, "the rates",
           key="rates", given=given, hint="The probe runs at probe_lr, and what comes "
           "after it at tune_lr.")  # fmt: skip
    c.fail("the head after the probe", key="probe", given=given, got=f"up to "
           f"{_distance(ended, right[probe]):.3g} away", hint="The probe is plain: SGD "
           "with lr=probe_lr and momentum=0.9 over the head, cross-entropy, one pass "
           "an epoch.")  # fmt: skip


def _check_tuning(c, states, right, numbers, given):
    probe, tune, probe_lr, tune_lr = numbers
    begun, ended = states[0], states[-1]
    if not tune:
        return
    still = [stage for stage in _Small.stages if stage not in _moved(begun, ended)]
    c.that(not still, "what moves in the second part", key="still-frozen", given=given,
           got=f"did not move: {', '.join(still)}", hint="In the second part everything "
           "learns, the head too: set requires_grad again, and give a new optimiser all "
           "of model.parameters().")  # fmt: skip
    norms = _moved(begun, ended, statistics=True)
    c.that(bool(norms), "BatchNorm in the second part", key="batchnorm-asleep",
           given=given, hint="BatchNorm stayed in eval mode, though everything learns: "
           "unfreeze(model), or train() again.")  # fmt: skip
    if _distance(ended, right[-1]) < _SAME:
        return
    same = _probed_and_tuned(*numbers, carried=True)[-1]
    c.that(_distance(ended, same) > _SAME, "the optimiser", key="same-optimiser",
           given=given, hint="The probe's optimiser went on, and the head took its "
           "momentum along. Make a new one for the second part.")  # fmt: skip
    loud = _tuned_from(states[0], numbers, probe_lr)
    c.that(_distance(ended, loud) > _SAME, "the rates", key="rates", given=given,
           hint="Everything was tuned at the probe's rate: the second part runs at "
           "tune_lr.")  # fmt: skip
    c.fail("the weights in the end", key="tuning", given=given, got=f"up to "
           f"{_distance(ended, right[-1]):.3g} away", hint="The second part goes on from "
           "the probe's head: SGD with lr=tune_lr and momentum=0.9 over all parameters, "
           "the model in train mode.")  # fmt: skip


def _tuned_from(state: dict, numbers: tuple, lr: float) -> dict[str, Tensor]:
    """The weights after the second part at another rate."""
    model = _small(_SEED)
    model.load_state_dict(state)
    loader = _Watched(model, seed=_SEED)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(numbers[1]):
        train_one_epoch(model, loader, optimizer, progress=False)
    return _copy_of(model)


# --- 05.6 ---------------------------------------------------------------------------

_CAUSES = {"A": "a", "B": "b", "C": "c"}
_NOT_THE_CAUSE = {
    "A": {
        "b": "A rate that is too high throws both accuracies back at once. Here the "
        "training accuracy goes on rising.",
        "c": "Its stages did learn from the start, but the accuracies rise for five epochs "
        "and stand above the linear probe's. What does training accuracy do after that?",
        "d": "A stage that the optimiser does not have changes nothing: the curves would "
        "stay level.",
        "e": "The net gets every training picture right in the end: it fits more than "
        "well enough.",
    },
    "B": {
        "a": "Overfitting shows as training accuracy that rises while the other falls. "
        "Here both fall, in the epoch in which the stages wake.",
        "c": "The head had learned for five epochs before anything else woke. What was "
        "the rate of the woken stages?",
        "d": "A stage that the optimiser does not have changes nothing. Here something "
        "changed at once.",
        "e": "Until epoch 5 it did well. A longer run does not explain a fall within one "
        "epoch.",
    },
    "C": {
        "a": "Training accuracy is as low as validation accuracy: nothing is learned by "
        "heart here.",
        "b": "The same rate did no harm in the run in which the head had learned first. "
        "What is different here?",
        "d": "All stages are in the optimiser from the start, and they move: too soon.",
        "e": "The same net on the same pictures reaches 0.78 with its head alone.",
    },
}


@task(
    "05.6",
    title="Validation accuracy falls after epoch 5",
    points=1,
    hints=(
        "Look at both accuracies: does training accuracy fall too? At once, or slowly? "
        "And does the run ever reach what the head alone reaches?",
        "Training up and validation down is overfitting. Both down in the epoch in which "
        "stages wake is a step too large.",
        "In run C the head was random when all stages began to learn from it.",
    ),
)
def why_it_falls(answer, c):
    c.choices(answer, _CAUSES, _NOT_THE_CAUSE, what="run")


# --- 05.7 ---------------------------------------------------------------------------

_MOVING = "bcf"
_DRIFT = {
    "a": "zero_grad() sets gradients to None since PyTorch 2.0, and the optimiser passes "
    "over a parameter whose gradient is None: neither momentum nor weight decay acts.",
    "b": "The gradient is a tensor of zeros here, not None: the optimiser makes its step, "
    "and the momentum gathered before carries the weights on.",
    "c": "The gradient is a tensor of zeros, not None: the optimiser makes its step, and "
    "weight decay adds its share to the gradient, whatever that is.",
    "d": "The optimiser makes its step, but a gradient of zero without momentum and "
    "without weight decay is a step of length zero.",
    "e": "It was frozen before the first backward pass, so it never had a gradient: there "
    "is nothing to set to zero, and None is passed over.",
    "f": "Adam makes its step with a gradient of zero, and its running mean of earlier "
    "gradients is not zero yet: the weights go on moving.",
}


@task(
    "05.7",
    title="Which frozen weights move?",
    points=1,
    hints=(
        "An optimiser looks at p.grad, not at p.requires_grad. Is the gradient None in "
        "each case, or a tensor of zeros?",
        "None: passed over. Zeros: a step is made, and it has a length if momentum, a "
        "running mean or weight decay has something to add.",
        "zero_grad() leaves None; zero_grad(set_to_none=False) leaves zeros, but only "
        "where there was a gradient before.",
    ),
)
def which_move(answer, c, moved=None):
    """`moved`: the letters whose frozen weights moved, as the exercise measured it."""
    c.that(moved is None or plain(moved) == _MOVING, "the measurement", key="count",
           got=moved, hint="`moved` is not what the cell above measures: run that cell "
           "as it was handed out.")  # fmt: skip
    c.type(answer, str, "the answer")
    letters = set(answer.strip().lower()) - set(" ,")
    c.that(letters <= set(_DRIFT), "the choice", key="unknown", got=answer,
           expected="letters from a to f", hint='Write the letters of the cases in which '
           'the weights move, such as "ad".')  # fmt: skip
    measured = " Measured above." if moved is not None else ""
    for letter, why in _DRIFT.items():
        does, said = letter in _MOVING, letter in letters
        verb = "moves" if does else "does not move"
        c.that(does == said, f"case {letter}", key=letter, got=answer,
               expected=f"it {verb}", hint=why + measured)  # fmt: skip
