"""Eval and train mode: kept, and given back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's first parameter or buffer lies; the CPU if it has none."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Put each module of a model back into its mode afterwards, also after an error."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def inference(model: nn.Module) -> Iterator[torch.device]:
    """Hold a model in eval mode without gradients; yield its device (`device_of`).

    BatchNorm uses its statistics and does not move them. Afterwards, also after an
    error, each module is in the mode that it was in.
    """
    with modes_kept(model):
        model.eval()
        with torch.inference_mode():
            yield device_of(model)
