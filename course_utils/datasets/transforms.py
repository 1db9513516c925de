"""Training augmentation, and what can be told about a transform by looking at it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torchvision.transforms import v2

_PIL_ONLY = {"ToTensor", "PILToTensor", "MaybeToTensor", "MaybePILToTensor", "ToNumpy"}
_SAME_IN_BATCHES = (
    v2.CenterCrop,
    v2.Identity,
    v2.Normalize,
    v2.Resize,
    v2.ToDtype,
    v2.ToImage,
)


def training_transform(
    weights_info,
    image_size: int,
    *,
    min_scale: float = 0.5,
    flip: float = 0.5,
    jitter: float = 0.2,
) -> v2.Compose:
    """Return augmentation for training: crop, flip, colour; then the weights' own
    normalisation.

    `min_scale` is the smallest share of the picture's area that a crop keeps, `flip`
    the probability of a mirror image (0 where left and right matter), `jitter` the
    strength of brightness, contrast and saturation changes (0 to 1).

    Raises `ValueError` for values outside 0..1.
    """
    for name, value in (("min_scale", min_scale), ("flip", flip), ("jitter", jitter)):
        if not 0 <= value <= 1 or (name == "min_scale" and value == 0):
            raise ValueError(f"{name} must lie within 0..1, got {value}")
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


def is_random(transform) -> bool:
    """Tell whether a transform may answer the same image differently twice.

    Judged by the class names of torchvision's own transforms (Random…, ColorJitter,
    …Augment, …); a function of your own counts as not random.
    """
    return any(_draws(type(step).__name__) for step in steps(transform))


def draws_views(dataset) -> bool:
    """Tell whether a dataset may give the same picture differently twice.

    Looks at the transforms of the dataset and of those that it is made of (Subset,
    ConcatDataset, wrappers with `.dataset`), as `is_random` judges them.
    """
    own = (getattr(dataset, name, None) for name in ("transform", "transforms"))
    if any(transform is not None and is_random(transform) for transform in own):
        return True
    inner = getattr(dataset, "dataset", None)
    parts = [*getattr(dataset, "datasets", ()), *([] if inner is None else [inner])]
    return any(draws_views(part) for part in parts)


def check_views(dataset, views: int, *, otherwise: str = "") -> None:
    """Refuse to keep one view of pictures that come differently each time.

    `otherwise` names one more way out. Raises `ValueError`.
    """
    if views < 1:
        raise ValueError(f"views must be at least 1, got {views}")
    if views == 1 and draws_views(dataset):
        raise ValueError(
            "the transform is random (augmentation), and what is kept would belong to "
            "one version of each picture, for ever: take several views, or a transform "
            f"without chance{otherwise}"
        )


def _draws(name: str) -> bool:
    return (
        name.startswith(("Random", "Auto", "Trivial", "AugMix", "Gaussian", "Elastic"))
        or "Jitter" in name
        or name in {"RandAugment", "ScaleJitter", "MixUp", "CutMix", "JPEG"}
    )


def steps(transform) -> Iterator:
    """Yield the single transforms that a composed one is made of."""
    parts = getattr(transform, "transforms", None)
    if parts is None:
        yield transform
        return
    yield transform
    for part in parts:
        yield from steps(part)


def wants_pil(transform) -> bool:
    """Tell whether a transform starts from PIL images only (as timm's do)."""
    return any(type(step).__name__ in _PIL_ONLY for step in steps(transform))


def takes_batches(transform) -> bool:
    """Tell whether (B, 3, S, S) at once gives what image by image would give."""
    parts = [step for step in steps(transform) if type(step) is not v2.Compose]
    return all(type(step) in _SAME_IN_BATCHES for step in parts)
