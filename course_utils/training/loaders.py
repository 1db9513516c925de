"""Loaders: a dataset in batches, by workers or not, in an order that can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    default_collate,
)

from course_utils.arguments import Count, Natural, checked
from course_utils.training.workers import Loader


class Stacked(Sequence):
    """A batch that its dataset made at once; as a sequence, its pictures one by one.

    A loader of `make_loader` hands `batch` on as it is; others read the sequence, which
    is taken apart (by `items`) only then.
    """

    def __init__(self, batch: Sequence, items: Callable[[], Iterable]):
        self.batch, self._make = list(batch), items

    @cached_property
    def _items(self) -> list:
        return list(self._make())

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index):
        return self._items[index]


def collate(items: Sequence) -> Any:
    """Make a batch of a dataset's items, as `default_collate` does."""
    return items.batch if isinstance(items, Stacked) else default_collate(items)


@checked(own=("dataset", "sampler"))
def make_loader(
    dataset: Dataset | Sequence,
    *,
    batch_size: Count = 64,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    sampler: Sampler | Sequence[int] | None = None,
    workers: Natural = 0,
) -> DataLoader:
    """Batch a dataset; the order of a shuffled loader is drawn from its own seed.

    `drop_last` leaves out a last batch that is not full: BatchNorm cannot learn from one
    picture. `sampler` decides which pictures come and in which order, instead of
    `shuffle`; one that has no generator of its own draws from `seed` too.

    With `workers`, so many other processes read the pictures ahead; they stay from epoch
    to epoch. The order is the same with and without them. What a transform draws in them
    follows from `seed` and the epoch alone, whatever their number, so that a run that is
    resumed sees the same crops. Where they cannot be started, a line says why, and this
    process reads. Batches are in pinned memory where there is a CUDA device.

    Raises `ValueError` for an empty dataset, and for a sampler that does not suit it.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.training import make_loader
    >>> flowers = load_dataset("flowers", per_class=2, image_size=32).train
    >>> images, labels = next(iter(make_loader(flowers, batch_size=4, shuffle=True)))
    >>> tuple(images.shape), tuple(labels.shape)
    ((4, 3, 32, 32), (4,))
    """
    _check_dataset(dataset, workers)
    generator = torch.Generator().manual_seed(seed)
    if sampler is not None:
        sampler = _suited(sampler, dataset, shuffle, generator)
    return Loader(
        dataset, batch_size, shuffle=shuffle, sampler=sampler, drop_last=drop_last,
        generator=generator, collate_fn=collate, workers=workers,
    )  # fmt: skip


def _check_dataset(dataset: Any, workers: int) -> None:
    listed = hasattr(dataset, "__getitem__") or isinstance(dataset, Iterable)
    if not listed or isinstance(dataset, str | Tensor | Mapping):
        raise TypeError(
            f"dataset is a {type(dataset).__name__}, not a dataset of pairs"
        )
    if hasattr(dataset, "__len__") and not len(dataset):
        raise ValueError("the dataset is empty: there is nothing to batch")
    if workers and isinstance(dataset, IterableDataset):
        raise ValueError(
            "workers: each of them would give all pictures of an IterableDataset; take "
            "workers=0, or share them out with torch's own DataLoader"
        )


def _suited(sampler: Any, dataset: Any, shuffle: bool, generator: torch.Generator):
    """A sampler that suits the dataset, with a generator; a list of places as it is."""
    if shuffle:
        raise ValueError("a sampler decides the order: leave out shuffle=True")
    count = len(dataset)
    if not isinstance(sampler, Sampler):
        return _places(sampler, count)
    if isinstance(sampler, BatchSampler):
        raise TypeError("sampler gives batches: hand over the sampler within it")
    if not isinstance(sampler, Sized):
        raise TypeError(
            f"sampler ({type(sampler).__name__}) has no length: give it __len__, how many "
            "pictures an epoch has"
        )
    if not len(sampler):
        raise ValueError("sampler is empty: an epoch would have no picture")
    for name in ("weights", "data_source", "dataset"):
        there = getattr(sampler, name, None)
        if isinstance(there, Sized) and len(there) != count:
            raise ValueError(
                f"sampler was made for {len(there)} pictures (its {name}), the dataset has "
                f"{count}: make it of this dataset"
            )
    _places(getattr(sampler, "indices", range(count)), count)
    if getattr(sampler, "generator", generator) is None:
        sampler.generator = generator
    return sampler


def _places(indices: Any, count: int) -> list[int]:
    """Places in a dataset as whole numbers, each of them there."""
    if not isinstance(indices, Sequence | Tensor | np.ndarray) or isinstance(
        indices, str
    ):
        raise TypeError(
            f"sampler is a {type(indices).__name__}: give a torch Sampler, or a list of "
            "places in the dataset"
        )
    found = np.asarray(indices)
    if found.ndim != 1 or not found.size or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            "sampler must name places in the dataset (n,), whole numbers; got "
            f"{found.dtype} of shape {found.shape}"
        )
    if not -count <= found.min() <= found.max() < count:
        raise ValueError(
            f"sampler reaches from {found.min()} to {found.max()}, the dataset has "
            f"{count} pictures"
        )
    return found.tolist()


def check_loader(loader: Any, name: str = "loader") -> None:
    """Raise `TypeError` for what is not batches that can be gone through again.

    And `ValueError` for none of them.
    """
    if isinstance(loader, Dataset) and not isinstance(loader, IterableDataset):
        given = f"a dataset ({type(loader).__name__}), not batches"
    elif not isinstance(loader, Iterable) or isinstance(loader, str | Mapping | Tensor):
        given = f"a {type(loader).__name__}, not batches"
    elif isinstance(loader, Iterator):
        given = f"a {type(loader).__name__}, which can be gone through only once"
    elif length_of(loader) == 0:
        raise ValueError(f"{name}: the loader is empty, it has no batch")
    else:
        return
    raise TypeError(f"{name} is {given}: make it with make_loader(dataset)")


def length_of(loader: Iterable) -> int | None:
    """Return how many batches a loader gives; None where it does not know (a stream)."""
    try:
        return len(loader)
    except TypeError:
        return None
