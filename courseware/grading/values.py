"""Values that a check can trust: plain twins of a learner's, copies to compare with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_SCALARS = (bool, int, float, complex, str, bytes, type(None))


def is_plain(value: Any) -> bool:
    """Tell whether a value is made of exact built-in types only, at every depth."""
    if type(value) in (list, tuple):
        return all(is_plain(item) for item in value)
    if type(value) is dict:
        return all(is_plain(k) and is_plain(v) for k, v in value.items())
    return type(value) in _SCALARS


def plain(value: Any) -> Any:
    """Return the exact built-in twin of a subclass's object, or the value itself.

    A subclass may lie in `__eq__`, `__str__`, `__len__` or `__torch_function__`; the
    twin is read past them.
    """
    kind = type(value)
    if issubclass(kind, Tensor) and kind is not Tensor:
        with torch._C.DisableTorchFunctionSubclass():
            return Tensor.as_subclass(value, Tensor)
    for base, read in _READERS.items():
        if issubclass(kind, base) and kind is not base and kind is not bool:
            return read(value)
    return value


_READERS = {
    float: lambda value: float.__add__(value, 0.0),
    int: lambda value: int.__add__(value, 0),
    str: lambda value: str.__str__(value),
    list: lambda value: list(list.__iter__(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
}


def copied(value: Any) -> Any:
    """Copy data (tensors, arrays, containers of them); hand all else through."""
    if type(value) is Tensor:
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) is np.ndarray:
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(copied(item) for item in value)
    if issubclass(type(value), dict):
        twin = copy.copy(value)
        for key, item in value.items():
            twin[key] = copied(item)
        return twin
    return value


def unchanged(before: Any, after: Any) -> bool:
    """Compare data with a copy; NaN equals NaN. Objects need be the same ones."""
    kind = type(before)  # not isinstance, which believes an object's __class__
    if kind is not type(after):
        return False
    if kind is Tensor:
        return before.requires_grad == after.requires_grad and _equal(before, after)
    if kind is np.ndarray:
        return before.dtype == after.dtype and _same_array(before, after)
    if kind in (list, tuple):
        pairs = zip(before, after, strict=False)
        return len(before) == len(after) and all(unchanged(a, b) for a, b in pairs)
    if issubclass(kind, dict):
        keys = list(before) == list(after)
        return keys and all(unchanged(before[key], after[key]) for key in before)
    return before is after or (kind in _SCALARS and before == after)


def _equal(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    a, b = a.detach(), b.detach()
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _same_array(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


class ModelRecord:
    """What a model was like, to name later what became of it."""

    KINDS = ("layers", "weights", "statistics", "requires_grad", "mode", "hooks")

    def __init__(self, model: nn.Module):
        self._model = model
        self._facts = {kind: copied(dict(_facts(model, kind))) for kind in self.KINDS}

    def changes(self) -> tuple[str, ...]:
        """Name the kinds of change since the record was made, of KINDS."""
        now = {kind: dict(_facts(self._model, kind)) for kind in self.KINDS}
        return tuple(k for k in self.KINDS if not unchanged(self._facts[k], now[k]))


def _facts(model: nn.Module, kind: str) -> Iterator[tuple[str, Any]]:
    if kind == "weights":
        return ((name, p.detach()) for name, p in model.named_parameters())
    if kind == "statistics":
        return ((name, b.detach()) for name, b in model.named_buffers())
    if kind == "requires_grad":
        return ((name, p.requires_grad) for name, p in model.named_parameters())
    modules = model.named_modules()
    if kind == "mode":
        return ((name, module.training) for name, module in modules)
    if kind == "hooks":
        return ((name, _count_hooks(module)) for name, module in modules)
    return modules


def _count_hooks(module: nn.Module) -> int:
    names = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks"
    return sum(len(getattr(module, name)) for name in names)
