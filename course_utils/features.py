"""Extract features once, keep them on disk, and train heads on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils import feature_cache as kept
from course_utils.activations import find_layer, layout_of, watched
from course_utils.arguments import Count, Positive, check_argument, checked, whole
from course_utils.datasets import draws_views
from course_utils.fast_inference import Precision, check_precision
from course_utils.feature_cache import Untold
from course_utils.feature_cache import cache_folder as cache_folder
from course_utils.feature_cache import clear_cache as clear_cache
from course_utils.heads import find_heads
from course_utils.modes import inference
from course_utils.reading import Labels, batches, collect, join_labels
from course_utils.training import check_labels, check_none_missing, make_loader
from course_utils.training.batches import explained_pass, images_to_net
from course_utils.training.loaders import length_of


class Features(NamedTuple):
    """One row a picture: features (N, D) float32 and labels (N,), on the CPU.

    Of a dataset with several tasks, labels are {task: (N,)}, -1 where one is missing.

    >>> import torch
    >>> from course_utils.features import Features
    >>> Features(torch.zeros(2, 96), torch.tensor([0, 1])).features.shape
    torch.Size([2, 96])
    """

    features: Tensor
    labels: Labels


@checked
def extract_features(
    model: nn.Module,
    dataset: Dataset | Sequence,
    *,
    layer: str | None = None,
    cache: bool = True,
    batch_size: Count = 64,
    precision: Precision = "float32",
    progress: bool | None = None,
) -> Features:
    """Run a dataset through a model once; return its features.

    Without `layer`, these are the pooled features that enter the classifier; with the
    name of a module, its output averaged over positions: (B, C, H, W), (B, H, W, C) or
    (B, N, C) -> (B, C). Runs without gradients, in eval mode (BatchNorm does not
    move), on the model's device and in its type; where that is faster, on a copy whose
    BatchNorm is folded into its convolutions (values within 1e-4 of their scale). With
    `precision` "bfloat16" it is much faster on processors with units for that, and the
    error is printed. Pictures are read ahead; `progress` shows a bar after 2 s, by
    default only at a terminal or in a live notebook. The dataset gives (image, label) or a
    dictionary of both; what comes besides is left out. With `cache`, the result is kept
    under a key made of the weights, the layer, the transform and the data. It is not
    kept, and a line says why, where the key cannot tell what is done: in a class or a
    function of your own, or where hooks or replaced methods come in.

    Raises `ValueError` where caching would be wrong: a random transform, or a model
    in train mode; and for "bfloat16" with a model that is not float32.

    >>> import timm
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.features import extract_features
    >>> data = load_dataset("flowers", image_size=64, per_class=2)
    >>> model = timm.create_model("test_resnet").eval()
    >>> features, labels = extract_features(model, data.train)
    >>> features.shape, labels.shape
    (torch.Size([10, 96]), torch.Size([10]))
    """
    check_precision(model, precision)
    key = _key(model, dataset, layer, precision) if cache else None
    if key is not None and (tensors := kept.read_tensors(key)):
        return _from_tensors(tensors)
    found = _run(model, dataset, layer, batch_size, precision, progress)
    if key is not None:
        kept.write_tensors(key, _as_tensors(found))
    return found


@checked(own=("image",))
def feature_maps(model: nn.Module, image: Tensor, layer: str) -> Tensor:
    """Return a layer's output for one prepared picture: (3, H, W) -> (C, h, w).

    Maps whose channels come last (Swin's) and tokens (N, C) of a transformer come back so
    too; tokens before the grid, such as the class token, are left out. Eval mode, no
    gradients; the model is given back in its mode.

    >>> import timm, torch
    >>> from course_utils.features import feature_maps
    >>> model = timm.create_model("test_resnet")
    >>> feature_maps(model, torch.rand(3, 64, 64), "layer2").shape
    torch.Size([48, 8, 8])
    """
    if not isinstance(image, Tensor) or image.ndim != 3:
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(
            f"image must be one prepared picture (3, H, W), got {got}: prepare it with "
            "model.weights_info.transform(image)"
        )
    place, batch = _place(model, layer), image[None]
    with inference(model), explained_pass(model, batch):
        output = _seen(model, images_to_net(batch, model), layer, place)
    layout = _layout(model, place, output, image)
    maps = layout.maps(output, aspect=image.shape[-2] / image.shape[-1])[0]
    if maps.ndim != 3:
        raise ValueError(
            f"layer {layer!r} gives {tuple(maps.shape)}, not maps (C, h, w)"
        )
    return maps.cpu()


@checked(own=("features", "labels"))
def fit_head(
    features: Tensor,
    labels: Tensor,
    num_classes: whole(2),
    *,
    epochs: Count = 20,
    lr: Positive = 1e-3,
    batch_size: Count = 64,
    seed: int = 0,
) -> nn.Linear:
    """Train a linear head on features (N, D) with AdamW; return it in eval mode.

    The same seed draws the same initial weights and the same order of batches as a
    head trained behind its frozen backbone with `training.fit` on a loader of that
    seed.

    >>> import torch
    >>> from course_utils.features import fit_head
    >>> fit_head(torch.eye(4), torch.tensor([0, 1, 0, 1]), 2)
    Linear(in_features=4, out_features=2, bias=True)
    """
    check_features(features, labels)
    check_labels(labels, num_classes)
    labels = labels.long()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(features.shape[1], num_classes)
    features = features.to(head.weight)
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


def _place(model: nn.Module, layer: str | None) -> tuple[str, bool]:
    """The name of the layer to watch, and whether what enters it is wanted.

    Without a layer that is the classifier; a model without one gives its features itself.
    """
    if layer is None and (heads := find_heads(model)):
        return next(iter(heads)), True
    find_layer(model, layer or "")
    return layer or "", False


def _seen(model: nn.Module, images: Tensor, layer: str | None, place) -> Tensor:
    """Run pictures; return what a layer gave, or what entered the classifier."""
    name, inputs = place
    with watched(model.get_submodule(name), inputs=inputs) as seen:
        model(images)
    return _only(seen, layer, len(images))


def _layout(model: nn.Module, place: tuple[str, bool], seen: Tensor, images: Tensor):
    """How to read what was seen when these pictures went through."""
    square = images.shape[-1] == images.shape[-2]
    name, inputs = place
    shape = tuple(seen.shape) if square else None
    return layout_of(model, name, shape=shape, inputs=inputs)


def _run(model, dataset, layer, batch_size, precision, progress) -> Features:
    place, layout = _place(model, layer), None

    def pooled(seen: Tensor, images: Tensor) -> Tensor:
        nonlocal layout
        layout = layout or _layout(model, place, seen, images)
        return layout.pooled(seen).float()

    rows, labels = collect(
        model,
        batches(dataset, batch_size),
        partial(_seen, layer=layer, place=place),
        keep=pooled,
        pictures=length_of(dataset),
        precision=precision,
        progress=progress,
    )
    if not rows:
        raise ValueError("the dataset is empty: it gave no picture to run")
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


def check_one_task(labels: Labels) -> None:
    """Raise `ValueError` for labels by task, where those of one task are needed.

    >>> import torch
    >>> from course_utils.features import check_one_task
    >>> check_one_task({"species": torch.tensor([0, 1])})
    Traceback (most recent call last):
    ValueError: labels are by task (species): hand over those of one, such as ...
    """
    if isinstance(labels, Mapping):
        raise ValueError(
            f"labels are by task ({', '.join(labels)}): hand over those of one, such as "
            f"labels[{next(iter(labels), 'species')!r}]"
        )


def check_features(features: Tensor, labels: Labels) -> None:
    """Raise `ValueError` where features (N, D) and labels (N,) cannot teach a classifier.

    That is: other shapes, NaN or infinity, labels by task, missing (-1) or in parts.

    >>> import torch
    >>> from course_utils.features import check_features
    >>> check_features(torch.zeros(3, 96), torch.tensor([0, 1]))
    Traceback (most recent call last):
    ValueError: 3 features but 2 labels
    """
    check_one_task(labels)
    for name, values in (("features", features), ("labels", labels)):
        check_argument(values, Tensor, f"{name}, of extract_features,")
    if features.ndim != 2:
        raise ValueError(f"features must be (N, D), got {tuple(features.shape)}")
    if labels.ndim != 1 or labels.is_floating_point() and (labels % 1 != 0).any():
        raise ValueError(
            "labels must be class indices (N,), whole numbers; got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    if len(features) != len(labels):
        raise ValueError(f"{len(features)} features but {len(labels)} labels")
    if not torch.isfinite(features).all():
        raise ValueError("features hold NaN or infinity: check the model's inputs")
    check_none_missing(labels)


def _key(model: nn.Module, dataset: Dataset, layer, precision) -> str | None:
    """The key of the cache; None, with a word, where it would not tell what is done."""
    if draws_views(dataset):
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
    heads = tuple(find_heads(model)) if layer is None else ()  # they enter no feature
    try:
        kept.check_fingerprint(dataset)
        about = repr((layer, precision, dataset.fingerprint)).encode()
        transform = kept.transform_parts(dataset)
        return kept.key_of(about, *transform, *kept.model_parts(model, without=heads))
    except Untold as error:
        kept.say_once(f"features are not cached: {error}")
        return None


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
