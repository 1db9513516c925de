"""What `load_dataset` gives back: three splits, and the report of their making."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision.tv_tensors import TVTensor

from course_utils.arguments import Natural, check_argument
from course_utils.datasets.images import LazyImages, take
from course_utils.datasets.transforms import (
    takes_batches,
    transform_batch,
    wants_pil,
)
from course_utils.errors import DatasetError
from course_utils.training.loaders import Stacked

SPLITS = ("train", "val", "test")


def values_of(attributes: pd.DataFrame | None) -> dict[str, list]:
    """Return the values of each column, sorted within their type, without missing ones."""
    table = pd.DataFrame() if attributes is None else attributes
    return {str(name): _sorted(table[name].dropna().unique()) for name in table}


def _sorted(values: np.ndarray) -> list:
    return sorted(values.tolist(), key=lambda value: (type(value).__name__, value))


class ImageDataset(Dataset):
    """Serve images of one split as (float tensor (3, S, S), class index).

    `images` is a uint8 array (N, S, S, 3), or reads its files when indexed;
    `labels` a LongTensor (N,). `transform` takes a uint8 tensor (3, S, S); without
    one, images come as floats from 0 to 1. `attributes` has a row an image;
    `attribute_values` are the values of each column in all splits together, sorted, so
    that a value has the same number in each of them.
    """

    def __init__(
        self,
        images: np.ndarray | LazyImages,
        labels: Sequence[int] | np.ndarray | torch.Tensor,
        classes: Sequence[str],
        *,
        transform: Callable | None = None,
        attributes: pd.DataFrame | None = None,
        attribute_values: dict[str, list] | None = None,
        hashes: Sequence[str] | None = None,
    ):
        self.images = images
        self.labels = _as_labels(labels)
        self.classes = _as_names(classes)
        self.attributes = attributes
        self.attribute_values = attribute_values or values_of(attributes)
        self.hashes = None if hashes is None else np.array(hashes, dtype=object)
        self.transform = transform
        self._check()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pil = wants_pil(self.transform)
        image = _transformed(self.images[index], self.transform, pil=pil)
        return image, int(self.labels[index])

    def __getitems__(self, indices: list[int]) -> Sequence[tuple[torch.Tensor, int]]:
        """Serve a DataLoader's batch, transformed at once where that is the same."""
        if type(self).__getitem__ is not ImageDataset.__getitem__:
            return [self[index] for index in indices]
        pixels, labels = self.images[indices], self.labels[indices]
        if self.transform is None or takes_batches(self.transform):
            whole = self.transform and partial(transform_batch, self.transform)
            batch = _transformed(pixels, whole)  # (B, 3, S, S)
            return Stacked((batch, labels), partial(zip, batch, labels.tolist()))
        pil = wants_pil(self.transform)
        pictures = [
            _transformed(picture, self.transform, pil=pil) for picture in pixels
        ]
        return list(zip(pictures, labels.tolist(), strict=True))

    def __repr__(self) -> str:
        size = f"{self.image_size} px, {len(self.classes)} classes"
        return f"ImageDataset({len(self)} images, {size})"

    @property
    def image_size(self) -> int:
        """Return the side of the stored images in pixels."""
        return self.images.shape[1]

    @property
    def fingerprint(self) -> str:
        """Return a sha256 over pixels (or the files' pixel hashes) and labels."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        if isinstance(self.images, LazyImages) and self.hashes is not None:
            digest.update("".join(self.hashes).encode())
        else:
            digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(self.labels.numpy().astype("<i8").tobytes())
        return digest.hexdigest()

    def with_transform(self, transform: Callable | None) -> ImageDataset:
        """Return the same images under another transform."""
        other = copy(self)
        other.transform = check_transform(transform)
        return other

    def subset(
        self, indices: Sequence[int] | np.ndarray | torch.Tensor
    ) -> ImageDataset:
        """Return the images at `indices` (whole numbers, or one bool an image)."""
        chosen = self._as_indices(indices)
        rows = None if self.attributes is None else self.attributes.iloc[chosen]
        return ImageDataset(
            take(self.images, chosen),
            self.labels[torch.from_numpy(chosen)],
            self.classes,
            transform=self.transform,
            attributes=None if rows is None else rows.reset_index(drop=True),
            attribute_values=self.attribute_values,
            hashes=None if self.hashes is None else self.hashes[chosen],
        )

    def sample_per_class(self, n: int, *, seed: int = 0) -> ImageDataset:
        """Return `n` images of each class, the same for the same seed.

        A smaller sample lies within a larger one of the same seed. Raises
        `DatasetError` where a class has fewer, and says how many it has.
        """
        _check_per_class(n, self.class_counts())
        check_argument(seed, Natural, "seed")
        labels = self.labels.numpy()
        chosen = []
        for label in range(len(self.classes)):
            members = np.flatnonzero(labels == label)
            order = np.random.default_rng([seed, label]).permutation(len(members))
            chosen.append(members[order[:n]])
        return self.subset(np.sort(np.concatenate(chosen)))

    def class_counts(self) -> dict[str, int]:
        """Count the images of each class."""
        counts = torch.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    def _as_indices(self, indices) -> np.ndarray:
        chosen = np.asarray(indices)
        if chosen.dtype == bool and chosen.shape == (len(self),):
            return np.flatnonzero(chosen)
        if chosen.size == 0:
            return np.zeros(0, np.int64)
        if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
            raise DatasetError(
                f"indices must be whole numbers (n,) or {len(self)} bools, got "
                f"{chosen.dtype} of shape {chosen.shape}"
            )
        if chosen.min() < -len(self) or chosen.max() >= len(self):
            raise DatasetError(
                f"indices reach from {chosen.min()} to {chosen.max()}, "
                f"but there are {len(self)} images"
            )
        return np.where(chosen < 0, chosen + len(self), chosen)

    def _check(self) -> None:
        check_transform(self.transform)
        if getattr(self.images, "dtype", None) != np.uint8:
            raise DatasetError(
                "images must be a uint8 array (N, S, S, 3), got "
                f"{getattr(self.images, 'dtype', type(self.images).__name__)}"
            )
        if len(self.images) != len(self.labels):
            raise DatasetError(
                f"{len(self.images)} images do not fit {len(self.labels)} labels"
            )
        if len(self.images.shape) != 4 or self.images.shape[-1] != 3:
            raise DatasetError(
                f"images must be RGB (N, S, S, 3), got shape {self.images.shape}"
            )
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(
            self.classes
        ):
            raise DatasetError(
                f"labels reach from {self.labels.min()} to {self.labels.max()}, but "
                f"{len(self.classes)} classes allow 0..{len(self.classes) - 1}"
            )


def _transformed(pixels: np.ndarray, transform: Any, *, pil: bool = False) -> Tensor:
    """Turn uint8 (S, S, 3) or (B, S, S, 3) into plain transformed tensors."""
    if pil:
        return transform(Image.fromarray(pixels))
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))
    result = image / 255 if transform is None else transform(image)
    return result.as_subclass(Tensor) if isinstance(result, TVTensor) else result


def _as_labels(labels: Any) -> Tensor:
    """Return class indices (N,) as a LongTensor; whole floats are taken, others not."""
    try:
        found = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DatasetError(f"labels must be class indices (N,): {error}") from error
    if found.numel() == 0:
        return torch.zeros(0, dtype=torch.long)
    whole = found.isfinite().all() and (found == found.long()).all()
    if found.ndim != 1 or found.is_complex() or not whole:
        raise DatasetError(
            "labels must be class indices (N,), whole numbers from 0; got "
            f"{found.dtype} of shape {tuple(found.shape)}, such as {found.flatten()[0]}"
        )
    return found.long()


def _as_names(classes: Any) -> list[str]:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise DatasetError(f"classes must be a list of names, got {classes!r}")
    return list(classes)


def check_transform(transform: Any) -> Any:
    """Return a transform, refusing what cannot be called."""
    if transform is None or callable(transform):
        return transform
    raise DatasetError(
        f"transform must take a picture, as weights_info.transform does; got {transform!r}"
    )


def _check_per_class(n: int, counts: dict[str, int]) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DatasetError(f"images per class must be a whole number from 1, got {n!r}")
    rarest = min(counts, key=counts.get)
    if counts[rarest] < n:
        raise DatasetError(
            f"{n} images per class are not there: class {rarest!r} has "
            f"{counts[rarest]}; ask for at most that many"
        )


@dataclass
class DatasetReport:
    """Say where images came from, how they were split, and what was left out."""

    source: str
    origins: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    ignored: Counter = field(default_factory=Counter)  # files that are no images
    converted: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def ignored_files(self) -> int:
        """How many files were no images; the notes say of which endings."""
        return self.ignored.total()

    def __str__(self) -> str:
        lines = [self.source]
        present = {k: v for k, v in self.origins.items() if v != "absent"}
        for split, origin in present.items():
            lines.append(f"  {split:5} {self.counts.get(split, 0):6,} images, {origin}")
        return "\n".join(lines + [f"  {line}" for line in self._left_out()])

    def _left_out(self) -> list[str]:
        lines = []
        if self.broken:
            lines.append(f"broken, skipped: {len(self.broken)}, {_first(self.broken)}")
        if self.duplicates:
            copies = "copy" if len(self.duplicates) == 1 else "copies"
            listed = _first(self.duplicates)
            lines.append(f"{len(self.duplicates)} {copies} dropped: {listed}")
        if self.converted:
            modes = ", ".join(f"{n} {mode}" for mode, n in self.converted.items())
            lines.append(f"converted to RGB: {modes}")
        return lines + self.notes


def _first(pairs: list[tuple[str, str]], shown: int = 3) -> str:
    listed = "; ".join(f"{what} ({why})" for what, why in pairs[:shown])
    return listed + ("; …" if len(pairs) > shown else "")


@dataclass
class ImageSplits:
    """Hold train, val and test of one dataset.

    `evaluation` is the split to report on, named by `evaluation_name`: the test set
    that came with the data, else the val set that came with it, else the test set
    that was made. `attributes` holds one row an image with its split, or is None.
    """

    name: str
    train: ImageDataset
    val: ImageDataset
    test: ImageDataset
    classes: list[str]
    attributes: pd.DataFrame | None
    report: DatasetReport
    image_size: int
    evaluation_name: str = "test"

    @property
    def evaluation(self) -> ImageDataset:
        """Return the split to report on."""
        return getattr(self, self.evaluation_name)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {len(getattr(self, split))}" for split in SPLITS)
        about = f"{len(self.classes)} classes, {self.image_size} px"
        return f"ImageSplits({self.name}: {sizes}; {about})"


def labels_of(dataset: Dataset, *, most: int | None = None) -> Tensor:
    """Return all labels (N,), without opening pictures where that can be helped.

    Where pictures have to be opened, only the first `most` are.
    """
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1]
    if hasattr(dataset, "labels"):
        return torch.as_tensor(dataset.labels)
    if isinstance(dataset, Subset):
        return labels_of(dataset.dataset)[torch.as_tensor(dataset.indices)]
    if hasattr(dataset, "dataset"):  # a wrapper that adds something to each picture
        return labels_of(dataset.dataset, most=most)
    if not hasattr(dataset, "__getitem__") or isinstance(dataset, str):
        raise TypeError(f"dataset is a {type(dataset).__name__}, which holds no labels")
    count = len(dataset) if most is None else min(most, len(dataset))
    return torch.tensor([int(dataset[i][1]) for i in range(count)])
