"""Real datasets through torchvision's own classes, downloaded only when asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from torchvision import datasets as tv

from course_utils.datasets.containers import DatasetReport
from course_utils.datasets.files import LabelledFiles, median_short_side, read_pools
from course_utils.datasets.images import pixel_hash, resize_all
from course_utils.datasets.splits import Native, Pool, Source
from course_utils.errors import DatasetError, command
from course_utils.storage import course_home

# For each name: our split -> how torchvision is asked for it.
_OPENERS: dict[str, dict[str, Callable]] = {
    "imagenette": {
        "train": lambda **at: tv.Imagenette(split="train", size="320px", **at),
        "val": lambda **at: tv.Imagenette(split="val", size="320px", **at),
    },
    "flowers102": {
        "train": lambda **at: tv.Flowers102(split="train", **at),
        "val": lambda **at: tv.Flowers102(split="val", **at),
        "test": lambda **at: tv.Flowers102(split="test", **at),
    },
    "oxford_pet": {
        "train": lambda **at: tv.OxfordIIITPet(split="trainval", **at),
        "test": lambda **at: tv.OxfordIIITPet(split="test", **at),
    },
    "eurosat": {"train": lambda **at: tv.EuroSAT(**at)},
    "cifar10": {
        "train": lambda **at: tv.CIFAR10(train=True, **at),
        "test": lambda **at: tv.CIFAR10(train=False, **at),
    },
}
REAL = tuple(_OPENERS)


def fetch_dataset(name: str) -> Path:
    """Download a real dataset once, through torchvision, and return its folder.

    It is unpacked beside its place and moved there when complete, so that an
    interrupted download leaves nothing that looks whole.

    Raises `DatasetError` for an unknown name, no network, or a failed checksum.

    >>> from course_utils.datasets import fetch_dataset
    >>> fetch_dataset("flowers")
    Traceback (most recent call last):
        ...
    course_utils.errors.DatasetError: cannot fetch 'flowers'; what can be: imagenette,
    flowers102, oxford_pet, eurosat, cifar10
    """
    if name not in REAL:
        raise DatasetError(f"cannot fetch {name!r}; what can be: {', '.join(REAL)}")
    found = _find_root(name)
    return found if found is not None else _download(name)


def fetched_names() -> list[str]:
    """List the real sets that are on this machine.

    >>> from course_utils.datasets import fetched_names
    >>> fetched_names()
    []
    """
    return [name for name in REAL if _find_root(name) is not None]


def _download(name: str) -> Path:
    place = _home_root(name)
    partial = place.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for open_split in _OPENERS[name].values():
            open_split(root=str(partial), download=True)
        shutil.rmtree(place, ignore_errors=True)  # not whole, or it had been found
        os.replace(partial, place)
    except (URLError, OSError, RuntimeError) as error:
        raise DatasetError(
            f"could not download {name}: {error}. Check the network and try again, or "
            f"copy a folder that holds it to {place}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return place


def real_source(name: str, *, size: Callable[[Native], int], on_error: str) -> Source:
    """Read a real dataset that has been fetched; its own splits are kept.

    Raises `DatasetError` with the command that fetches it where it is not there.
    """
    root = _find_root(name)
    if root is None:
        raise DatasetError(
            f"{name} is not on this machine: fetch it once with "
            f"`{command('fetch', '--data', name)}`"
        )
    opened = {split: make(root=str(root)) for split, make in _OPENERS[name].items()}
    report = DatasetReport(source=f"{name}: fetched through torchvision")
    classes = _class_names(opened["train"])
    if name == "cifar10":
        image_size = size(opened["train"].data.shape[1])
        pools = {s: _array_pool(s, d, image_size) for s, d in opened.items()}
        return Source(name, classes, pools, report, image_size)
    listed = {split: _files(dataset) for split, dataset in opened.items()}
    image_size = size(partial(median_short_side, listed["train"].paths))
    pools = read_pools(
        listed, root=root, image_size=image_size, on_error=on_error, report=report
    )
    return Source(name, classes, pools, report, image_size)


def _class_names(dataset) -> list[str]:
    """Return one name a class; Imagenette gives several, of which the first is kept."""
    return [n if isinstance(n, str) else n[0] for n in dataset.classes]


def _files(dataset) -> LabelledFiles:
    """List paths and labels without opening an image."""
    if isinstance(dataset, tv.OxfordIIITPet):  # it takes no loader
        return LabelledFiles([*map(Path, dataset._images)], list(dataset._labels))
    dataset.loader = Path
    paths, labels = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    return LabelledFiles(list(paths), list(labels))


def _array_pool(split: str, dataset, image_size: int) -> Pool:
    keys = [pixel_hash(image) for image in dataset.data]
    names = [f"{split}[{i}]" for i in range(len(keys))]
    images = resize_all(dataset.data, image_size)
    return Pool(images, np.array(dataset.targets, np.int64), keys, keys, names)


def _find_root(name: str) -> Path | None:
    """Return the first folder in which torchvision finds the dataset whole."""
    try:
        roots = [_home_root(name), _home_root(name).parent]
    except (
        OSError
    ):  # no folder of the course's own can be made: there is none to look in
        roots = []
    for root in (*roots, _torch_root()):
        if root.is_dir() and _is_there(name, root):
            return root
    return None


def _is_there(name: str, root: Path) -> bool:
    try:
        for open_split in _OPENERS[name].values():
            open_split(root=str(root))
    except (RuntimeError, OSError):  # torchvision's words for "not found or corrupted"
        return False
    return True


def _home_root(name: str) -> Path:
    return course_home() / "data" / name


def _torch_root() -> Path:
    return Path(torch.hub.get_dir()).parent / "data"
