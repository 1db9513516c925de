"""Latency of a model on this machine: warm-up, median, spread, threads stated."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torchvision import models
from tqdm import tqdm

from course_utils.architectures import build, parse_name
from course_utils.arguments import Amount, Count, Natural, checked
from course_utils.meta_tensors import check_model, default_input_size, dtype_of
from course_utils.modes import device_of, inference
from course_utils.zoo.machine import device_name

FEWEST = 3  # passes that are timed even where the time is up


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass: median, 10th and 90th percentile.

    >>> from course_utils.zoo import Latency
    >>> found = Latency(8.0, 7.5, 9.1, batch_size=4, image_size=224, repeats=30, threads=2,
    ...                 device="cpu", machine="a laptop")
    >>> print(found)
    8.0 ms (7.5 to 9.1), batch of 4, 224 px, cpu, 2 threads, a laptop
    >>> found.images_per_second
    500.0
    """

    median_ms: float
    low_ms: float
    high_ms: float
    batch_size: int
    image_size: int
    repeats: Count
    threads: int
    device: str
    machine: str

    @property
    def images_per_second(self) -> float:
        """Images in a second at the median, in batches of this size."""
        return 1000 * self.batch_size / self.median_ms

    def __str__(self) -> str:
        return (
            f"{self.median_ms:.1f} ms ({self.low_ms:.1f} to {self.high_ms:.1f}), batch "
            f"of {self.batch_size}, {self.image_size} px, {self.device}, "
            f"{self.threads} thread{'s' if self.threads > 1 else ''}, {self.machine}"
        )


@checked
def measure_latency(
    model: nn.Module | str,
    *,
    batch_size: Count = 1,
    image_size: Count | None = None,
    repeats: Count = 30,
    warmup: Natural = 5,
    threads: Count | None = None,
    device: str | torch.device = "cpu",
    max_seconds: Amount | None = None,
    progress: bool = False,
) -> Latency:
    """Time forward passes of a model, or of an architecture by name (random weights).

    The passes are in eval mode and without gradients, on noise of shape (batch_size, C,
    S, S). S is `image_size`, by default the crop size of the default weights or what
    the model is meant for. The first `warmup` passes do not count. After `max_seconds`
    no more than three passes in all are timed. `threads` (as they are, if None) hold
    for the measurement only.

    A model comes back in its mode, on its device, and its BatchNorm does not move.
    Raises `ValueError` for counts that make no sense.

    >>> from course_utils.weights import build_bundled
    >>> from course_utils.zoo import measure_latency
    >>> found = measure_latency(build_bundled("test_vit", num_classes=5), repeats=3)
    >>> found.image_size, found.repeats, found.low_ms <= found.median_ms <= found.high_ms
    (64, 3, True)
    """
    if isinstance(model, str):
        image_size = image_size or native_size(model)
        model = build_at(model, image_size)
    check_model(model)
    model = _on(model, _device(device))
    channels, side, _ = default_input_size(model)
    side = image_size or side
    images = torch.rand(batch_size, channels, side, side, device="cpu")
    with _threads(threads) as used, inference(model) as place:
        images = images.to(place, dtype_of(model))
        times = _time(model, images, repeats, warmup, max_seconds, progress)
    low, median, high = (float(ms) for ms in np.percentile(times, [10, 50, 90]))
    return Latency(
        median, low, high, batch_size, images.shape[-1], len(times), used,
        str(place), device_name(place),
    )  # fmt: skip


def native_size(name: str) -> int | None:
    """Return the crop size of an architecture's default weights; None for timm's.

    A timm model carries its size in its configuration.
    """
    library, model_name, _ = parse_name(name)
    if library == "timm":
        return None
    return models.get_model_weights(model_name).DEFAULT.transforms().crop_size[0]


def build_at(name: str, image_size: Count | None) -> nn.Module:
    """Build an architecture with random weights, for images of a size.

    Only a ViT has weights, its positions, whose number depends on the size.
    """
    library, model_name, _ = parse_name(name)
    options = {}
    if library == "torchvision" and image_size and model_name.startswith("vit_"):
        options["image_size"] = image_size
    if library == "torchvision" and model_name in ("googlenet", "inception_v3"):
        options["init_weights"] = (
            False  # theirs takes a minute, and no time depends on it
        )
    return build(name, **options)


def _device(device: str | torch.device) -> torch.device:
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device must be such as 'cpu' or 'cuda': {device!r}"
        ) from error


def _on(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model if it is on the device, else a copy that is."""
    if device_of(model).type == device.type:
        return model
    return copy.deepcopy(model).to(device)


def _time(model, images, repeats, warmup, max_seconds, progress) -> list[float]:
    """Return milliseconds of each pass."""
    for _ in range(warmup):
        _one_pass(model, images)
    times, started = [], time.perf_counter()
    for done in tqdm(range(repeats), unit="pass", disable=not progress):
        spent = time.perf_counter() - started
        if max_seconds is not None and done >= FEWEST and spent > max_seconds:
            break
        times.append(_one_pass(model, images))
    return times


def _one_pass(model: nn.Module, images: torch.Tensor) -> float:
    """Return the milliseconds of one pass; an accelerator is waited for."""
    start = time.perf_counter()
    model(images)
    if images.device.type != "cpu":
        torch.accelerator.synchronize(images.device)
    return 1000 * (time.perf_counter() - start)


@contextmanager
def _threads(threads: Count | None) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
