"""A hook that a model has before an answer sees it, for 03.2 and 03.3."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def _look_on(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
    """Do nothing."""


def hook_before(model: nn.Module, *, but: str = "") -> tuple[str, Callable[[], bool]]:
    """Hook the first Conv2d of another name; return its name, and whether it holds."""
    convolutions = (
        (n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)
    )
    name, layer = next((n, m) for n, m in convolutions if n != but)
    handle = layer.register_forward_hook(_look_on)
    return name, lambda: handle.id in layer._forward_hooks
