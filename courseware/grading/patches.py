"""Notice a call that replaces what the checks rely on, name it, and put it back.

It keeps a check honest about honest mistakes. Who wants to get past it can: this is no
security boundary.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import functools
import math
import operator
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

_COURSE = "courseware.grading", "courseware.tasks"
_LIBRARIES = {
    "builtins": builtins,
    "copy": copy,
    "math": math,
    "numpy": np,
    "torch": torch,
    "torch.nn.functional": nn.functional,
    "torch.Tensor": torch.Tensor,
    "torch.nn.Module": nn.Module,
    "torch.nn.Sequential": nn.Sequential,
    "torch.nn.Linear": nn.Linear,
    "torch.nn.Conv2d": nn.Conv2d,
    "torch.nn.BatchNorm2d": nn.BatchNorm2d,
}
_GONE = object()


@contextlib.contextmanager
def code_kept() -> Iterator[list[str]]:
    """Put functions, classes and constants back that were replaced; list their names."""
    spaces = [*_library_spaces(), *_course_spaces(len(sys.modules))]
    before = [dict(space.names) for space in spaces]
    patched: list[str] = []
    try:
        yield patched
    finally:
        for space, names in zip(spaces, before, strict=True):
            patched += [f"{space.name}.{name}" for name in space.put_back(names)]


class _Space(NamedTuple):
    """The names of a module or a class."""

    name: str
    owner: Any
    names: Mapping[str, Any]

    def put_back(self, before: dict[str, Any]) -> list[str]:
        now = self.names
        if len(before) == len(now) and all(
            map(operator.is_, before.values(), now.values())
        ):
            return []
        differ = [n for n, old in before.items() if now.get(n, _GONE) is not old]
        replaced = [name for name in differ if self._is_patch(name, before)]
        for name in replaced:
            setattr(self.owner, name, before[name])
        shadows = [name for name in now.keys() - before.keys() if self._is_shadow(name)]
        for name in shadows:
            delattr(self.owner, name)
        return replaced + sorted(shadows)

    def _is_patch(self, name: str, before: dict[str, Any]) -> bool:
        relied_on = callable(before[name]) or name.isupper()
        return relied_on and not self._is_own_work(self.names.get(name), before)

    def _is_own_work(self, new: Any, before: dict[str, Any]) -> bool:
        """Tell a library that wraps its own functions: torch does once it compiles."""
        if not isinstance(new, FunctionType) or any(
            new is old for old in before.values()
        ):
            return False
        made_in = new.__globals__.get("__name__", "")
        return made_in.partition(".")[0] == self.name.partition(".")[0] == "torch"

    def _is_shadow(self, name: str) -> bool:
        bases = self.owner.__mro__[1:] if isinstance(self.owner, type) else ()
        return any(name in vars(base) for base in bases)


@functools.cache
def _library_spaces() -> list[_Space]:
    return [_Space(name, found, vars(found)) for name, found in _LIBRARIES.items()]


@functools.lru_cache(maxsize=1)
def _course_spaces(loaded: int) -> list[_Space]:
    """Modules of the course and classes of its grading; `loaded`: asked anew after that."""
    modules = {n: m for n, m in list(sys.modules.items()) if _is_course(n) and m}
    spaces = [_Space(name, module, vars(module)) for name, module in modules.items()]
    for name, module in modules.items():
        spaces += [
            _Space(f"{name}.{found.__name__}", found, vars(found))
            for found in vars(module).values()
            if isinstance(found, type) and found.__module__ == name
        ]
    return spaces


def _is_course(name: str) -> bool:
    return name.startswith(_COURSE)
