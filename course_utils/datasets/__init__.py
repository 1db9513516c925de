"""Give a dataset by name, a folder of images or a fetched set as clean splits.

Every source comes out the same: train, val and test without an image in common, as
uint8 pixels of one size, with class names, attributes where known, and a report of
what was made, skipped and dropped. A split that came with the data is kept; a missing
val or test is made from 15 % of train each, stratified and seeded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from course_utils.arguments import Count, Natural, checked
from course_utils.datasets.attributes import MISSING, AttributeDataset, with_attributes
from course_utils.datasets.bundled import bundled_names, bundled_source
from course_utils.datasets.containers import (
    DatasetReport,
    ImageDataset,
    ImageSplits,
    check_transform,
    labels_of,
)
from course_utils.datasets.folder import folder_source
from course_utils.datasets.images import check_image_size
from course_utils.datasets.offline import digits_source
from course_utils.datasets.photos import Photos, sample_photos
from course_utils.datasets.preprocessing import Preprocessing, preprocessing
from course_utils.datasets.real import (
    REAL,
    fetch_dataset,
    fetched_names,
    real_source,
)
from course_utils.datasets.splits import Native, Source, make_splits
from course_utils.datasets.transforms import (
    check_views,
    draws_views,
    is_random,
    training_transform,
)
from course_utils.errors import DatasetError
from course_utils.weights import WeightsInfo, default_weights_info

__all__ = [
    "MISSING",
    "REAL",
    "AttributeDataset",
    "DatasetReport",
    "ImageDataset",
    "ImageSplits",
    "Photos",
    "Preprocessing",
    "check_views",
    "dataset_names",
    "default_dataset",
    "fetch_dataset",
    "fetched_names",
    "draws_views",
    "is_random",
    "labels_of",
    "load_dataset",
    "preprocessing",
    "sample_photos",
    "training_transform",
    "with_attributes",
]


@checked(own=("name", "like", "image_size", "transform", "per_class"))
def load_dataset(
    name: str | Path,
    *,
    like: nn.Module | WeightsInfo | None = None,
    image_size: int | str | None = None,
    transform: Callable | None = None,
    seed: Natural = 0,
    per_class: Count | None = None,
    on_error: str = "skip",
    splits: Mapping[str, str] | bool | None = None,
) -> ImageSplits:
    """Load a dataset as train, val and test.

    `name` is one of `dataset_names()` or "folder:PATH" (a folder that holds train,
    val and test, some of them, or one folder a class at once). With `like`, a model of
    `load_backbone` or its `weights_info`, pictures come as that model wants them: its
    side and its normalisation. `image_size` is another side in pixels (8 to 2048), 64
    where neither is given, or "auto": what the weights were made for, but no more than
    the images have. `transform` takes a uint8 tensor (3, S, S); where none is given, it
    is the inference transform of the weights: `like`'s, else the active ones. `seed`
    decides splits that have to be made and which `per_class` images of each class stay in
    train (val and test stay whole). Broken images are skipped and counted in
    `.report`, or raise where `on_error` is "raise". Splits of a folder are known by
    their usual names (train, training_set, seg_test, valid, …); `splits` says it
    outright: {"train": "my_first", "test": "my_second"}, or False where every folder is
    a class.

    Raises `DatasetError` for what cannot be loaded, with the way out.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> data = load_dataset("flowers", like=model, per_class=2)  # or "folder:photos"
    >>> data
    ImageSplits(flowers: train 10, val 300, test 600; 5 classes, 64 px)
    >>> tuple(data.train[0][0].shape), data.classes[:2]
    ((3, 64, 64), ['daisy', 'lotus'])
    >>> load_dataset("folder:no/such/photos")
    Traceback (most recent call last):
        ...
    course_utils.errors.DatasetError: no folder 'no/such/photos' (looked for ...); check
    the spelling, or give the whole path
    """
    if on_error not in ("skip", "raise"):
        raise DatasetError(f"on_error must be 'skip' or 'raise', got {on_error!r}")
    info = _info_of(like)
    if image_size is None:
        image_size = 64 if like is None else info.image_size
    if not isinstance(image_size, str) or image_size != "auto":
        check_image_size(image_size)
    check_transform(transform)
    size = partial(_resolve_size, image_size, info)
    source = _read(name, size=size, on_error=on_error, splits=splits)
    if transform is None:
        transform = info.transform_for(source.image_size)
    return make_splits(source, transform=transform, seed=seed, per_class=per_class)


@checked
def default_dataset(default: str = "flowers") -> str:
    """Return the dataset that COURSE_DATA names, else `default`.

    >>> from course_utils.datasets import default_dataset
    >>> default_dataset(), default_dataset("cells")
    ('flowers', 'cells')
    """
    return os.environ.get("COURSE_DATA") or default


def dataset_names() -> list[str]:
    """List the names that `load_dataset` takes besides folder:PATH.

    >>> from course_utils.datasets import dataset_names
    >>> {"flowers", "digits", "cifar10"} <= set(dataset_names())
    True
    """
    return [*bundled_names(), "digits", *REAL]


def _read(name: str | Path, *, size: Callable, on_error: str, splits: Any) -> Source:
    if not isinstance(name, str | Path):
        raise DatasetError(
            f"a dataset is a name or 'folder:PATH', got {name!r} ({type(name).__name__})"
        )
    if isinstance(name, Path) or name.startswith("folder:"):
        path = name if isinstance(name, Path) else name.removeprefix("folder:")
        return folder_source(path, size=size, on_error=on_error, splits=splits)
    if splits is not None:
        raise DatasetError(f"splits is for folders; {name!r} has splits of its own")
    if name == "digits":
        return digits_source(size=size)
    if name in REAL:
        return real_source(name, size=size, on_error=on_error)
    if name in bundled_names():
        return bundled_source(name, size=size)
    raise DatasetError(_unknown(name))


def _unknown(name: str) -> str:
    if name.strip() and os.path.isdir(os.path.expanduser(name)):
        return f"no dataset {name!r}; for your own images write 'folder:{name}'"
    names = dataset_names()
    close = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return f"no dataset {name!r}; {hint} Your own images load as 'folder:PATH'"


def _info_of(like: Any) -> WeightsInfo:
    """The weights that pictures are prepared for; without `like` the active ones."""
    if like is None:
        return default_weights_info()
    info = getattr(like, "weights_info", like)
    if not isinstance(info, WeightsInfo):
        raise DatasetError(
            f"like is a {type(like).__name__} without weights_info: hand over a model of "
            "load_backbone, or say image_size= and transform="
        )
    return info


def _resolve_size(image_size: int | str, info: WeightsInfo, native: Native) -> int:
    """Turn "auto" into the smaller of the weights' size and the images' own.

    Where many files would have to be asked for that, it is a function.
    """
    if image_size != "auto":
        return int(image_size)
    wanted, native = info.image_size, native() if callable(native) else native
    return check_image_size(wanted if native is None else max(8, min(wanted, native)))
