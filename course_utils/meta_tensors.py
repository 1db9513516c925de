"""Models without numbers: built or copied on meta tensors, which hold shapes only.

A meta tensor has a shape, a type and a device named "meta", and no memory. A forward
pass on it computes shapes and nothing else, for the largest model in a fraction of a
second. https://docs.pytorch.org/docs/stable/meta.html
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torchvision import models

from course_utils.architectures import build
from course_utils.arguments import Count, check_argument, checked
from course_utils.errors import CannotInspect
from course_utils.runtime import generators_kept

__all__ = ["body_of", "build_on_meta", "default_input_size", "meta_copy", "unwrapped"]

DEFAULT_SIDE = 224
BODY = "course_body"
_WRAPPED = ({"module"}, {"_orig_mod"})  # DataParallel, AveragedModel; torch.compile
_QUANTISED = "WeightedQuantizedModule"  # the base of torch's quantised layers
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks",
          "_backward_pre_hooks")  # fmt: skip


@checked
def build_on_meta(name: str, **options: Any) -> nn.Module:
    """Build a torchvision or timm model by name, on meta tensors and in eval mode.

    `options` go to the model's own builder. Random generators stay as they are.
    An unknown name is an `UnknownModel` with the nearest names.

    >>> from course_utils.meta_tensors import build_on_meta
    >>> model = build_on_meta("vit_l_16")
    >>> model.heads.head.weight.device, sum(p.numel() for p in model.parameters())
    (device(type='meta'), 304326632)
    """
    with generators_kept(), torch.inference_mode(False), _registered_on_meta():
        try:
            model = build(name, **options)
        except RuntimeError:  # a builder that runs its layers, as hybrid ViTs' do
            with torch.device("meta"):
                model = build(name, **options)
    _move_plain_tensors(model)
    return model.eval()


def meta_copy(model: nn.Module) -> nn.Module:
    """Copy a model onto meta tensors; the original is not touched, nor its memory used.

    The copy has the same names, shapes and modes, no weights, and no forward or
    backward hooks. What Python cannot copy is None there (a generator, an open file), or
    empty (a dictionary of activations).

    Raises `CannotInspect` for what holds no plain layers: see `check_plain`.

    >>> from course_utils.meta_tensors import meta_copy
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> meta_copy(model).fc.weight.device, model.fc.weight.device
    (device(type='meta'), device(type='cpu'))
    """
    check_plain(model)
    with generators_kept(), torch.inference_mode(False):
        memo = _tensors_on_meta(model)
        try:
            return copy.deepcopy(model, dict(memo))
        except Exception:  # whatever an attribute raises that cannot be copied
            return _copy_in_pieces(model, memo)


def _tensors_on_meta(model: nn.Module) -> dict[int, Any]:
    """What stands in a copy for a model's tensors and hooks, by the id of each."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for holder in (module._parameters, module._buffers, vars(module)):
            for value in holder.values():
                if isinstance(value, Tensor) and id(value) not in memo:
                    memo[id(value)] = _on_meta(value)
        for name in _HOOKS:
            hooks = getattr(module, name)
            memo[id(hooks)] = type(hooks)()
    return memo


def check_model(model: object) -> None:
    """Raise `TypeError` for what is no model, such as a name or a state dict."""
    if not isinstance(model, nn.Module):
        shown = f" {model!r}" if isinstance(model, str) else ""
        raise TypeError(
            f"a model must be a torch.nn.Module, got {type(model).__name__}{shown}: "
            "load one with load_backbone(name)"
        )


def check_plain(model: nn.Module) -> None:
    """Raise `CannotInspect` for a model whose layers are compiled, quantised or empty.

    That is: TorchScript's modules, quantised ones, and lazy ones that have not run yet.
    """
    check_model(model)
    for path, module in model.named_modules():
        where = f"{type(model).__name__}{path and ' in ' + path}"
        if isinstance(module, torch.jit.ScriptModule):
            raise CannotInspect(
                f"{where} is compiled by TorchScript; hand over the Python model that it "
                "was made from"
            )
        if any(kind.__name__ == _QUANTISED for kind in type(module).__mro__):
            raise CannotInspect(
                f"{where} is quantised: it cannot be trained or looked into. Hand over "
                "the model in floating point that it was made from"
            )
        if any(
            map(is_lazy, chain(module._parameters.values(), module._buffers.values()))
        ):
            raise CannotInspect(
                f"{where} has no shape yet ({type(module).__name__}): run the model on "
                "one batch first"
            )


def _copy_in_pieces(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """Copy a model attribute by attribute, where one of them cannot be copied."""
    for module in model.modules():
        memo[id(module)] = module.__new__(type(module))
    for module in model.modules():
        copies = {name: _copied(value, memo) for name, value in vars(module).items()}
        vars(memo[id(module)]).update(copies)
    return memo[id(model)]


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # whatever it raises: it cannot be copied
        if isinstance(value, dict | list | set):
            return type(value)()  # activations that were kept
        locks = (type(threading.Lock()), type(threading.RLock()))
        return threading.RLock() if isinstance(value, locks) else None


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the net within DataParallel, AveragedModel, torch.compile and the like.

    >>> from torch import nn
    >>> from course_utils.meta_tensors import unwrapped
    >>> unwrapped(nn.DataParallel(nn.Linear(8, 5)))
    Linear(in_features=8, out_features=5, bias=True)
    """
    check_model(model)
    while set(children := dict(model.named_children())) in _WRAPPED:
        (model,) = children.values()
    return model


def body_of(model: nn.Module) -> nn.Module:
    """Return the net that a model is built around, as its `course_body` names it.

    Without that name it is the model itself, without what is wrapped around it.

    >>> from course_utils.meta_tensors import body_of
    >>> from course_utils.multitask import MultiTaskModel
    >>> from course_utils.weights import load_backbone
    >>> backbone = load_backbone("test_resnet", weights="bundled")
    >>> body_of(MultiTaskModel(backbone, {"species": 5, "colour": 6})) is backbone
    True
    """
    model = unwrapped(model)
    return model.get_submodule(getattr(model, BODY, ""))


def dtype_of(model: nn.Module) -> torch.dtype:
    """Return the type of a model's first parameter in floating point, else float32."""
    kinds = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(kinds, torch.float32)


def image_batch(
    input_size: tuple[int, ...],
    batch_size: int = 2,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return a batch (B, C, H, W) on meta, or of whatever size one input has."""
    return torch.empty(batch_size, *input_size, device="meta", dtype=dtype)


def check_input_size(input_size: object) -> tuple[int, ...]:
    """Return the size of one input, (C, H, W) or another; `ValueError` for no size."""
    if not isinstance(input_size, tuple | list) or not input_size:
        raise ValueError(
            f"input_size must be (C, H, W), such as (3, 224, 224), got {input_size!r}"
        )
    for side in input_size:
        check_argument(side, Count, "each side of input_size")
    return tuple(map(int, input_size))


def default_input_size(model: nn.Module) -> tuple[int, int, int]:
    """Return the (C, H, W) that a model is meant for, as far as it tells.

    That is what its `weights_info`, its timm configuration or its `image_size` says;
    else 3 x 224 x 224 (for Inception v3, 299). Where no convolution takes 3 channels but
    the first one takes up to 4 (grey pictures), those. A model built around a net asks
    that net.

    >>> from torch import nn
    >>> from course_utils.meta_tensors import default_input_size
    >>> from course_utils.weights import load_backbone
    >>> default_input_size(load_backbone("test_resnet", weights="bundled"))
    (3, 64, 64)
    >>> default_input_size(nn.Conv2d(1, 8, 3))
    (1, 224, 224)
    """
    model = body_of(model)
    taken = [m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
    channels, height, width = _told_size(model)
    own = taken and channels not in taken and taken[0] <= 4
    return (taken[0] if own else channels, height, width)


def _told_size(model: nn.Module) -> tuple[int, int, int]:
    if info := getattr(model, "weights_info", None):
        return (3, info.image_size, getattr(info, "image_width", 0) or info.image_size)
    size = getattr(getattr(model, "patch_embed", None), "img_size", None)
    config = getattr(model, "pretrained_cfg", None) or {}
    if "input_size" in config:
        channels, *sides = config["input_size"]
        sides = size if isinstance(size, tuple | list) else sides
        return (channels, *sides)
    if isinstance(model, models.Inception3):
        return (3, 299, 299)
    for holder in (model, getattr(model, "config", None)):  # torchvision, transformers
        side = getattr(holder, "image_size", None)
        if isinstance(side, int) or (isinstance(side, tuple | list) and len(side) == 2):
            return (3, side, side) if isinstance(side, int) else (3, *side)
    return (3, DEFAULT_SIDE, DEFAULT_SIDE)


@contextmanager
def _registered_on_meta() -> Iterator[None]:
    """Move each parameter and buffer to meta as it enters a module.

    Building under `torch.device("meta")` would fail where a builder reads numbers that
    it has just computed (torchvision's RegNet does).
    """
    parameter, buffer = nn.Module.register_parameter, nn.Module.register_buffer

    def register_parameter(self, name, param):
        return parameter(self, name, param if param is None else _on_meta(param))

    def register_buffer(self, name, tensor, persistent=True):
        moved = tensor if tensor is None else _on_meta(tensor)
        return buffer(self, name, moved, persistent)

    with (
        mock.patch.object(nn.Module, "register_parameter", register_parameter),
        mock.patch.object(nn.Module, "register_buffer", register_buffer),
    ):
        yield


def _on_meta(tensor: Tensor) -> Tensor:
    moved = tensor.detach().to("meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(moved, requires_grad=tensor.requires_grad)
    return moved


def _move_plain_tensors(model: nn.Module) -> None:
    """Move tensors that a module keeps as plain attributes."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                setattr(module, name, _on_meta(value))
