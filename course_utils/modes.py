"""Run a model: in eval mode, given back as it was; errors that speak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


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


@contextmanager
def explained_channels() -> Iterator[None]:
    """Say what to do where images have other channels than the first convolution takes.

    Torch's `RuntimeError` becomes a `ValueError`; other errors pass.
    """
    try:
        yield
    except RuntimeError as error:
        if (found := _CHANNELS.search(str(error))) is None:
            raise
        wanted, given = found.groups()
        raise ValueError(
            f"images have {given} channels, but the model takes {wanted}: load them with "
            'load_dataset, or convert them with image.convert("RGB"); a batch is '
            "(B, C, H, W)"
        ) from error
