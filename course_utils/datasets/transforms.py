"""Training augmentation, and what can be told about a transform by looking at it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch.utils.data import Dataset
from torchvision.transforms import v2

from course_utils.arguments import Count, Ratio, Share, checked
from course_utils.rgb import ToRGB

_PIL_ONLY = {"ToTensor", "PILToTensor", "MaybeToTensor", "MaybePILToTensor", "ToNumpy"}
_SAME_IN_BATCHES = (
    v2.CenterCrop,
    v2.Identity,
    v2.Normalize,
    v2.Resize,
    v2.ToDtype,
    v2.ToImage,
    ToRGB,
)


@checked
def training_transform(
    weights_info,
    image_size: Count,
    *,
    min_scale: Ratio = 0.5,
    flip: Share = 0.5,
    jitter: Share = 0.2,
) -> v2.Compose:
    """Return augmentation for training: crop, flip, colour; then the weights' own
    normalisation.

    `min_scale` is the smallest share of the picture's area that a crop keeps, `flip`
    the probability of a mirror image (0 where left and right matter), `jitter` the
    strength of brightness, contrast and saturation changes (0 to 1).

    Raises `ValueError` for values outside 0..1.
    """
    if not hasattr(weights_info, "normalize"):
        raise TypeError(
            f"weights_info is a {type(weights_info).__name__}: give model.weights_info"
        )
    return v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(image_size, scale=(min_scale, 1.0), antialias=True),
            v2.RandomHorizontalFlip(flip),
            v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter),
            *_to_floats(weights_info),
        ]
    )


def _to_floats(weights_info) -> list:
    return [v2.ToDtype(torch.float32, scale=True), weights_info.normalize]


def is_random(transform: Any) -> bool:
    """Tell whether a transform may answer the same image differently twice.

    Judged by the class names of torchvision's and timm's own transforms (Random…,
    ColorJitter, …Augment, …) and their subclasses, wherever they stand: in a Compose, an
    nn.Sequential, a list, an object or a function that holds them. A function of your
    own that draws numbers itself counts as not random.
    """
    return any(_is_random_step(step) for step in steps(transform))


def draws_views(dataset) -> bool:
    """Tell whether a dataset may give the same picture differently twice.

    Looks at all that the dataset calls (its transform, under whatever name), and at the
    datasets that it is made of (Subset, ConcatDataset, wrappers with `.dataset`), as
    `is_random` judges them.
    """
    own = getattr(dataset, "__dict__", {})
    called = [getattr(dataset, name, None) for name in ("transform", "transforms")]
    called += [value for value in own.values() if callable(value)]
    if any(transform is not None and is_random(transform) for transform in called):
        return True
    parts = [value for value in own.values() if isinstance(value, Dataset)]
    parts += [*getattr(dataset, "datasets", ()), getattr(dataset, "dataset", None)]
    return any(draws_views(part) for part in parts if part is not None)


@checked
def check_views(dataset, views: Count, *, otherwise: str = "") -> None:
    """Refuse to keep one view of pictures that come differently each time.

    `otherwise` names one more way out. Raises `ValueError`.
    """
    if views == 1 and draws_views(dataset):
        raise ValueError(
            "the transform is random (augmentation), and what is kept would belong to "
            "one version of each picture, for ever: take several views, or a transform "
            f"without chance{otherwise}"
        )


def _is_random_step(step: Any) -> bool:
    """By the names of its classes, and by options that timm's steps draw with."""
    names = [base.__name__ for base in type(step).__mro__]
    if any("Drop" in name for name in names):
        return getattr(step, "training", True)
    options = getattr(step, "__dict__", {}).items()
    chances = (value for name, value in options if name.endswith("_prob"))
    return (
        any(map(_draws, names))
        or isinstance(getattr(step, "interpolation", None), tuple | list)
        or any(isinstance(chance, int | float) and chance > 0 for chance in chances)
    )


def _draws(name: str) -> bool:
    return (
        name.startswith(("Random", "Auto", "Trivial", "AugMix", "Gaussian", "Elastic"))
        or "Jitter" in name
        or name in {"RandAugment", "ScaleJitter", "MixUp", "CutMix", "JPEG"}
    )


def steps(transform: Any) -> Iterator[Any]:
    """Yield a transform and all that it is made of, at any depth.

    Those are the callables that it holds: in a container of torchvision or torch, a list
    or a dictionary, as attributes, in a partial or a closure, or by a global name that a
    function uses.
    """
    seen: set[int] = set()
    waiting = [transform]
    while waiting:
        step = waiting.pop()
        if isinstance(step, list | tuple | dict):
            parts = step.values() if isinstance(step, dict) else step
        else:
            yield step
            parts = _held_by(step)
        if id(step) not in seen:
            seen.add(id(step))
            waiting += [part for part in parts if _may_hold(part)][::-1]


def _held_by(step: Any) -> list[Any]:
    if isinstance(step, MethodType):
        return [step.__self__]
    if isinstance(step, partial):
        return [step.func, step.args, step.keywords]
    if isinstance(step, FunctionType):
        found = inspect.getclosurevars(step)
        used = [x for x in found.globals.values() if not isinstance(x, FunctionType)]
        return [*found.nonlocals.values(), *used]
    return list(getattr(step, "__dict__", {}).values())


def _may_hold(value: Any) -> bool:
    if isinstance(value, list | tuple | dict):
        return bool(value)
    return callable(value) and not isinstance(value, type)


def wants_pil(transform) -> bool:
    """Tell whether a transform starts from PIL images only (as timm's do)."""
    return any(type(step).__name__ in _PIL_ONLY for step in steps(transform))


def takes_batches(transform) -> bool:
    """Tell whether (B, 3, S, S) at once gives what image by image would give."""
    parts = (step for step in steps(transform) if type(step) is not v2.Compose)
    return all(type(step) in _SAME_IN_BATCHES for step in parts)


def transform_batch(transform: v2.Transform, images: torch.Tensor) -> torch.Tensor:
    """Return transform(images) of one that `takes_batches`; floats are normalised in place.

    They are made on the way (pictures are uint8), and room for a second batch of them
    takes longer than the arithmetic.
    """
    if type(transform) is v2.Compose:
        for step in transform.transforms:
            images = transform_batch(step, images)
        return images
    if type(transform) is v2.Normalize:
        options = {"mean": list(transform.mean), "std": list(transform.std)}
        return v2.functional.normalize(images, **options, inplace=True)
    return transform(images)
