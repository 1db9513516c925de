"""What decides features, told in full or not at all; features kept under that.

A key is made of every option of every layer and every step of the transform. That tells
what they do only where their code is torch's, torchvision's, timm's or this package's: a
class or function of one's own may do something else tomorrow under the same name.
"""

from __future__ import annotations

import enum
import functools
import os
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import timm
import torch
import torchvision
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils.hooks import RemovableHandle

import course_utils
from course_utils.durable import durable_path
from course_utils.storage import course_home, sha256_bytes

_VERSION = "4"
_KNOWN = (torch, torchvision, timm, course_utils, PIL, np)
_STDLIB = str(Path(functools.__file__).parent)
_FOLDERS = tuple(str(Path(library.__file__).parent) + os.sep for library in _KNOWN)
_OUTSIDE = "outside torch, torchvision and timm"
_NAMES = ("builtins", "collections", "pathlib", *(lib.__name__ for lib in _KNOWN))
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Path, np.generic, range,
          torch.dtype, torch.device, torch.Size, torch.memory_format)  # fmt: skip
# What of a module does not decide its output, or is told elsewhere.
_ASIDE = frozenset("""training num_classes weights_info pretrained_cfg default_cfg
    course_head _backward_hooks _backward_pre_hooks _state_dict_hooks _state_dict_pre_hooks
    _load_state_dict_pre_hooks _load_state_dict_post_hooks _forward_hooks_with_kwargs
    _forward_hooks_always_called _forward_pre_hooks_with_kwargs""".split())  # fmt: skip
_HOOKS = {"_forward_hooks", "_forward_pre_hooks"}
_DENSE = (Tensor, nn.Parameter, nn.Buffer)
_COMPILED = (torch.jit.ScriptModule, torch.jit.ScriptFunction)
_WRAPPED = {staticmethod: "__func__", classmethod: "__func__", property: "fget",
            functools.cached_property: "func", functools.partialmethod: "func"}  # fmt: skip
_CHECKSUM = 32  # bytes, at the end of a file
_said: set[str] = set()


class Untold(ValueError):
    """What something does to a picture cannot be told from how it is described.

    `owner` is the class of the innermost object that holds it.

    >>> from course_utils.feature_cache import Untold
    >>> issubclass(Untold, ValueError)
    True
    """

    owner: str | None = None


def model_parts(model: nn.Module, *, without: tuple[str, ...] = ()) -> Iterator[bytes]:
    """Yield what decides a model's output: its layers with all options, and its state.

    `without` names layers that do not matter. Raises `Untold`, with the layer.

    >>> from torch import nn
    >>> from course_utils.feature_cache import model_parts
    >>> len(list(model_parts(nn.Sequential(nn.ReLU(), nn.Flatten()))))
    3
    """
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        raise Untold("hooks for all modules are set")
    modules = dict(model.named_modules())
    telling = _Telling({id(module): name for name, module in modules.items()})
    for name, module in modules.items():
        if not any(name == n or name.startswith(f"{n}.") for n in without):
            try:
                yield f"{name} {telling.options(module)}".encode()
            except Untold as error:
                place = f"layer {name!r}" if name else "the model"
                raise Untold(f"{place} ({type(module).__name__}): {error}") from None


def transform_parts(dataset: Any) -> Iterator[bytes]:
    """Yield what a dataset's transforms do. Raises `Untold`, with the step.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.feature_cache import transform_parts
    >>> list(transform_parts(load_dataset("flowers", transform=lambda x: x / 255).train))
    Traceback (most recent call last):
    course_utils.feature_cache.Untold: the transform's step function: <lambda> is ...
    """
    for name in ("transform", "transforms", "target_transform"):
        if (transform := getattr(dataset, name, None)) is not None:
            try:
                yield f"{name} {_Telling().told(transform)}".encode()
            except Untold as error:
                step = error.owner or type(transform).__name__
                raise Untold(f"the transform's step {step}: {error}") from None


def check_fingerprint(dataset: Any) -> None:
    """Raise `Untold` where a class gives other pictures than its fingerprint is of.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.feature_cache import check_fingerprint
    >>> check_fingerprint(load_dataset("flowers").train)
    """
    if "fingerprint" in getattr(dataset, "__dict__", {}):
        return
    for kind in type(dataset).__mro__:
        if "fingerprint" in vars(kind):
            return
        if not {"__getitem__", "__getitems__"}.isdisjoint(vars(kind)):
            raise Untold(
                f"the data set's class {kind.__name__} gives pictures of its own under "
                "the fingerprint of another"
            )


def say_once(message: str) -> None:
    """Print a line, the first time only.

    >>> from course_utils.feature_cache import say_once
    >>> for _ in range(2):
    ...     say_once("this disk is full")
    this disk is full
    """
    if message not in _said:
        _said.add(message)
        print(message)


def cache_folder() -> Path:
    """Return the folder where features are kept.

    >>> from course_utils.feature_cache import cache_folder
    >>> cache_folder().name
    'features'
    """
    return course_home() / "features"


def clear_cache() -> int:
    """Delete all cached features; return how many files there were.

    >>> from course_utils.feature_cache import clear_cache
    >>> clear_cache()
    0
    """
    kinds = ("features", "safetensors")  # the second is of older versions
    files = [f for kind in kinds for f in cache_folder().glob(f"[!.]*.{kind}")]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def key_of(*parts: bytes) -> str:
    """Return the name under which features of this are kept.

    >>> from course_utils.feature_cache import key_of
    >>> key_of(b"weights", b"pictures") == key_of(b"weights", b"pictures")
    True
    """
    devices = [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")]
    about = [_VERSION, *(library.__version__ for library in _KNOWN[:3]), *devices]
    return sha256_bytes(repr(about).encode(), *parts)


def read_tensors(key: str) -> dict[str, Tensor] | None:
    """Return what is kept under a key; damage is said, and counts as nothing.

    >>> from course_utils.feature_cache import read_tensors
    >>> read_tensors("no such key") is None
    True
    """
    try:
        data = (cache_folder() / f"{key}.features").read_bytes()
    except OSError:  # not there; or no folder, which is said when it is written to
        return None
    body, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if checksum == _checksum(key, body):
        return load(body)
    print(f"cached features {key[:8]}… are damaged: computing them again")
    return None


def write_tensors(key: str, tensors: dict[str, Tensor]) -> None:
    """Keep tensors under a key; where that fails (a full disk), say so, and go on.

    >>> import torch
    >>> from course_utils.feature_cache import read_tensors, write_tensors
    >>> write_tensors("a key", {"features": torch.ones(2, 3)})
    >>> read_tensors("a key")["features"].shape
    torch.Size([2, 3])
    """
    body = save(tensors)
    try:
        folder = cache_folder()
    except OSError as error:
        say_once(f"features are not cached: {error}")
        return
    try:
        with durable_path(folder / f"{key}.features") as temporary:
            temporary.write_bytes(body + _checksum(key, body))
    except OSError as error:
        say_once(
            f"features could not be cached in {folder}: {error}. Make room there, call "
            "clear_cache(), or set COURSE_HOME to another disk"
        )


def _checksum(key: str, body: bytes) -> bytes:
    return bytes.fromhex(sha256_bytes(key.encode(), body))


class _Telling:
    """Describe values in full; what was described already is named by its number.

    `tree` names modules (by id) that are told one by one, without their children.
    """

    def __init__(self, tree: Mapping[int, str] = types.MappingProxyType({})):
        self._tree, self._seen = tree, dict[int, Any](tree)
        self._kept: list[Any] = []  # so that no other object gets an id that was seen
        self._classes: set[type] = set()

    def told(self, value: Any) -> str:
        """Return one text for all that equals this in every option."""
        if isinstance(value, _PLAIN):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, enum.Enum):
            return str(value)
        if id(value) in self._seen:
            return f"again {self._seen[id(value)]}"
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        return self._told_parts(value)

    def _told_parts(self, value: Any) -> str:
        if isinstance(value, Tensor | np.ndarray):
            return _numbers(value)
        if isinstance(value, set | frozenset):
            return f"set {sorted(map(self.told, value))}"
        if isinstance(value, list | tuple):
            return f"{type(value).__name__} {[self.told(part) for part in value]}"
        if isinstance(value, Mapping):
            pairs = [(self.told(k), self.told(v)) for k, v in value.items()]
            return f"{type(value).__name__} {pairs}"
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.MethodType):
            return f"{self.told(value.__func__)} of {self.told(value.__self__)}"
        if isinstance(value, functools.partial):
            return self.told([value.func, value.args, value.keywords])
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
            return self._function(value)
        return self.options(value)

    def options(self, value: Any) -> str:
        """Return an object's class and all its attributes."""
        owner = self._class(type(value))
        if not hasattr(value, "__dict__") or isinstance(value, _COMPILED):
            raise Untold(f"{type(value).__name__} does not tell its options")
        found = {} if isinstance(value, RemovableHandle) else dict(vars(value))
        if isinstance(value, nn.Module):
            aside = _ASIDE | {"_modules"} if id(value) in self._tree else _ASIDE
            found = {n: v for n, v in found.items() if n not in aside}
            for hooks in _HOOKS & found.keys():  # their keys count what was ever hooked
                found[hooks] = list(found[hooks].values())
        try:
            return f"{owner}{[(n, self.told(option)) for n, option in found.items()]}"
        except Untold as error:
            error.owner = error.owner or type(value).__name__
            raise

    def _class(self, value: type) -> str:
        """Name a class, all of whose code is known."""
        if not _is_ours(value):
            raise Untold(f"{value.__name__} is a class {_OUTSIDE}")
        for base in () if value in self._classes else filter(_is_ours, value.__mro__):
            for name, member in vars(base).items():
                if not _is_known(member):
                    raise Untold(f"{base.__name__}.{name} was replaced")
        self._classes.add(value)
        return f"{value.__module__}.{value.__qualname__}"

    def _function(self, value: Any) -> str:
        if not _is_known(value):
            raise Untold(f"{value.__name__} is a function {_OUTSIDE}")
        cells = getattr(value, "__closure__", None) or ()
        inner = [self.told(cell.cell_contents) for cell in cells]
        return f"{value.__module__}.{value.__qualname__}{inner}"


def _is_ours(value: Any) -> bool:
    return (value.__module__ or "").partition(".")[0] in _NAMES


def _is_known(member: Any) -> bool:
    """Whether what stands in a class is the code of a known library, or no code."""
    member = getattr(member, _WRAPPED.get(type(member), ""), member)
    if isinstance(member, types.FunctionType):
        file = member.__code__.co_filename
        if file.startswith("<string"):  # as dataclasses make them
            return _is_ours(member)
        standard = file.startswith(_STDLIB) and hasattr(member, "__wrapped__")
        return file.startswith(_FOLDERS) or standard and _is_known(member.__wrapped__)
    kind = type(member)
    standard = kind.__module__ in ("functools", "typing", "types", "abc")
    return (
        not callable(member) or isinstance(member, type) or standard or _is_ours(kind)
    )


def _numbers(value: Tensor | np.ndarray) -> str:
    """Return type, shape and checksum of an array's numbers."""
    raw = value
    if type(value) in _DENSE and value.layout == torch.strided:
        raw = value.detach().cpu().reshape(-1).view(torch.uint8).numpy()
    if isinstance(raw, Tensor) or raw.dtype.hasobject:
        raise Untold(f"a {type(value).__name__} within does not tell its numbers")
    return f"{value.dtype} {tuple(value.shape)} {sha256_bytes(raw.tobytes())}"
