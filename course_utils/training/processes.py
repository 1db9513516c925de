"""One process, or several that train one net together: Accelerate's, behind one face."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from course_utils.training.loaders import length_of

_TOGETHER = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU", "MULTI_NPU", "MULTI_HPU")


class Alone:
    """What a run asks of its processes, where there is one."""

    main, count = True, 1
    device: torch.device | None = None

    def wrapped(self, model: nn.Module) -> nn.Module:
        """Return what the batches go through."""
        return model

    def shard(self, loader: Iterable, *, even: bool) -> Iterable:
        """Return this process's part of the batches; `even`: as many in each process."""
        return loader

    def gathered(self, value: Any) -> list:
        """Return the values that all processes have."""
        return [value]

    def real(self, loader: Iterable, number: int, size: int) -> tuple[int, float]:
        """Pictures of a batch that are no repeats, and their mean over the processes.

        `loader` is the whole one, `number` counts from 1, `size` is what came.
        """
        return size, size

    def quiet(self, learner: nn.Module) -> AbstractContextManager:
        """Return a context in which gradients are not yet shared."""
        return nullcontext()

    def wait(self) -> None:
        """Wait for the others."""


class Together:
    """The same for the processes that `accelerate launch` started.

    A loader's batch size is that of one process. Batches go round: the first to the first
    process. The last round is filled up with repeats, which count for nothing.
    """

    def __init__(self, accelerator: Any):
        kind = getattr(getattr(accelerator, "distributed_type", None), "name", None)
        if kind is None:
            raise TypeError(
                f"accelerator is a {type(accelerator).__name__}: hand over "
                "accelerate.Accelerator()"
            )
        if kind not in _TOGETHER:
            raise ValueError(
                f"{kind} keeps weights or optimizer in parts, which this loop does not: "
                "write the loop with Accelerate itself, or launch without it"
            )
        self._accelerator = accelerator
        self.main, self.count = accelerator.is_main_process, accelerator.num_processes
        self.device = accelerator.device
        self._rank = accelerator.process_index
        self._known: dict[tuple[int, bool], tuple] = {}  # shards, with what they are of

    def wrapped(self, model: nn.Module) -> nn.Module:
        # Not by prepare_model: it would change the net's own forward, and keep it.
        if self.count == 1:
            return model
        handler = getattr(self._accelerator, "ddp_handler", None)
        options = {} if handler is None else handler.to_kwargs()
        ids = None if self.device.type == "cpu" else [self.device]
        return DistributedDataParallel(model, device_ids=ids, **options)

    def shard(self, loader: Iterable, *, even: bool) -> Iterable:
        from accelerate.data_loader import prepare_data_loader

        if self.count == 1:
            return loader
        if not isinstance(loader, DataLoader):
            raise TypeError(
                f"several processes share out the batches of a DataLoader, not of a "
                f"{type(loader).__name__}: make it with make_loader(dataset)"
            )
        key = (id(loader), even)
        if key not in self._known:
            part = prepare_data_loader(
                loader, num_processes=self.count, process_index=self._rank,
                rng_types=["generator"], dispatch_batches=False, even_batches=even,
            )  # fmt: skip
            self._known[key] = (part, loader)
        return self._known[key][0]

    def gathered(self, value: Any) -> list:
        from accelerate.utils import gather_object

        return gather_object([value])

    def real(self, loader: Iterable, number: int, size: int) -> tuple[int, float]:
        pictures = length_of(getattr(loader, "sampler", None))
        if self.count == 1 or pictures is None or loader.batch_size is None:
            return size, size
        start = (number - 1) * self.count * loader.batch_size
        left = min(pictures - start, self.count * loader.batch_size)
        own = min(max(left - self._rank * loader.batch_size, 0), loader.batch_size)
        return own, left / self.count

    def quiet(self, learner: nn.Module) -> AbstractContextManager:
        return nullcontext() if self.count == 1 else learner.no_sync()

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()
