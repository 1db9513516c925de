"""Run a model in eval mode and give it back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def inference(model: nn.Module) -> Iterator[torch.device]:
    """Hold a model in eval mode without gradients; yield its device.

    BatchNorm uses its statistics and does not move them. Afterwards, also after an
    error, each module is in the mode that it was in.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            yield next(model.parameters()).device
    finally:
        for module, training in modes.items():
            module.training = training
