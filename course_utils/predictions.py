"""Name what is in a picture: the top k classes, live or as recorded earlier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from course_utils.arguments import Count, checked
from course_utils.measured import read_measured
from course_utils.modes import inference
from course_utils.training.batches import explained_pass, images_to_net


@checked(own=("image",))
def top_k(
    model: nn.Module, image: Image.Image | np.ndarray | torch.Tensor, *, k: Count = 5
) -> pd.DataFrame:
    """Rank the k most probable classes of one picture, of any mode.

    `model` must come from `weights.load_backbone` with the head of its weights, since
    both the preprocessing and the class names are read from `model.weights_info`.
    The model runs in eval mode (BatchNorm uses its running statistics) and is given
    back in the mode it was in. Columns: `class`, `probability` (0 to 1).
    """
    info = getattr(model, "weights_info", None)
    if info is None:
        raise ValueError(
            f"{type(model).__name__} has no weights_info, which says how pictures are "
            "prepared: load it with weights.load_backbone"
        )
    if not info.classes:
        raise ValueError(
            f"{info.model_name}: its weights name no classes. Load it with "
            "num_classes=None to keep the head that the weights came with."
        )
    logits = _logits(model, info.transform(_checked(image)))
    if len(logits) != len(info.classes):
        raise ValueError(
            f"{info.model_name} gives {len(logits)} logits, its weights name "
            f"{len(info.classes)} classes: the head was replaced, and the names are of "
            "the one before"
        )
    values, indices = logits.softmax(-1).topk(min(k, len(info.classes)))
    names = [info.classes[i] for i in indices.tolist()]
    return pd.DataFrame({"class": names, "probability": values.tolist()})


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


def _logits(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    with inference(model), explained_pass(model, pixels):
        return (
            model(images_to_net(pixels[None], model))[0].float().cpu()
        )  # (1, C) -> (C,)


@checked
def recorded_top_k(photo: str) -> pd.DataFrame:
    """Return the top 5 that a net with ImageNet weights gave to a sample photo earlier.

    `photo` is a key of `datasets.sample_photos()`. The table's `attrs["source"]`
    says which weights produced it.
    """
    recorded = read_measured("photo_top5")
    if photo not in recorded.content:
        known = ", ".join(recorded.content)
        raise ValueError(f"nothing recorded for photo {photo!r}; recorded: {known}")
    table = pd.DataFrame(recorded.content[photo])
    table.attrs["source"] = recorded.made_with["weights"]
    return table
