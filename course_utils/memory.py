"""Memory of tensors: how many bytes live at once, on any device, also on meta."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.arguments import checked
from course_utils.meta_tensors import check_model
from course_utils.tracing import tensors_in


class StorageMeter(TorchDispatchMode):
    """Count the bytes of all tensors that come to life within a `with` block.

    `alive` is what lives now, `peak` the most that lived at once. Views share their
    storage, which counts once; workspaces inside an operator and what an allocator
    keeps back are not seen. Tensors that lived before are not counted.

    >>> import torch
    >>> from course_utils.memory import StorageMeter
    >>> with StorageMeter() as meter:
    ...     batch = torch.zeros(1000)
    ...     total = (batch + 1).sum()
    >>> meter.peak, meter.alive
    (8004, 4004)
    """

    def __init__(self):
        super().__init__()
        self.alive = self.peak = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        self._known.update(
            t.untyped_storage() for t in tensors_in([args, kwargs or {}])
        )
        outputs = func(*args, **(kwargs or {}))
        for tensor in tensors_in(outputs):
            self._meet(tensor)
        return outputs

    def _meet(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._forget, size).atexit = False

    def _forget(self, size: int) -> None:
        self.alive -= size


def tensor_bytes(tensors: Iterable[Tensor]) -> int:
    """Sum the sizes of tensors; one that occurs twice counts once.

    >>> import torch
    >>> from course_utils.memory import tensor_bytes
    >>> weight = torch.zeros(10, 10)
    >>> tensor_bytes([weight, weight, torch.zeros(10)])
    440
    """
    return sum(t.nbytes for t in {id(t): t for t in tensors}.values())


@checked
def state_bytes(model: nn.Module) -> int:
    """Return the bytes of a model's parameters and buffers.

    >>> from torch import nn
    >>> from course_utils.memory import state_bytes
    >>> state_bytes(nn.BatchNorm2d(8))  # 4 x 8 float32, and the count of batches
    136
    """
    check_model(model)
    return tensor_bytes([*model.parameters(), *model.buffers()])
