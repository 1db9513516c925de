"""Freeze and wake stages; a frozen BatchNorm holds still through `train()`."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from course_utils.arguments import checked
from course_utils.layer_groups.holding import (
    batchnorms,
    hold_again,
    hold_layer,
    note_held,
    release_layer,
)
from course_utils.layer_groups.stages import (
    LayerGroup,
    index_of,
    layer_groups,
    named_stages,
)
from course_utils.meta_tensors import check_model, unwrapped


@checked(own=("stages",))
def freeze(
    model: nn.Module,
    *,
    until: str | None = None,
    stages: str | Iterable[str] | None = None,
    batchnorm: str = "eval",
) -> nn.Module:
    """Freeze all stages before the head, before the stage `until`, or those named.

    In place; every other stage becomes trainable; of a model without a head nothing is,
    unless a stage is named. Frozen parameters get
    `requires_grad=False`. With `batchnorm="eval"` (the default) frozen BatchNorm layers
    keep their running statistics, whatever `train()` says: a forward hook holds them in
    eval mode. "train" leaves them to the model's mode. (`hold_batchnorm` holds all of
    them, whatever learns.) Returns the model.

    >>> from course_utils.layer_groups import freeze
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> [name for name, p in freeze(model).named_parameters() if p.requires_grad]
    ['fc.weight', 'fc.bias']
    >>> freeze(model, until="layer5")
    Traceback (most recent call last):
        ...
    ValueError: no stage 'layer5'; stages are conv1, layer1, layer2, layer3, layer4, fc
    """
    if batchnorm not in ("eval", "train"):
        raise ValueError(f"batchnorm must be 'eval' or 'train', got {batchnorm!r}")
    if until is not None and stages is not None:
        raise ValueError("give until or stages, not both")
    groups = layer_groups(model)
    hold_again(unwrapped(model), ())
    frozen = (
        named_stages(groups, stages)
        if stages is not None
        else groups[: _stop(groups, until)]
    )
    for group in groups:
        _set_trainable(group, group not in frozen)
    for layer in _batchnorms(groups):
        release_layer(layer, model)
    for layer in _batchnorms(frozen) if batchnorm == "eval" else ():
        hold_layer(layer)
    note_held(unwrapped(model))
    return model


@checked(own=("stages",))
def unfreeze(
    model: nn.Module,
    *,
    since: str | None = None,
    stages: str | Iterable[str] | None = None,
) -> nn.Module:
    """Make all stages trainable, those from `since` on, or those named; in place.

    The others stay as they are. BatchNorm layers that wake follow `train()` again.
    Returns the model.

    >>> from course_utils.layer_groups import freeze, unfreeze
    >>> from course_utils.weights import load_backbone
    >>> model = freeze(load_backbone("test_resnet", weights="bundled", num_classes=5))
    >>> unfreeze(model, since="layer4").layer3[0].conv1.weight.requires_grad
    False
    >>> model.layer4[0].conv1.weight.requires_grad
    True
    """
    if since is not None and stages is not None:
        raise ValueError("give since or stages, not both")
    groups = layer_groups(model)
    hold_again(unwrapped(model), ())
    if stages is not None:
        woken = named_stages(groups, stages)
    else:
        woken = groups[0 if since is None else index_of(groups, since) :]
    for group in woken:
        _set_trainable(group, True)
    for layer in _batchnorms(woken):
        release_layer(layer, model)
    note_held(unwrapped(model))
    return model


@checked
def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return what learns, for an optimiser; nothing trainable is a `ValueError`.

    >>> from course_utils.layer_groups import freeze, trainable_parameters
    >>> from course_utils.weights import load_backbone
    >>> model = freeze(load_backbone("test_resnet", weights="bundled", num_classes=5))
    >>> [tuple(p.shape) for p in trainable_parameters(model)]
    [(5, 96), (5,)]
    """
    check_model(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError(
            f"{type(model).__name__} has no trainable parameter: unfreeze a stage, or "
            "replace the head after freezing"
        )
    return parameters


def _stop(groups: list[LayerGroup], until: str | None) -> int:
    if until is not None:
        return index_of(groups, until)
    return sum(not group.is_head for group in groups)


def _set_trainable(group: LayerGroup, trainable: bool) -> None:
    for parameter in group.parameters:
        parameter.requires_grad = trainable


def _batchnorms(groups: Iterable[LayerGroup]) -> list[nn.Module]:
    return batchnorms(module for group in groups for module in group.modules)
