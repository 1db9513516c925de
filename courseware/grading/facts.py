"""What an answer gave, as plain data: a live object is described, never kept.

One rule for numbers: NumPy's, and tensors without dimensions, are as good as Python's own
wherever a number is asked for, at any depth. A whole number serves as a float, a float
never as an int, a bool never as either. A tuple inside of a result is as good as a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from courseware.grading.values import plain

LARGEST = 4_000_000  # numbers of a tensor that a description holds at most
_ITEMS = 100_000  # of all lists and dictionaries in it together
_DEEPEST = 20


@dataclass(frozen=True)
class Array:
    """A tensor or an array: its kind, dtype, shape and numbers."""

    kind: str  # "Tensor" or "ndarray"
    dtype: str
    shape: tuple[int, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Thing:
    """An object that is no data: the name of its type."""

    kind: str


@dataclass(frozen=True)
class Raised:
    """An error that ended a call."""

    kind: str
    text: str


@dataclass(frozen=True)
class Fact:
    """One thing that was seen of an answer: a name, plain data, and the input."""

    name: str
    value: Any
    given: str = ""


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may lie apart: `atol + rtol * |right|`."""

    atol: float = 1e-5
    rtol: float = 1e-5


@dataclass(frozen=True)
class Difference:
    """What sets a value apart from the right one, and where in it.

    `key` is "none", "type", "shape", "dtype", "length", "keys" or "value".
    """

    key: str
    expected: Any
    got: Any
    path: str = ""


def describe(value: Any) -> Any:
    """Turn a value into plain data; what is no data, or too large, into a `Thing`.

    >>> from courseware.grading.facts import describe
    >>> import numpy as np
    >>> describe([np.float64(0.5), (1, "a"), print])
    [0.5, (1, 'a'), Thing(kind='builtin_function_or_method')]
    """
    return _Reader().read(value)


_DATA = (bool, int, float, complex, str, bytes, Array, Thing, Raised)


class _Reader:
    """Reads one value; what goes on without an end is cut off."""

    def __init__(self):
        self.left = _ITEMS

    def read(self, value: Any, depth: int = 0) -> Any:
        value = plain(value)
        kind = type(value)
        if value is None or kind in _DATA:
            return value
        if issubclass(kind, np.generic):
            return self._scalar(value)
        if kind is Tensor:
            return _array_of_tensor(value)
        if issubclass(kind, np.ndarray):
            return _array("ndarray", str(value.dtype), np.asarray(value))
        if depth < _DEEPEST:
            return self._container(value, kind, depth + 1)
        return Thing(kind.__name__)

    def _scalar(self, value: np.generic) -> Any:
        found = value.item()
        known = type(found) in (bool, int, float, complex, str, bytes)
        return found if known else Thing(type(value).__name__)

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        if kind in (list, tuple):
            return self._spend(value) or kind([self.read(v, depth) for v in value])
        if issubclass(kind, dict):
            pairs = dict.items(value)
            return self._spend(pairs) or {
                self._key(key): self.read(item, depth) for key, item in pairs
            }
        if kind in (set, frozenset):
            return self._spend(value) or frozenset(map(self._key, value))
        return Thing("Module" if issubclass(kind, nn.Module) else kind.__name__)

    def _spend(self, items: Sized) -> Thing | None:
        self.left -= len(items)
        return Thing("container of too many items") if self.left < 0 else None

    def _key(self, key: Any) -> Any:
        """A dictionary's key, or a set's item: hashable as data too."""
        found = self.read(key, _DEEPEST - 1)
        try:
            hash(found)
        except TypeError:
            return Thing(type(key).__name__)
        return found


def _array_of_tensor(tensor: Tensor) -> Any:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.device.type == "meta" or tensor.layout is not torch.strided:
        return Thing(f"{tensor.device.type} tensor ({tensor.layout})")
    if tensor.numel() > LARGEST:
        return Thing(f"tensor of {tensor.numel()} numbers")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if tensor.dtype in (torch.bfloat16, torch.float16, torch.float32):
        tensor = tensor.double()
    return _array("Tensor", dtype, tensor.clone().numpy())


def _array(kind: str, dtype: str, values: np.ndarray) -> Any:
    if values.size > LARGEST or values.dtype.kind not in "biufc":
        return Thing(f"array of {dtype}")
    return Array(kind, dtype, values.shape, values.copy())


def difference(
    got: Any, right: Any, tolerance: Tolerance, path: str = ""
) -> Difference | None:
    """Return the first difference of a described value from the right one, or None."""
    if type(right) in (bool, int, float):
        return _number_difference(got, right, tolerance, path)
    if got is None and right is not None:
        return Difference("none", kind_of(right), "None", path)
    alike = {list, tuple} if path else set()
    if type(got) is not type(right) and {type(got), type(right)} - alike:
        return Difference("type", kind_of(right), kind_of(got), path)
    if isinstance(right, Array):
        return _array_difference(got, right, tolerance, path)
    if isinstance(right, (list, tuple)):
        return _list_difference(got, right, tolerance, path)
    if isinstance(right, dict):
        return _dict_difference(got, right, tolerance, path)
    return None if got == right else Difference("value", right, got, path)


def number_of(value: Any) -> Any:
    """Return the number in an array without dimensions; any other value itself."""
    if isinstance(value, Array) and value.shape == ():
        return value.values.item()
    return value


def _number_difference(got, right, tolerance, path) -> Difference | None:
    found = number_of(got)
    serve = {bool: (bool,), int: (int,), float: (int, float)}[type(right)]
    if type(found) not in serve:
        key = "none" if got is None else "type"
        return Difference(key, kind_of(right), kind_of(got), path)
    if type(right) is not float:
        return None if found == right else Difference("value", right, found, path)
    apart = not _close(np.float64(found), np.float64(right), tolerance)
    return Difference("value", right, found, path) if apart else None


def _close(got: np.ndarray, right: np.ndarray, tolerance: Tolerance) -> bool:
    close = np.isclose(
        got, right, atol=tolerance.atol, rtol=tolerance.rtol, equal_nan=True
    )
    return bool(close.all())


def _array_difference(got, right, tolerance, path) -> Difference | None:
    if got.kind != right.kind:
        return Difference("type", right.kind, got.kind, path)
    if got.shape != right.shape:
        return Difference("shape", right.shape, got.shape, path)
    if got.dtype != right.dtype:
        return Difference("dtype", right.dtype, got.dtype, path)
    apart = not _close(got.values, right.values, tolerance)
    return Difference("value", right, got, path) if apart else None


def _list_difference(got, right, tolerance, path) -> Difference | None:
    if len(got) != len(right):
        return Difference("length", len(right), len(got), path)
    pairs = enumerate(zip(got, right, strict=True))
    return _first(difference(a, b, tolerance, f"{path}[{i}]") for i, (a, b) in pairs)


def _dict_difference(got, right, tolerance, path) -> Difference | None:
    if got.keys() != right.keys():
        return Difference("keys", list(right), list(got), path)
    keys = ((key, f"{path}[{key!r}]") for key in right)
    return _first(
        difference(got[key], right[key], tolerance, where) for key, where in keys
    )


def _first(found: Iterator[Difference | None]) -> Difference | None:
    return next((one for one in found if one is not None), None)


def kind_of(value: Any) -> str:
    """Name the type of a described value, as a learner knows it."""
    if isinstance(value, (Array, Thing)):
        return value.kind
    return {frozenset: "set"}.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """Write a described value short enough for a card."""
    if isinstance(value, Array):
        flat = value.values.reshape(-1)[:6].tolist()
        numbers = ", ".join(_short(x) for x in flat)
        dots = ", …" if value.values.size > 6 else ""
        return f"{value.kind} of shape {value.shape}: [{numbers}{dots}]"
    if isinstance(value, Thing):
        return "..." if value.kind == "ellipsis" else f"an object of type {value.kind}"
    text = _written(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 600  # letters on a card


def _short(x: Any) -> str:
    return f"{x:.4g}" if type(x) is float else str(x)


def _written(value: Any) -> str:
    """The text of plain data: numbers cut, long containers shortened."""
    kind = type(value)
    if kind is str:
        return value
    if kind is float:
        return repr(value) if len(repr(value)) <= 8 else f"{value:.6g}"
    if kind in (list, tuple, frozenset):
        return _written_row(value, kind)
    if kind is dict:
        pairs = [f"{_quoted(k)}: {_quoted(v)}" for k, v in list(value.items())[:8]]
        return "{" + ", ".join(pairs + ["…"] * (len(value) > 8)) + "}"
    return repr(value)


def _written_row(value: Any, kind: type) -> str:
    if kind is frozenset:  # of names, most often: told as words
        words = sorted(map(shown, value))
        return ", ".join(words[:8] + ["…"] * (len(words) > 8)) or "none"
    items = [_quoted(item) for item in value[:8]] + ["…"] * (len(value) > 8)
    inner = ", ".join(items)
    if kind is list:
        return f"[{inner}]"
    return f"({inner},)" if len(value) == 1 else f"({inner})"


def _quoted(value: Any) -> str:
    return repr(value[:80]) if type(value) is str else shown(value)
