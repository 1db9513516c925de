"""Name what is in pictures: a data set's logits; the top k classes of one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils.arguments import Count, checked
from course_utils.fast_inference import Precision, check_precision
from course_utils.measured import read_measured
from course_utils.reading import Labels, Read, batches, collect, join_labels
from course_utils.training import images_and_labels, logits_of
from course_utils.training.loaders import length_of
from course_utils.training.outputs import main_output


class Predictions(NamedTuple):
    """One row a picture: logits (N, C) float32 and labels (N,), on the CPU.

    With several tasks each is {task: …}. `labels` is None where pictures came alone.

    >>> import torch
    >>> from course_utils.predictions import Predictions
    >>> Predictions(torch.tensor([[0.2, 1.3]]), torch.tensor([1])).logits.argmax(1)
    tensor([1])
    """

    logits: Tensor | dict[str, Tensor]
    labels: Labels | None


@checked(own=("data",))
def predict(
    model: nn.Module,
    data: Dataset | Sequence | Iterable | Tensor,
    *,
    batch_size: Count = 64,
    precision: Precision = "float32",
    progress: bool | None = None,
) -> Predictions:
    """Run pictures through a model; return its logits and their labels, in order.

    `data` is a dataset of pairs (image, label), a loader of batches (images, labels),
    whose size of batches holds, or prepared pictures (N, 3, H, W). Runs in eval mode
    without gradients, on the model's device and in its type; BatchNorm does not move,
    and the model is given back in its mode. Of several outputs, of which one is named
    `logits`, that one counts. `precision` and `progress` are those of
    `features.extract_features`, and a faster copy serves here too.

    Raises `ValueError` for batches that cannot be read, and where there are no logits.

    >>> import timm
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.predictions import predict
    >>> data = load_dataset("flowers", image_size=64, per_class=2)
    >>> logits, labels = predict(timm.create_model("test_resnet"), data.train)
    >>> logits.shape, labels.shape
    (torch.Size([10, 1000]), torch.Size([10]))
    """
    check_precision(model, precision)
    source, pictures = _batches(data, batch_size)
    answers, labels = collect(
        model,
        source,
        _answers,
        pictures=pictures,
        precision=precision,
        progress=progress,
    )
    if not answers:
        raise ValueError("data is empty: there is no picture to run")
    known = None if labels[0] is None else join_labels(labels)
    return Predictions(join_labels(answers), known)


def _batches(data: Any, batch_size: int) -> tuple[Read, int | None]:
    """Pictures and labels of a dataset or a loader, pictures alone with None; how many."""
    if isinstance(data, Tensor):
        if data.ndim != 4 or not len(data):
            raise ValueError(
                f"pictures must be (N, 3, H, W), got {tuple(data.shape)}: one alone goes "
                "in as image[None]"
            )
        return ((images, None) for images in data.split(batch_size)), len(data)
    if _is_loader(data):
        return _loaded(data), length_of(getattr(data, "sampler", None))
    return batches(data, batch_size), length_of(data)


def _is_loader(data: Any) -> bool:
    """Whether something gives batches; of a list its first pictures tell."""
    if isinstance(data, Dataset | str | Mapping) or not isinstance(data, Iterable):
        return False
    first = data[0] if isinstance(data, list | tuple) and data else data
    images = first[0] if isinstance(first, list | tuple) and first else None
    return not hasattr(data, "__getitem__") or getattr(images, "ndim", 0) == 4


def _loaded(loader: Iterable) -> Read:
    return (images_and_labels(batch, others=True) for batch in loader)


def _answers(model: nn.Module, images: Tensor) -> Tensor | dict[str, Tensor]:
    """The logits that a model gives for a batch, by task where it gives them so."""
    main = main_output(model(images))
    if isinstance(main, Mapping) and all(isinstance(v, Tensor) for v in main.values()):
        return {task: _logits(values, len(images)) for task, values in main.items()}
    return _logits(logits_of(main), len(images))


def _logits(logits: Tensor, pictures: int) -> Tensor:
    if logits.ndim != 2 or len(logits) != pictures:
        raise ValueError(
            f"the model gives {tuple(logits.shape)} for {pictures} pictures, not logits "
            "(N, C): give it a head with replace_head(model, num_classes)"
        )
    return logits.float()


@checked(own=("image",))
def top_k(
    model: nn.Module,
    image: Image.Image | np.ndarray | Tensor,
    *,
    k: Count = 5,
    classes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Rank the k most probable classes of one picture, of any mode.

    `model` must come from `weights.load_backbone`, since `model.weights_info` says how
    pictures are prepared and, for the head that the weights came with, what the classes
    are called. Of a head of your own, `classes` are the names, such as `data.classes`.
    The model runs in eval mode (BatchNorm uses its running statistics) and is given
    back in the mode it was in. Columns: `class`, `probability` (0 to 1).

    >>> from PIL import Image
    >>> from course_utils.predictions import top_k
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=2)
    >>> table = top_k(model, Image.new("RGB", (64, 64)), classes=["rose", "lily"])
    >>> sorted(table["class"])
    ['lily', 'rose']
    """
    info = getattr(model, "weights_info", None)
    if info is None:
        raise ValueError(
            f"{type(model).__name__} has no weights_info, which says how pictures are "
            "prepared: load it with weights.load_backbone"
        )
    names = _names(info) if classes is None else list(classes)
    pixels = info.transform(_checked(image))
    logits = predict(model, pixels[None]).logits[0]  # (1, C) -> (C,)
    if len(logits) != len(names):
        whose = "its weights name" if classes is None else "you name"
        raise ValueError(
            f"{info.model_name} gives {len(logits)} logits, {whose} {len(names)} classes: "
            "of a head that was replaced, hand over the names of its own classes, such as "
            "classes=data.classes"
        )
    values, indices = logits.softmax(-1).topk(min(k, len(names)))
    chosen = [names[i] for i in indices.tolist()]
    return pd.DataFrame({"class": chosen, "probability": values.tolist()})


def _names(info: Any) -> list[str]:
    if not info.classes:
        raise ValueError(
            f"{info.model_name}: its weights name no classes. Load it with "
            "num_classes=None to keep the head that the weights came with, or hand over "
            "those of its head (classes=data.classes)"
        )
    return info.classes


def _checked(image: Any) -> Any:
    """Refuse what is no single picture."""
    shape = getattr(image, "shape", ())
    if isinstance(image, Image.Image | np.ndarray) or len(shape) == 3:
        return image
    got = f"shape {tuple(shape)}" if shape else repr(image)
    raise ValueError(
        "image must be one picture (PIL, an array or a uint8 tensor (3, H, W)), got "
        f"{got}. A file is opened with PIL.Image.open(path)"
    )


@checked
def recorded_top_k(photo: str) -> pd.DataFrame:
    """Return the top 5 that a net with ImageNet weights gave to a sample photo earlier.

    `photo` is a name in `datasets.sample_photos()` that was recorded. The table's
    `attrs["source"]` says which weights produced it.

    >>> from course_utils.predictions import recorded_top_k
    >>> len(recorded_top_k("hopper"))
    5
    """
    recorded = read_measured("photo_top5")
    if photo not in recorded.content:
        known = ", ".join(recorded.content)
        raise ValueError(f"nothing recorded for photo {photo!r}; recorded: {known}")
    table = pd.DataFrame(recorded.content[photo])
    table.attrs["source"] = recorded.made_with["weights"]
    return table
