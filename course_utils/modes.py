"""Eval and train mode: kept, and given back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's first parameter or buffer lies; the CPU if it has none.

    >>> from torch import nn
    >>> from course_utils.modes import device_of
    >>> device_of(nn.Linear(8, 5, device="meta")), device_of(nn.ReLU())
    (device(type='meta'), device(type='cpu'))
    """
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Put each module of a model back into its mode afterwards, also after an error.

    >>> from torch import nn
    >>> from course_utils.modes import modes_kept
    >>> model = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(8).eval())
    >>> with modes_kept(model):
    ...     model = model.eval()
    >>> [layer.training for layer in model]
    [True, False]
    """
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

    >>> import torch
    >>> from torch import nn
    >>> from course_utils.modes import inference
    >>> model = nn.Sequential(nn.Linear(8, 5), nn.Dropout())
    >>> with inference(model) as device:
    ...     logits = model(torch.zeros(2, 8, device=device))
    >>> logits.requires_grad, model.training
    (False, True)
    """
    with modes_kept(model):
        model.eval()
        with torch.inference_mode():
            yield device_of(model)
