"""Know an answer again without keeping it: by its code, or by what it holds.

Two functions have the same fingerprint where they would run the same code: their own,
that of the functions in their closures and defaults, and that of what they call in the
notebook. Names of files and numbers of lines do not count, so that it stays the same when
a cell is run again, and in another kernel. Data is read as it is. Of any other object
nothing is known.
"""

from __future__ import annotations

import functools
import hashlib
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from courseware.grading.values import plain

_ITEMS = 20_000  # parts of an answer that are read
_NUMBERS = 1_000_000  # elements of a tensor
_UNSAID = {  # of a class: says nothing of what it does
    "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__",
    "__firstlineno__", "__static_attributes__", "__annotate_func__",
    "__annotations_cache__", "__annotate__", "__abstractmethods__", "_abc_impl",
}  # fmt: skip


class _Unreadable(Exception):
    """An object of which nothing is known, or too large an answer."""


def fingerprint(answer: Any) -> str | None:
    """Return a digest of a function, a class or data; None for all else.

    The learner's objects are neither kept nor asked: they may lie.
    """
    try:
        answer = plain(answer)
        return _digest(answer.strip().casefold() if type(answer) is str else answer)
    except (_Unreadable, RecursionError):
        return None


def _digest(value: Any) -> str:
    reader = _Reader()
    reader.read(value)
    return reader.digest.hexdigest()


class _Reader:
    """Feeds a digest with an object and with what it is made of, each part once."""

    def __init__(self):
        self.digest = hashlib.sha256()
        # By id; the parts are kept until the end, so that none takes another one's id.
        self.seen: dict[int, tuple[int, Any]] = {}
        self.left = _ITEMS

    def read(self, value: Any) -> None:
        kind = type(value)
        self.say(kind.__name__)
        self.left -= 1
        if self.left < 0:
            raise _Unreadable
        if kind in _WORDS:
            self.digest.update(_WORDS[kind](value))
            return
        if id(value) in self.seen:
            self.say(f"part {self.seen[id(value)][0]}")
            return
        self.seen[id(value)] = len(self.seen), value
        _reader_of(kind)(self, value)

    def say(self, text: str) -> None:
        self.digest.update(f"\0{text}\0".encode("utf-8", "surrogatepass"))

    def read_all(self, values: Any) -> None:
        for value in values:
            self.read(value)

    def read_if_known(self, value: Any) -> None:
        """Read what a function finds around itself; an object there is only named."""
        kind = type(value)
        self.say(kind.__name__)
        if issubclass(kind, type):
            _read_global(self, value)
        elif kind in _WORDS or kind in _PARTS:
            self.read(value)


def _read_items(reader: _Reader, value: list | tuple) -> None:
    reader.say(str(len(value)))
    reader.read_all(value)


def _read_dict(reader: _Reader, value: dict) -> None:
    reader.say(str(len(value)))
    for key, item in value.items():
        reader.read(key)
        reader.read(item)


def _read_set(reader: _Reader, value: set | frozenset) -> None:
    reader.read_all(sorted(map(_digest, value)))


def _read_tensor(reader: _Reader, value: Tensor) -> None:
    if value.numel() > _NUMBERS or value.layout is not torch.strided:
        raise _Unreadable
    reader.say(f"{value.dtype} {tuple(value.shape)}")
    try:
        flat = (
            value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        )
        reader.digest.update(flat.view(torch.uint8).numpy().tobytes())
    except RuntimeError as error:  # one without numbers (meta), or of a kind apart
        raise _Unreadable from error


def _read_array(reader: _Reader, value: np.ndarray) -> None:
    if value.size > _NUMBERS or value.dtype.hasobject:
        raise _Unreadable
    reader.say(f"{value.dtype} {value.shape}")
    reader.digest.update(value.tobytes())


def _read_function(reader: _Reader, value: FunctionType) -> None:
    reader.read(value.__code__)
    for item in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).items()):
        reader.read_if_known(item)
    for cell in value.__closure__ or ():
        reader.read(cell)
    if value.__module__ == "__main__":  # what it calls in the notebook
        for name in sorted(_names(value.__code__)):
            if name in value.__globals__:
                reader.say(name)
                _read_global(reader, value.__globals__[name])


def _read_global(reader: _Reader, value: Any) -> None:
    """Read what the notebook defined; of what it imported the name is enough."""
    kind = type(value)
    if kind is FunctionType or issubclass(kind, type):
        module = (
            value.__module__
            if kind is FunctionType
            else _facts(value).get("__module__")
        )
        if module != "__main__":
            return
        reader.read(value)
    elif kind in _WORDS:
        reader.read(value)


def _names(code: CodeType) -> set[str]:
    inner = [const for const in code.co_consts if type(const) is CodeType]
    return set(code.co_names).union(*map(_names, inner))


def _read_code(reader: _Reader, value: CodeType) -> None:
    reader.digest.update(value.co_code + value.co_exceptiontable)
    reader.read_all(
        [value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars]
    )
    reader.read_all(
        [value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount]
    )
    reader.read(value.co_flags)
    reader.read_all(value.co_consts)


def _read_cell(reader: _Reader, value: CellType) -> None:
    try:
        content = value.cell_contents
    except ValueError:  # nothing in it yet
        reader.say("empty")
    else:
        reader.read_if_known(content)


def _read_class(reader: _Reader, value: type) -> None:
    for base in type.__getattribute__(value, "__bases__"):
        reader.say(type.__getattribute__(base, "__name__"))
        _read_global(reader, base)
    for name, part in sorted(_facts(value).items()):
        if name not in _UNSAID:
            reader.say(name)
            reader.read_if_known(part)


def _facts(value: type) -> dict:
    return dict(type.__getattribute__(value, "__dict__"))


def _read_partial(reader: _Reader, value: functools.partial) -> None:
    reader.read_all([value.func, value.args, value.keywords])


def _read_method(reader: _Reader, value: MethodType) -> None:
    reader.read(value.__func__)
    reader.read_if_known(value.__self__)


def _read_wrapped(reader: _Reader, value: staticmethod | classmethod) -> None:
    reader.read_if_known(value.__func__)


def _read_property(reader: _Reader, value: property) -> None:
    for part in (value.fget, value.fset, value.fdel):
        reader.read_if_known(part)


_WORDS = {
    int: lambda value: f"{value:x}".encode(),  # decimals have a limit
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: bytes,
} | dict.fromkeys(
    (bool, float, complex, type(None), type(...), range, slice, torch.dtype),
    lambda value: repr(value).encode(),
)
_PARTS = {
    list: _read_items,
    tuple: _read_items,
    dict: _read_dict,
    set: _read_set,
    frozenset: _read_set,
    Tensor: _read_tensor,
    np.ndarray: _read_array,
    FunctionType: _read_function,
    CodeType: _read_code,
    CellType: _read_cell,
    MethodType: _read_method,
    staticmethod: _read_wrapped,
    classmethod: _read_wrapped,
    property: _read_property,
    functools.partial: _read_partial,
}


def _reader_of(kind: type):
    if issubclass(kind, type):
        return _read_class
    if issubclass(kind, np.generic):
        return _read_array
    if kind not in _PARTS:
        raise _Unreadable
    return _PARTS[kind]
