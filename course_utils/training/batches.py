"""Batches of pictures and labels: moved to a net, and read in the usual kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from course_utils.arguments import check_argument
from course_utils.errors import explained_channels
from course_utils.meta_tensors import dtype_of
from course_utils.modes import device_of
from course_utils.tracing import tensors_in
from course_utils.training.loaders import length_of

Batch = tuple[Any, ...] | Mapping[str, Any]

_IMAGES = ("pixel_values", "image", "images", "img", "x", "input", "inputs", "pixels")
_LABELS = ("labels", "label", "target", "targets", "y")
_TYPES = re.compile(r"[Ii]nput type|same dtype|scalar type|not implemented for '")
_SIZES = re.compile(
    "size is too small|Kernel size can't|Wrong image|doesn't match model|be multiplied"
)
_DROP_LAST = (
    "BatchNorm cannot train on a batch of one picture: leave it out with "
    "make_loader(…, drop_last=True), or take another batch_size"
)


def images_and_labels(batch: Any, *, others: bool = False) -> tuple[Any, Any]:
    """Return the two parts of a batch (images, labels), or of a dictionary of both.

    Raises `ValueError` where there are `others`, which would be passed over, unless they
    are allowed.

    >>> import torch
    >>> from course_utils.training import images_and_labels
    >>> batch = {"pixel_values": torch.ones(2, 3, 8, 8), "labels": torch.tensor([0, 1])}
    >>> images, labels = images_and_labels(batch)
    >>> images.shape, labels
    (torch.Size([2, 3, 8, 8]), tensor([0, 1]))
    """
    images, _ = parts_of(batch)
    if len(batch) > 2 and not others:
        raise ValueError(
            f"a batch must be (images, labels); this one is {_described(batch)}: make a "
            "dataset of pairs, or give a step that takes the other parts (step=…)"
        )
    return images, labels_of(batch)


def parts_of(item: Any) -> tuple[Any, Any]:
    """Return image and label of one item of a dataset, or images and labels of a batch.

    What comes besides is left out. Raises `ValueError` where it has none of the two.
    """
    images, labels = _key(item, _IMAGES, 0), _key(item, _LABELS, 1)
    if images is None or labels is None or not isinstance(item[images], Tensor):
        raise ValueError(
            f"a batch must be (images, labels), or a dictionary with one of "
            f"{', '.join(_IMAGES)} and one of {', '.join(_LABELS)}, pictures as tensors; "
            f"this one is {_described(item)}: make a dataset of pairs"
        )
    return item[images], item[labels]


def images_of(batch: Any) -> Any:
    """Return the images of a batch; None where it has none by a name that is known."""
    key = _key(batch, _IMAGES, 0)
    return None if key is None else batch[key]


def labels_of(batch: Any) -> Any:
    """Return the labels of a batch (images, labels, …) or of a dictionary with them.

    Raises `ValueError` that describes a batch without.
    """
    key = _key(batch, _LABELS, 1)
    tensors = [] if key is None else tensors_in(batch[key])
    if not tensors or not tensors[0].ndim:
        raise ValueError(
            f"a batch must be (images, labels, …), pictures first, labels as a tensor, or "
            f"a dictionary with one of {', '.join(_LABELS)}; this one is "
            f"{_described(batch)}: batch the dataset with make_loader, and give each "
            "picture the number of its class"
        )
    return batch[key]


def _key(batch: Any, names: tuple[str, ...], place: int) -> Any:
    """Where a part of a batch is: a place, or a dictionary's only key of these names.

    A picture may have any name where it is the only one: 3 dimensions or more.
    """
    if isinstance(batch, Mapping):
        found = [key for key in batch if key in names]
        if names is _IMAGES and not found:
            shapes = {key: getattr(value, "shape", ()) for key, value in batch.items()}
            found = [key for key, shape in shapes.items() if len(shape) > 2]
        return found[0] if len(found) == 1 else None
    return place if isinstance(batch, tuple | list) and len(batch) > place else None


def _described(batch: Any) -> str:
    """Say what a batch is made of, such as (Tensor (8, 3, 64, 64), list)."""
    if isinstance(batch, Mapping):
        return "a dictionary of " + ", ".join(map(str, batch))
    if isinstance(batch, tuple | list):
        return f"({', '.join(map(_kind, batch))})"
    return _kind(batch)


def _kind(part: Any) -> str:
    shape = f" {tuple(part.shape)}" if isinstance(part, Tensor) else ""
    return type(part).__name__ + shape


def images_to_net(images: Tensor, model: nn.Module) -> Tensor:
    """Return images on the model's device and, where they are floats, in its dtype."""
    return to_net((images,), device_of(model), dtype_of(model))[0]


def to_device(value: Any, device: torch.device) -> Any:
    """Move the tensors in nested tuples, lists and mappings; other things stay.

    A list comes back as a tuple, as the parts of a batch do.

    >>> import torch
    >>> from course_utils.training import to_device
    >>> to_device([torch.ones(1), {"id": "a"}], torch.device("cpu"))
    (tensor([1.]), {'id': 'a'})
    """
    if isinstance(value, Tensor):
        return _moved(value, device)
    if isinstance(value, Mapping):
        return {key: to_device(part, device) for key, part in value.items()}
    if isinstance(value, tuple | list):
        moved = [to_device(part, device) for part in value]
        return type(value)(*moved) if hasattr(value, "_fields") else tuple(moved)
    return value


def _moved(value: Tensor, device: torch.device) -> Tensor:
    """Move a tensor without waiting; what may be labels tells its range before."""
    if waits(value.device) or not waits(device):
        return value.to(device)
    moved = value.to(device, non_blocking=device.type == "cuda" and value.is_pinned())
    if value.ndim == 1 and len(value) and not value.is_floating_point():
        moved.course_range = range_of(value)
    return moved


def waits(device: torch.device) -> bool:
    """Tell whether fetching a number from a device waits for all it was given before."""
    return device.type != "cpu"


def range_of(labels: Tensor) -> tuple[int, int]:
    """Return the least and the largest label; of moved ones, as they were on the CPU.

    To ask a GPU would wait for all that was queued before.
    """
    known = getattr(labels, "course_range", None)
    return known or (int(labels.long().min()), int(labels.long().max()))


def leading(value: Any, n: int) -> Any:
    """Return the first n rows of the tensors in nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        return value[:n]
    if isinstance(value, Mapping):
        return {key: leading(part, n) for key, part in value.items()}
    if isinstance(value, tuple | list):
        parts = [leading(part, n) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def with_images(batch: Any, images: Tensor, labels: Any = None) -> Any:
    """Return a batch with other images, and other labels where they are given."""
    places = {_key(batch, _IMAGES, 0): images}
    if labels is not None:
        places[_key(batch, _LABELS, 1)] = labels
    if isinstance(batch, Mapping):
        return {**batch, **places}
    parts = [places.get(place, part) for place, part in enumerate(batch)]
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)


def to_net(batch: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Move a batch to a device, its images, where they are floats, to the net's dtype.

    Images of float64 so suit a usual net, and those of float32 one in half precision.
    """
    batch = to_device(batch, device)
    images = images_of(batch)
    if not isinstance(images, Tensor) or images.dtype == dtype:
        return batch
    if not images.is_floating_point():
        return batch
    return with_images(batch, images.to(dtype))


@contextmanager
def explained_pass(model: nn.Module, images: Any) -> Iterator[None]:
    """Say what to do where a net cannot take these pictures; other errors pass.

    That is: other channels, another size, whole numbers (uint8) instead of floats, and
    one picture alone for BatchNorm in training. Torch's errors become `ValueError`.
    """
    try:
        with explained_channels():
            yield
    except (RuntimeError, ValueError, AssertionError) as error:
        said = str(error)
        if _SIZES.search(said):
            raise ValueError(
                f"images of {tuple(getattr(images, 'shape', ()))} do not suit the net "
                f"({said.splitlines()[0][:120]}): load them with load_dataset(…, "
                "like=model), or look for a layer that was replaced by one of another width"
            ) from error
        if "more than 1 value per channel" in said:
            raise ValueError(_DROP_LAST) from error
        kind = getattr(images, "dtype", None)
        if kind in (None, dtype_of(model)) or not _TYPES.search(said):
            raise
        raise ValueError(
            f"images are {str(kind)[6:]}, the net works in {str(dtype_of(model))[6:]}: "
            "load them with load_dataset(…, like=model), or make them floats from 0 to 1 "
            "and normalise them; model.float() makes a net of half precision whole"
        ) from error


@contextmanager
def lonely_picture_refused(model: nn.Module, loader: Any) -> Iterator[None]:
    """Refuse, while the first batch runs, what would fail at a last batch of one.

    That is a BatchNorm in train mode that sees one value a picture and channel.
    """
    if not _ends_in_one(loader):
        yield
        return

    def refuse(layer: nn.Module, given: tuple) -> None:
        seen, one = given[0], given[0].shape[0] == loader.batch_size
        if one and layer.training and seen.numel() == seen.shape[0] * seen.shape[1]:
            raise ValueError(f"the loader's last batch has one picture. {_DROP_LAST}")

    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    handles = [layer.register_forward_pre_hook(refuse) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _ends_in_one(loader: Any) -> bool:
    size = getattr(loader, "batch_size", None)
    pictures = length_of(getattr(loader, "sampler", None)) if size else None
    return bool(pictures) and not loader.drop_last and pictures % size == 1


def check_model(model: Any) -> None:
    """Raise `TypeError` for what is no model."""
    check_argument(model, nn.Module, "model")
