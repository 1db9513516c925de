"""Parameter groups for any torch optimiser: a learning rate for each depth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
from torch import nn

from course_utils.arguments import (
    Amount,
    Positive,
    Ratio,
    Share,
    check_argument,
    checked,
    whole,
)
from course_utils.layer_groups import LayerGroup, layer_groups, names_of
from course_utils.meta_tensors import unwrapped

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_BLOCK_LISTS = ("blocks", "layers")


@checked
def param_groups(
    model: nn.Module,
    lr: Positive,
    *,
    ratio: Ratio | None = None,
    decay: Ratio | None = None,
    groups: int | Sequence[str | Sequence[str]] | None = None,
    min_scale: Share = 0.0,
    weight_decay: Amount = 0.0,
) -> list[dict]:
    """Return groups for an optimiser: `lr` for the head, less for what lies deeper.

    With `ratio` (0 to 1), each group of stages gets `ratio` times the rate of the one
    behind it; `groups` is how many there are (3, 5, …; by default one a stage), or the
    stages' names, group by group, neighbours together, in any order. With `decay`
    instead, each *block* does (layer-wise decay, Clark et al., 2020,
    https://arxiv.org/abs/2003.10555). With neither, all have `lr`. `min_scale` is the
    least share of `lr` that the deepest gets.

    `weight_decay` is for weights only: norms, biases and other vectors get none, nor
    do parameters that the model names in timm's `no_weight_decay()`. Every parameter is
    in exactly one group, frozen ones too: they can wake later, and their depth counts.
    Each group has a `name` and a real `lr`, which any torch scheduler scales. Nothing
    of the model changes.

    Raises `ValueError` for numbers outside their ranges, NaN among them, and stages that
    there are not.

    >>> import torch
    >>> from course_utils.param_groups import param_groups
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> groups = param_groups(model, 1e-3, ratio=0.5, groups=3)
    >>> [(group["name"], group["lr"]) for group in groups]
    [('conv1 to layer2', 0.00025), ('layer3 to layer4', 0.0005), ('fc', 0.001)]
    >>> optimizer = torch.optim.AdamW(groups)
    """
    if ratio is not None and decay is not None:
        raise ValueError("give ratio (by stage) or decay (by block), not both")
    if decay is not None:
        units = _blocks(model)
    else:
        units = _bundles(layer_groups(model), groups)
    if not units:
        raise ValueError(f"{type(model).__name__} has no parameters to make groups of")
    factor = decay if decay is not None else (1.0 if ratio is None else ratio)
    exempt = _without_decay(model)
    found = []
    for depth, (name, parameters) in enumerate(reversed(units)):
        rate = lr * max(factor**depth, min_scale)
        found.append(_two_groups(name, parameters, rate, weight_decay, exempt))
    made = [group for pair in reversed(found) for group in pair]
    check_groups(model, made)
    return made


@checked
def check_groups(model: nn.Module, groups: Iterable[dict]) -> None:
    """Raise `ValueError` where a parameter is in two groups, or is not the model's.

    The message names parameter and groups; torch's own says only that there is one.

    >>> from torch import nn
    >>> from course_utils.param_groups import check_groups
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 5))
    >>> body, head = {"params": model.parameters()}, {"params": model[2].parameters()}
    >>> check_groups(model, [body, head])
    Traceback (most recent call last):
        ...
    ValueError: 2.weight is in two groups, group 0 and group 1: take it out of one. A
    loop over all parameters has the head already
    """
    names = {id(p): name for name, p in model.named_parameters()}
    seen: dict[int, str] = {}
    for number, group in enumerate(groups):
        here = group.get("name", f"group {number}")
        for parameter in group["params"]:
            name = names.get(id(parameter))
            if name is None:
                raise ValueError(
                    f"{here} holds a parameter of shape {tuple(parameter.shape)} that "
                    f"is not in {type(model).__name__}: make the groups after replacing "
                    "the head"
                )
            if id(parameter) in seen:
                raise ValueError(
                    f"{name} is in two groups, {seen[id(parameter)]} and {here}: take "
                    "it out of one. A loop over all parameters has the head already"
                )
            seen[id(parameter)] = here


@checked
def group_table(groups: Iterable[dict]) -> pd.DataFrame:
    """Tabulate groups: name, lr, weight decay, parameters, and how many learn now.

    >>> from course_utils.param_groups import group_table, param_groups
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> groups = param_groups(model, 1e-3, ratio=0.5, groups=2, weight_decay=0.05)
    >>> print(group_table(groups)[["lr", "weight_decay", "parameters"]])
                                   lr  weight_decay  parameters
    group
    conv1 to layer4            0.0005          0.05      370608
    conv1 to layer4, no decay  0.0005          0.00        2080
    fc                         0.0010          0.05         480
    fc, no decay               0.0010          0.00           5
    """
    rows = [
        {
            "group": group.get("name", ""),
            "lr": group["lr"],
            "weight_decay": group.get("weight_decay", 0.0),
            "parameters": sum(p.numel() for p in group["params"]),
            "learning": sum(p.numel() for p in group["params"] if p.requires_grad),
        }
        for group in groups
    ]
    return pd.DataFrame(rows).set_index("group")


def _bundles(stages: list[LayerGroup], groups) -> list[tuple[str, tuple]]:
    """Join neighbouring stages: as many bundles as asked for, or those named."""
    if groups is None:
        return _join(stages, [[stage] for stage in stages])
    if not isinstance(groups, Iterable):
        return _join(stages, _even(stages, groups))
    known = {stage.name: stage for stage in stages}
    runs = [list(names_of(names)) for names in groups]
    asked = [name for names in runs for name in names]
    if sorted(asked) != sorted(known):
        wrong = sorted(set(asked) ^ set(known)) or sorted(asked)
        raise ValueError(
            f"groups must name each stage once; look at {', '.join(wrong)}. Stages are "
            f"{', '.join(known)}"
        )
    # Stem first, head last, whatever order they are named in: depth decides the rate.
    place = {name: i for i, name in enumerate(known)}
    runs = sorted((sorted(names, key=place.get) for names in runs if names),
                  key=lambda names: place[names[0]])  # fmt: skip
    if [name for names in runs for name in names] != list(known):
        raise ValueError(
            "groups must each be neighbouring stages, for a rate belongs to a depth. "
            f"Stages are {', '.join(known)}"
        )
    return _join(stages, [[known[name] for name in names] for names in runs])


def _even(stages: list[LayerGroup], count: int) -> list[list[LayerGroup]]:
    """The head alone, the rest cut into runs of about equal length, longer ones first."""
    what = "groups (as many as stages, or fewer)"
    check_argument(count, whole(2, len(stages)), what)
    body, runs = stages[:-1], count - 1
    short, longer = divmod(len(body), runs)
    found, start = [], 0
    for run in range(runs):
        stop = start + short + (run < longer)
        found.append(body[start:stop])
        start = stop
    return [*found, [stages[-1]]]


def _join(stages, runs) -> list[tuple[str, tuple]]:
    return [
        (
            run[0].name if len(run) == 1 else f"{run[0].name} to {run[-1].name}",
            tuple(p for stage in run for p in stage.parameters),
        )
        for run in runs
    ]


def _blocks(model: nn.Module) -> list[tuple[str, tuple]]:
    """Cut each stage into its blocks, in order; what is between joins the block before.

    Parameters of a stage that come before its first block (a downsampling layer) join
    that block.
    """
    named = {id(module): name for name, module in model.named_modules()}
    stages = layer_groups(model)
    found: list[tuple[str, tuple]] = []
    for stage in [stage for stage in stages if not stage.is_head]:
        parts = [part for module in stage.modules for part in _expand(module)]
        rest = {id(p): p for p in stage.parameters}
        units = []
        for part in parts:
            own = [rest.pop(id(p)) for p in part.parameters() if id(p) in rest]
            if own:
                units.append([named[id(part)], own])
        if not units:
            units = [[stage.name, []]]
        units[0][1] = [*rest.values(), *units[0][1]]
        found += [(name, tuple(own)) for name, own in _merged(units)]
    return [*found, *((s.name, s.parameters) for s in stages if s.is_head)]


def _expand(module: nn.Module) -> list[nn.Module]:
    """The blocks of a stage: children of a container, or of its list of blocks."""
    for name in _BLOCK_LISTS:
        inner = getattr(module, name, None)
        if isinstance(inner, _CONTAINERS) and len(inner) > 1:
            return list(inner.children())
    if isinstance(module, _CONTAINERS) and len(module) > 1:
        return list(module.children())
    return [module]


def _merged(units: list) -> list:
    """Join parts that hold vectors only (a norm) to the block before them."""
    found: list = []
    for name, own in units:
        if found and all(p.ndim <= 1 for p in own):
            found[-1][1] += own
        else:
            found.append([name, list(own)])
    return found


def _without_decay(model: nn.Module) -> set[int]:
    """Parameters that timm's models ask to be spared, besides all vectors."""
    model = unwrapped(model)
    ask = getattr(model, "no_weight_decay", None)
    spared = set(ask()) if callable(ask) else set()
    return {
        id(p)
        for name, p in model.named_parameters()
        if p.ndim <= 1 or name.endswith(".bias") or name in spared
    }


def _two_groups(name, parameters, lr, weight_decay, exempt) -> list[dict]:
    """The weights of one depth, and what gets no weight decay; empty ones left out."""
    if not weight_decay:
        return [
            {"params": list(parameters), "lr": lr, "weight_decay": 0.0, "name": name}
        ]
    weights = [p for p in parameters if id(p) not in exempt]
    spared = [p for p in parameters if id(p) in exempt]
    made = [
        {"params": weights, "lr": lr, "weight_decay": weight_decay, "name": name},
        {"params": spared, "lr": lr, "weight_decay": 0.0, "name": f"{name}, no decay"},
    ]
    return [group for group in made if group["params"]]
