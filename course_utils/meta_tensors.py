"""Models without numbers: built or copied on meta tensors, which hold shapes only.

A meta tensor has a shape, a type and a device named "meta", and no memory. A forward
pass on it computes shapes and nothing else, for the largest model in a fraction of a
second. https://docs.pytorch.org/docs/stable/meta.html
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torchvision import models

from course_utils.architectures import build
from course_utils.errors import CannotInspect
from course_utils.runtime import generators_kept

DEFAULT_SIDE = 224
BODY = "course_body"
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks",
          "_backward_pre_hooks")  # fmt: skip


def build_on_meta(name: str, **options: Any) -> nn.Module:
    """Build a torchvision or timm model by name, on meta tensors and in eval mode.

    `options` go to the model's own builder. Random generators stay as they are.
    An unknown name is an `UnknownModel` with the nearest names.
    """
    with generators_kept(), _registered_on_meta():
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
    backward hooks.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise CannotInspect(
            f"{type(model).__name__} is compiled by TorchScript; hand over the Python "
            "model that it was made from"
        )
    memo: dict[int, Any] = {}
    for module in model.modules():
        for holder in (module._parameters, module._buffers, vars(module)):
            for value in holder.values():
                if isinstance(value, Tensor) and id(value) not in memo:
                    memo[id(value)] = _on_meta(value)
        for name in _HOOKS:
            hooks = getattr(module, name)
            memo[id(hooks)] = type(hooks)()
    with generators_kept():
        return copy.deepcopy(model, memo)


def body_of(model: nn.Module) -> nn.Module:
    """Return the net that a model is built around, as its `course_body` names it.

    Without that name it is the model itself.
    """
    return model.get_submodule(getattr(model, BODY, ""))


def image_batch(input_size: tuple[int, int, int], batch_size: int = 2) -> Tensor:
    """Return a batch (B, C, H, W) of float32 on meta."""
    return torch.empty(batch_size, *input_size, device="meta")


def default_input_size(model: nn.Module) -> tuple[int, int, int]:
    """Return the (C, H, W) that a model is meant for, as far as it tells.

    That is what its `weights_info`, its timm configuration or its `image_size` says;
    else 3 x 224 x 224 (for Inception v3, 299). A model built around a net asks that net.
    """
    model = body_of(model)
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
    side = getattr(model, "image_size", DEFAULT_SIDE)
    return (3, side, side)


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
