"""Extract features once, keep them on disk, and train heads on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from course_utils.activations import find_layer, layout_of, watched
from course_utils.datasets import is_random
from course_utils.errors import check_positive, check_whole, explained_channels
from course_utils.heads import find_heads
from course_utils.modes import inference
from course_utils.storage import atomic_path, course_home, sha256_bytes
from course_utils.training import check_labels, check_none_missing, make_loader

_VERSION = "3"

Labels = Tensor | dict[str, Tensor]


class Features(NamedTuple):
    """One row a picture: features (N, D) float32 and labels (N,), on the CPU.

    Of a dataset with several tasks, labels are {task: (N,)}, -1 where one is missing.
    """

    features: Tensor
    labels: Labels


def extract_features(
    model: nn.Module,
    dataset: Dataset,
    *,
    layer: str | None = None,
    cache: bool = True,
    batch_size: int = 64,
) -> Features:
    """Run a dataset through a model once; return its features.

    Without `layer`, these are the pooled features that enter the classifier; with the
    name of a module, its output averaged over positions: (B, C, H, W), (B, H, W, C) or
    (B, N, C) -> (B, C). Runs without gradients, in eval mode (BatchNorm does not
    move), on the model's device. With `cache`, the result is kept under a key made of
    the weights, the layer, the transform and the data.

    Raises `ValueError` where caching would be wrong: a random transform, or a model
    in train mode.
    """
    path = _cache_path(model, dataset, layer) if cache else None
    if path is not None and (found := _read(path)):
        return found
    found = _run(model, dataset, layer, batch_size)
    if path is not None:
        _write(path, found)
    return found


def feature_maps(model: nn.Module, image: Tensor, layer: str) -> Tensor:
    """Return a layer's output for one prepared picture: (3, H, W) -> (C, h, w).

    Maps whose channels come last (Swin's) and tokens (N, C) of a transformer come back so
    too; tokens before the grid, such as the class token, are left out. Eval mode, no
    gradients; the model is given back in its mode.
    """
    with _watch(model, layer) as seen:
        _forward(model, image[None])
    output = _only(seen, layer, 1)
    layout = _layout(model, layer, output, image)
    maps = layout.maps(output, aspect=image.shape[-2] / image.shape[-1])[0]
    if maps.ndim != 3:
        raise ValueError(
            f"layer {layer!r} gives {tuple(maps.shape)}, not maps (C, h, w)"
        )
    return maps.cpu()


def fit_head(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    epochs: int = 20,
    lr: float = 1e-3,
    batch_size: int = 64,
    seed: int = 0,
) -> nn.Linear:
    """Train a linear head on features (N, D) with AdamW; return it in eval mode.

    The same seed draws the same initial weights and the same order of batches as a
    head trained behind its frozen backbone with `training.fit` on a loader of that
    seed.
    """
    check_positive(lr, "lr")
    check_whole(epochs, "epochs")
    check_features(features, labels)
    check_labels(labels, num_classes)
    labels = labels.long()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(features.shape[1], num_classes)
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
    order = make_loader(
        range(len(features)), batch_size=batch_size, shuffle=True, seed=seed
    )
    for _ in range(epochs):
        for rows in order:
            loss = nn.functional.cross_entropy(head(features[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return head.eval()


def cache_folder() -> Path:
    """Return the folder where features are kept."""
    return course_home() / "features"


def clear_cache() -> int:
    """Delete all cached features; return how many files there were."""
    files = list(cache_folder().glob("*.safetensors"))
    for file in files:
        file.unlink()
    return len(files)


def _watch(model: nn.Module, layer: str | None):
    """Watch a layer's output, or without one what enters the classifier.

    A model without a classifier gives its features itself.
    """
    if layer is None and (heads := find_heads(model)):
        return watched(next(iter(heads.values())), inputs=True)
    return watched(find_layer(model, layer or ""))


def _layout(model: nn.Module, layer: str | None, seen: Tensor, images: Tensor):
    """How to read what was seen when these pictures went through."""
    square = images.shape[-1] == images.shape[-2]
    head = next(iter(find_heads(model)), "") if layer is None else ""
    shape = tuple(seen.shape) if square else None
    return layout_of(model, layer or head, shape=shape, inputs=bool(head))


def _forward(model: nn.Module, images: Tensor) -> None:
    with inference(model) as device, explained_channels():
        model(images.to(device))


def _run(model, dataset, layer, batch_size) -> Features:
    if not len(dataset):
        raise ValueError("the dataset is empty: no features to extract")
    rows, labels, layout = [], [], None
    with _watch(model, layer) as seen:
        for images, targets in DataLoader(dataset, batch_size):
            seen.clear()
            _forward(model, images)
            output = _only(seen, layer, len(images))
            layout = layout or _layout(model, layer, output, images)
            rows.append(layout.pooled(output).float().cpu().clone())
            labels.append(targets)
    return Features(torch.cat(rows), join_labels(labels))


def _only(seen: list[Tensor], layer: str | None, pictures: int) -> Tensor:
    """What a layer gave last; an error where that is not one row a picture."""
    name = "the head" if layer is None else f"layer {layer!r}"
    if not seen:
        raise ValueError(f"{name} was not run in the forward pass: take another layer")
    if seen[-1].ndim == 0 or len(seen[-1]) != pictures:
        raise ValueError(
            f"{name} works on {tuple(seen[-1].shape)} for {pictures} pictures, not on one "
            "row a picture: take a layer further out"
        )
    return seen[-1]


def join_labels(batches: Sequence[Labels]) -> Labels:
    """Put the labels of batches one after another: (N,), or {task: (N,)}."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {
            task: join_labels([labels[task] for labels in batches]) for task in first
        }
    if isinstance(first, Tensor):
        return torch.cat(list(batches))
    raise ValueError(
        f"labels are a {type(first).__name__}, not one number a picture (or a task): "
        "make a dataset that gives (image, class index)"
    )


def check_one_task(labels: Labels) -> None:
    """Raise `ValueError` for labels by task, where those of one task are needed."""
    if isinstance(labels, Mapping):
        raise ValueError(
            f"labels are by task ({', '.join(labels)}): hand over those of one, such as "
            f"labels[{next(iter(labels), 'species')!r}]"
        )


def check_features(features: Tensor, labels: Labels) -> None:
    """Raise `ValueError` where features (N, D) and labels (N,) cannot teach a classifier.

    That is: other shapes, NaN or infinity, labels by task, and missing labels (-1).
    """
    check_one_task(labels)
    if features.ndim != 2:
        raise ValueError(f"features must be (N, D), got {tuple(features.shape)}")
    if len(features) != len(labels):
        raise ValueError(f"{len(features)} features but {len(labels)} labels")
    if not torch.isfinite(features).all():
        raise ValueError("features hold NaN or infinity: check the model's inputs")
    check_none_missing(labels)


def _cache_path(model: nn.Module, dataset: Dataset, layer: str | None) -> Path:
    transform = getattr(dataset, "transform", None)
    if is_random(transform):
        raise ValueError(
            "the dataset's transform is random (augmentation), so its features change "
            "each time: take the weights' inference transform, or pass cache=False"
        )
    if model.training:
        raise ValueError(
            "the model is in train mode, where BatchNorm and dropout change the "
            "features: call model.eval() first, or pass cache=False"
        )
    if not hasattr(dataset, "fingerprint"):
        raise ValueError(
            f"{type(dataset).__name__} has no fingerprint to key the cache by: load it "
            "with load_dataset, or pass cache=False"
        )
    described = (_VERSION, layer, transform, dataset.fingerprint)
    parts = [repr(described).encode(), *_model_bytes(model, without_head=layer is None)]
    return cache_folder() / f"{sha256_bytes(*parts)}.safetensors"


def _model_bytes(model: nn.Module, *, without_head: bool) -> Iterator[bytes]:
    """Yield what decides a model's output: its layers with their options, its state."""
    heads = tuple(find_heads(model)) if without_head else ()
    within = tuple(f"{name}." for name in heads)
    for name, module in model.named_modules():
        if name not in heads and not name.startswith(within):
            yield f"{name} {type(module).__name__}({module.extra_repr()})".encode()
    for name, tensor in model.state_dict().items():
        if not name.startswith(within):  # the head does not touch its input
            yield name.encode()
            yield tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes()


def _read(path: Path) -> Features | None:
    if not path.is_file():
        return None
    try:
        return _from_tensors(load_file(path))
    except (SafetensorError, KeyError):
        print(f"cached features {path.name[:8]}… are damaged: computing them again")
        path.unlink()
        return None


def _write(path: Path, found: Features) -> None:
    """Keep features; where that fails (a full disk), say so: they are computed already."""
    try:
        with atomic_path(path) as temporary:
            save_file(_as_tensors(found), temporary)
    except (OSError, SafetensorError) as error:
        print(f"features could not be cached in {path.parent}: {error}. Make room there, "
              "call clear_cache(), or set COURSE_HOME to another disk")  # fmt: skip


def _as_tensors(found: Features) -> dict[str, Tensor]:
    """Name the tensors for a file, which does not keep the tasks' order: numbered."""
    if isinstance(found.labels, Tensor):
        return found._asdict()
    by_task = enumerate(found.labels.items())
    labels = {f"labels {place} {task}": values for place, (task, values) in by_task}
    return {"features": found.features, **labels}


def _from_tensors(tensors: dict[str, Tensor]) -> Features:
    names = [name.split(" ", 2) for name in tensors if name.startswith("labels ")]
    names.sort(key=lambda parts: int(parts[1]))
    by_task = {parts[2]: tensors[" ".join(parts)] for parts in names}
    return Features(tensors["features"], by_task or tensors["labels"])
