"""What a layer gives: watched by one hook, read by one rule, pooled in one way.

Convolutional nets give maps (B, C, H, W), Swin and MambaOut maps whose channels come last
(B, H, W, C), transformers tokens (B, N, C), of which some may stand before the grid: a
class token, registers. `layout_of` finds out which it is; a `Layout` reads it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from course_utils.errors import CannotInspect
from course_utils.meta_tensors import body_of, check_model, default_input_size
from course_utils.tracing import tensors_in, trace

_MOST_PREFIX_TOKENS = 8


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return a module of a model by its dotted name; "" is the model itself.

    Raises `ValueError` that names the nearest layers.

    >>> from course_utils.activations import find_layer
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> find_layer(model, "layer4.0.conv1")
    Conv2d(192, 96, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
    >>> find_layer(model, "layer5")
    Traceback (most recent call last):
        ...
    ValueError: ResNet has no layer 'layer5'; did you mean layer4 or layer3 or layer2?
    """
    check_model(model)
    modules = dict(model.named_modules())
    if name in modules:
        return modules[name]
    near = get_close_matches(name, modules, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "its children are "
    known = "" if near else ", ".join(child for child, _ in model.named_children())
    raise ValueError(f"{type(model).__name__} has no layer {name!r}; {hint}{known}")


@contextmanager
def watched(module: nn.Module, *, inputs: bool = False) -> Iterator[list[Tensor]]:
    """Collect what a module gives (or, with `inputs`, what enters it) while this lasts.

    Each call of the module adds its first tensor. The module is not changed.

    >>> import torch
    >>> from course_utils.activations import watched
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> with watched(model.layer4) as seen:
    ...     logits = model(torch.zeros(2, 3, 64, 64))
    >>> [tuple(maps.shape) for maps in seen]
    [(2, 96, 2, 2)]
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple, *output: Any) -> None:
        if tensors := tensors_in(given if inputs else output):
            seen.append(tensors[0])

    register = (
        module.register_forward_pre_hook if inputs else module.register_forward_hook
    )
    handle = register(keep)
    try:
        yield seen
    finally:
        handle.remove()


@dataclass(frozen=True)
class Layout:
    """Where a layer's output has its channels, and what stands before its grid.

    `prefix_tokens` counts the tokens that belong to no place of the picture (the class
    token, registers); None where the model does not tell.

    >>> import torch
    >>> from course_utils.activations import Layout
    >>> tokens = torch.zeros(2, 1 + 16, 8)  # a class token, and a grid of 4 x 4
    >>> layout = Layout(prefix_tokens=1)
    >>> tuple(layout.maps(tokens).shape), tuple(layout.pooled(tokens).shape)
    ((2, 8, 4, 4), (2, 8))
    """

    channels_last: bool = False
    prefix_tokens: int | None = None

    def pooled(self, output: Tensor) -> Tensor:
        """Average over positions: maps or tokens -> (B, C); (B, C) stays.

        All tokens count, the class token too. Raises `ValueError` for other shapes.
        """
        if output.ndim == 4:
            return output.mean((1, 2) if self.channels_last else (2, 3))
        if output.ndim == 3:
            return output.mean(1)
        if output.ndim == 2:
            return output
        raise ValueError(_unreadable(output))

    def maps(self, output: Tensor, *, aspect: float = 1.0) -> Tensor:
        """Bring maps or tokens to (B, C, H, W); vectors (B, C) stay.

        `aspect` is the picture's height over its width, which the tokens' grid has too.
        Raises `ValueError` for other shapes, and where tokens make no such grid.
        """
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self.channels_last else output
        if output.ndim == 3:
            rows, columns = self._grid(output.shape[1], aspect)
            places = output[:, -rows * columns :]  # (B, N, C) -> those of the grid
            return places.transpose(1, 2).unflatten(2, (rows, columns))
        if output.ndim == 2:
            return output
        raise ValueError(_unreadable(output))

    def _grid(self, tokens: int, aspect: float) -> tuple[int, int]:
        """Rows and columns, with as few tokens before them as the model says."""
        own = self.prefix_tokens
        likely = (1, *range(_MOST_PREFIX_TOKENS)) if own is None else (own, 0)
        for prefix in likely:
            places = tokens - prefix
            rows = round(math.sqrt(max(places, 1) * aspect))
            if places < 1 or places % rows:
                continue
            if math.isclose(rows / (places // rows), aspect, rel_tol=0.02):
                return rows, places // rows
        raise ValueError(
            f"{tokens} tokens make no grid of height over width {aspect:.3g}: take "
            "another layer, or pooled features"
        )


def layout_of(
    model: nn.Module,
    layer: str = "",
    *,
    shape: tuple[int, ...] | None = None,
    inputs: bool = False,
) -> Layout:
    """Find out how to read what a layer gives (or, with `inputs`, what enters it).

    `shape` is one that was seen, (B, …), for a square picture. Where it does not tell,
    and where there is none, a pass on meta tensors over a square picture does: maps have
    two equal sides, and the channels beside them. The model is not touched.

    >>> from course_utils.activations import layout_of
    >>> from course_utils.weights import load_backbone
    >>> layout_of(load_backbone("test_vit", weights="bundled"), "blocks")
    Layout(channels_last=False, prefix_tokens=1)
    >>> layout_of(load_backbone("test_resnet", weights="bundled"), "layer4")
    Layout(channels_last=False, prefix_tokens=None)
    """
    prefix = getattr(body_of(model), "num_prefix_tokens", None)
    last = _channels_last(shape[1:]) if shape else None
    if last is None and (shape is None or len(shape) == 4):
        last = _seen_on_meta(model, layer, inputs)
    return Layout(bool(last), prefix)


def _channels_last(shape: tuple[int, ...]) -> bool | None:
    """Tell from (C, H, W) or (H, W, C) of a square picture; None where it does not tell."""
    if len(shape) != 3 or (shape[0] == shape[1]) == (shape[1] == shape[2]):
        return None
    return shape[0] == shape[1]


def _seen_on_meta(model: nn.Module, layer: str, inputs: bool) -> bool | None:
    """The same from passes over square pictures, of the model's size and of others."""
    channels, height, width = default_input_size(model)
    side = min(height, width)
    for other in (side, side + 32, 2 * side):
        try:
            call = trace(model, input_size=(channels, other, other)).calls.get(layer)
        except CannotInspect:
            continue  # a net of one size, or one that cannot run on meta
        seen = call and (call.input_shape if inputs else call.output_shape)
        if seen and (last := _channels_last(seen)) is not None:
            return last
    return None


def _unreadable(output: Tensor) -> str:
    return (
        "features must be maps (B, C, H, W), tokens (B, N, C) or vectors (B, C), got "
        f"{tuple(output.shape)}: take another layer"
    )
