"""Splits without leaks: no image on both sides, made ones stratified and seeded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from course_utils.datasets.containers import (
    SPLITS,
    DatasetReport,
    ImageDataset,
    ImageSplits,
    values_of,
)
from course_utils.datasets.images import LazyImages, stack, take
from course_utils.errors import DatasetError

SHARE = 0.15  # of the training images, for each split that has to be made


@dataclass
class Pool:
    """Hold the images of one split as a source gave them.

    `keys` are hashes of what was stored (file or pixels), so that a split made from
    them stays the same at every image size; `hashes` are those of the pixels at the
    size in use; `names` are for reports.
    """

    images: np.ndarray | LazyImages
    labels: np.ndarray
    keys: list[str]
    hashes: list[str]
    names: list[str]
    attributes: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Pool:
        """Return the chosen images."""
        rows = None if self.attributes is None else self.attributes.iloc[indices]
        return Pool(
            take(self.images, indices),
            self.labels[indices],
            [self.keys[i] for i in indices],
            [self.hashes[i] for i in indices],
            [self.names[i] for i in indices],
            None if rows is None else rows.reset_index(drop=True),
        )


# The side that pictures have, or what finds it out where that costs time.
Native = int | None | Callable[[], int | None]


@dataclass
class Source:
    """Hold what a source knows of a dataset: its pools by split, classes, report.

    `evaluation_only` keeps a source that has a test set alone from being split.
    """

    name: str
    classes: list[str]
    pools: dict[str, Pool]
    report: DatasetReport
    image_size: int
    evaluation_only: bool = False
    given: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        self.given = tuple(split for split in SPLITS if split in self.pools)


def make_splits(
    source: Source, *, transform: Callable, seed: int, per_class: int | None
) -> ImageSplits:
    """Turn a source into train, val and test without images in common."""
    if source.evaluation_only and per_class is not None:
        raise DatasetError(
            f"{source.name!r} is a test set alone: it has no train for per_class"
        )
    pools = drop_contradictions(source.pools, source.report)
    pools = drop_shared(pools, source.report)
    origins = dict.fromkeys(source.given, "given")
    if not source.evaluation_only:
        _check_train(pools["train"], source)
        pools, made = carve_missing(pools, seed=seed, report=source.report)
        origins |= made
        if made:
            origins["train"] = f"given, less the made {' and '.join(sorted(made))}"
            _note_unmade(pools, list(made), source)
    values = _attribute_values(pools)
    datasets = {
        split: _as_dataset(pools.get(split), source, transform, values)
        for split in SPLITS
    }
    if per_class is not None:
        datasets["train"] = _sampled(datasets["train"], per_class, seed, source)
    for split in SPLITS:
        source.report.origins[split] = origins.get(split, "absent")
        source.report.counts[split] = len(datasets[split])
    return ImageSplits(
        name=source.name,
        **datasets,
        classes=source.classes,
        attributes=_all_attributes(datasets),
        report=source.report,
        image_size=source.image_size,
        evaluation_name=evaluation_name(source.given),
    )


def evaluation_name(given: tuple[str, ...]) -> str:
    """Name the split to report on: given test, else given val, else made test."""
    return "val" if "val" in given and "test" not in given else "test"


def drop_contradictions(
    pools: dict[str, Pool], report: DatasetReport
) -> dict[str, Pool]:
    """Drop pictures that lie in two classes from all of them, and say which they are."""
    found: dict[str, dict[int, str]] = {}
    for pool in pools.values():
        for key, label, name in zip(pool.hashes, pool.labels, pool.names, strict=True):
            found.setdefault(key, {}).setdefault(int(label), name)
    torn = {key: by_label for key, by_label in found.items() if len(by_label) > 1}
    if not torn:
        return pools
    listed = [" and ".join(by_label.values()) for by_label in torn.values()]
    more = "; …" if len(listed) > 3 else ""
    report.notes.append(
        f"one picture in two classes, left out of both: {'; '.join(listed[:3])}{more}"
    )
    whole = [
        [i for i, k in enumerate(p.hashes) if k not in torn] for p in pools.values()
    ]
    pairs = zip(pools.items(), whole, strict=True)
    return {split: pool.take(np.array(kept, int)) for (split, pool), kept in pairs}


def _note_unmade(pools: dict[str, Pool], made: list[str], source: Source) -> None:
    """Say which classes had too few pictures to give one to each split."""
    for split in made:
        given = set(pools[split].labels.tolist())
        few = [name for i, name in enumerate(source.classes) if i not in given]
        if few:
            source.report.notes.append(
                f"no picture for {split} in {', '.join(few)}: a class gives one to "
                "train first, then to test, then to val; it needs 3 or more"
            )


def drop_shared(pools: dict[str, Pool], report: DatasetReport) -> dict[str, Pool]:
    """Drop from train what val or test hold too, and from val what test holds.

    So the images that a result is reported on never change; copies within one split
    stay, for they leak nothing.
    """
    seen: dict[str, str] = {}
    cleaned = {}
    for split in reversed([split for split in SPLITS if split in pools]):
        pool = pools[split]
        kept = [i for i, key in enumerate(pool.hashes) if key not in seen]
        for i in sorted(set(range(len(pool))) - set(kept)):
            report.duplicates.append((pool.names[i], f"same as {seen[pool.hashes[i]]}"))
        seen.update((pool.hashes[i], pool.names[i]) for i in kept)
        cleaned[split] = (
            pool if len(kept) == len(pool) else pool.take(np.array(kept, int))
        )
    return cleaned


def _check_train(train: Pool, source: Source) -> None:
    """Refuse a class of which dropping copies left nothing to learn from."""
    for label, name in enumerate(source.classes):
        if label not in train.labels:
            raise DatasetError(
                f"class {name!r} of {source.name!r} has no image left in train: all of "
                "them are in val or test or another class too; give train images of its "
                "own"
            )


def carve_missing(
    pools: dict[str, Pool], *, seed: int, report: DatasetReport
) -> tuple[dict[str, Pool], dict[str, str]]:
    """Make the missing val and test from train, 15 % of each class for each."""
    missing = [split for split in ("test", "val") if split not in pools]
    if not missing:
        return pools, {}
    train = _without_copies(pools["train"], report)
    parts = _stratified(train, missing, seed=seed)
    carved = {split: train.take(parts[split]) for split in ("train", *missing)}
    how = f"made: {SHARE:.0%} of train, stratified, seed {seed}"
    return pools | carved, dict.fromkeys(missing, how)


def _without_copies(pool: Pool, report: DatasetReport) -> Pool:
    """Drop all but the first of equal images: a split would tear them apart."""
    first: dict[str, int] = {}
    for i, key in enumerate(pool.hashes):
        first.setdefault(key, i)
    for i, key in enumerate(pool.hashes):
        if first[key] != i:
            same = f"same as {pool.names[first[key]]}"
            report.duplicates.append((pool.names[i], same))
    return pool if len(first) == len(pool) else pool.take(np.array([*first.values()]))


def _stratified(pool: Pool, parts: list[str], *, seed: int) -> dict[str, np.ndarray]:
    """Deal each class out by the hash of (seed, image): order and names play no part.

    A class gives each part at least one image as long as one stays for train.
    """
    order = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in pool.keys]
    dealt: dict[str, list[int]] = {split: [] for split in ("train", *parts)}
    for label in np.unique(pool.labels):
        members = sorted(np.flatnonzero(pool.labels == label), key=order.__getitem__)
        share = max(1, round(SHARE * len(members)))
        for part in parts:
            if len(members) > share:
                dealt[part] += members[:share]
                members = members[share:]
        dealt["train"] += members
    return {split: np.array(sorted(found), int) for split, found in dealt.items()}


def _attribute_values(pools: dict[str, Pool]) -> dict[str, list]:
    tables = [pool.attributes for pool in pools.values() if pool.attributes is not None]
    return values_of(pd.concat(tables)) if tables else {}


def _as_dataset(
    pool: Pool | None, source: Source, transform, values: dict[str, list]
) -> ImageDataset:
    if pool is None:
        none = stack([], source.image_size)
        return ImageDataset(none, [], source.classes, transform=transform)
    return ImageDataset(
        pool.images,
        torch.tensor(pool.labels, dtype=torch.long),
        source.classes,
        transform=transform,
        attributes=pool.attributes,
        attribute_values=values,
        hashes=pool.hashes,
    )


def _sampled(train: ImageDataset, n: int, seed: int, source: Source) -> ImageDataset:
    try:
        return train.sample_per_class(n, seed=seed)
    except DatasetError as error:
        raise DatasetError(f"per_class for {source.name!r}, train: {error}") from None


def _all_attributes(datasets: dict[str, ImageDataset]) -> pd.DataFrame | None:
    tables = {k: d.attributes for k, d in datasets.items() if d.attributes is not None}
    if not tables:
        return None
    return (
        pd.concat(tables, names=["split"]).reset_index("split").reset_index(drop=True)
    )
