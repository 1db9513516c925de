"""Hold BatchNorm in eval mode through `train()`, and let it go again."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from course_utils.arguments import checked
from course_utils.meta_tensors import check_model, unwrapped

_HOOK = "_frozen_batchnorm_hook"
_ALWAYS = "_batchnorm_is_always_held"  # at a layer: whether it is frozen or learns
_HELD = "_frozen_batchnorms"  # at the model, which outlives layers: {name: always}


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
