"""What a transform does to a picture, read off it: normalisation and side."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils.datasets.transforms import steps
from course_utils.weights import WeightsInfo


class Preprocessing(NamedTuple):
    """What a net expects of its pictures: per-channel mean and deviation, and size.

    `size` is (height, width) in pixels, or None for any.

    >>> from torchvision.transforms import v2
    >>> from course_utils.datasets import preprocessing
    >>> steps = [v2.Resize((64, 64)), v2.Normalize([0.5], [0.25])]
    >>> found = preprocessing(v2.Compose(steps))
    >>> found.size, found.mean, found.std
    ((64, 64), (0.5,), (0.25,))
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    size: tuple[int, int] | None = None
    interpolation: str = "bilinear"


def preprocessing(source: Any) -> Preprocessing:
    """Read normalisation and side off a `WeightsInfo`, or a torchvision transform.

    Raises `ValueError` for a transform with a step that is not torchvision's or timm's,
    or a Lambda: what it does to a picture cannot be undone.

    >>> from course_utils.datasets import preprocessing
    >>> from course_utils.weights import find_weights
    >>> preprocessing(find_weights("test_resnet", weights="bundled")).size
    (64, 64)
    >>> preprocessing(lambda picture: picture)
    Traceback (most recent call last):
        ...
    ValueError: cannot read what function does to a picture: give the weights_info, or a
    transform made of torchvision's steps
    """
    if isinstance(source, WeightsInfo):
        size = source.input_size
        return Preprocessing(
            _floats(source.mean), _floats(source.std), size, source.interpolation
        )
    found: dict[str, Any] = {}
    for step in steps(source):
        name = type(step).__name__
        library = type(step).__module__.partition(".")[0]
        if type(step) in (nn.Sequential, nn.ModuleList):
            continue
        if library not in ("torchvision", "timm", "course_utils") or name == "Lambda":
            raise ValueError(
                f"cannot read what {name} does to a picture: give the weights_info, or "
                "a transform made of torchvision's steps"
            )
        if name == "Normalize":
            found |= {"mean": _floats(step.mean), "std": _floats(step.std)}
        elif name in ("Resize", "CenterCrop", "RandomResizedCrop", "RandomCrop"):
            found["size"] = _size(step.size)
        if mode := getattr(step, "interpolation", None):
            found["interpolation"] = getattr(mode, "value", "bilinear")
    return Preprocessing(**found)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(torch.as_tensor(values).flatten().tolist())


def _size(size: Any) -> tuple[int, int]:
    sides = [size] if isinstance(size, int) else list(size)
    return sides[0], sides[-1]
