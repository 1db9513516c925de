"""Freeze and wake stages; hold BatchNorm still through `train()`."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from course_utils.arguments import checked
from course_utils.layer_groups.stages import (
    LayerGroup,
    index_of,
    layer_groups,
    named_stages,
)
from course_utils.meta_tensors import check_model, unwrapped

_HOOK = "_frozen_batchnorm_hook"
_ALWAYS = "_batchnorm_is_always_held"  # at a layer: whether it is frozen or learns
_HELD = "_frozen_batchnorms"  # at the model, which outlives layers: {name: always}


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
def hold_batchnorm(model: nn.Module, *, hold: bool = True) -> nn.Module:
    """Hold all BatchNorm layers in eval mode, whatever `train()` says; in place.

    They normalise by the running statistics that came with the weights, and no longer
    move them; their scale and shift learn as before. Fine-tuning a whole pretrained net
    on few pictures wants this: a batch of twenty knows less of the statistics than what
    the weights were trained on. `fit`, `freeze`, `unfreeze` and schedules keep to it;
    with `hold=False` layers that learn follow `train()` again. New layers (mean 0,
    variance 1), such as a new head's, learn theirs; a model without BatchNorm is left as
    it is. Returns the model.

    Raises `ValueError` where all layers are new: a net that begins from random weights
    has to learn its statistics first.

    >>> from course_utils.layer_groups import hold_batchnorm
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> model = hold_batchnorm(model).train()
    >>> model.layer1[0].bn1.weight.requires_grad
    True
    >>> hold_batchnorm(load_backbone("test_resnet", weights="random"))
    Traceback (most recent call last):
        ...
    ValueError: the BatchNorm statistics of ResNet are those of a new net, ...
    """
    check_model(model)
    inner = unwrapped(model)
    layers = batchnorms([inner])
    known = [layer for layer in layers if not _is_new(layer)]
    if hold and layers and not known:
        raise ValueError(
            f"the BatchNorm statistics of {type(inner).__name__} are those of a new net, "
            "mean 0 and variance 1: held, they would never be learnt. Hold pretrained "
            "weights only; train a net from random weights without"
        )
    hold_again(inner, ())
    for layer in known:
        setattr(layer, _ALWAYS, hold)
        if hold:
            hold_layer(layer)
        elif any(p.requires_grad for p in layer.parameters()):
            release_layer(layer, model)
    note_held(inner)
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


def batchnorms(modules: Iterable[nn.Module]) -> list[_NormBase]:
    """List the layers with running statistics within some modules, each once."""
    found = {
        id(layer): layer
        for module in modules
        for layer in module.modules()
        if isinstance(layer, _NormBase) and layer.track_running_stats
    }
    return list(found.values())


def _is_new(layer: _NormBase) -> bool:
    mean, variance = layer.running_mean, layer.running_var
    return mean is not None and not mean.any() and bool((variance == 1).all())


def hold_layer(layer: nn.Module) -> None:
    """Hold one layer in eval mode, before each of its passes."""
    layer.eval()
    if not hasattr(layer, _HOOK):
        setattr(layer, _HOOK, layer.register_forward_pre_hook(_stay_in_eval))


def release_layer(layer: nn.Module, model: nn.Module) -> None:
    """Let a held layer follow its model again, unless it is always held."""
    if getattr(layer, _ALWAYS, False):
        return
    if hook := layer.__dict__.pop(_HOOK, None):
        hook.remove()
        layer.train(model.training)


def note_held(model: nn.Module) -> None:
    """Let the model look after its layers: SyncBatchNorm's conversion makes new ones."""
    layers = dict(model.named_modules())
    held = {
        name: getattr(layer, _ALWAYS, False)
        for name, layer in layers.items()
        if _HOOK in vars(layer)
    }
    if held and not hasattr(model, _HELD):
        model.register_forward_pre_hook(hold_again)
    if held or hasattr(model, _HELD):
        setattr(model, _HELD, held)


def hold_again(model: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    """Hold layers that stand where a held one stood before."""
    if not torch.jit.is_scripting():
        for name, always in getattr(model, _HELD, {}).items():
            layer = model.get_submodule(name)
            if not hasattr(layer, _HOOK) and isinstance(layer, _NormBase):
                setattr(layer, _ALWAYS, always)
                hold_layer(layer)


def _stay_in_eval(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    if not torch.jit.is_scripting():  # a scripted model has no modes to hold
        layer.eval()
