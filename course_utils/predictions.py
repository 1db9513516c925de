"""Name what is in a picture: the top k classes, live or as recorded earlier."""

from __future__ import annotations

import json

import pandas as pd
import torch
from PIL import Image
from torch import nn

from course_utils.modes import inference
from course_utils.storage import atomic_path, data_dir

RECORDED_MODEL = "squeezenet1_0"


def top_k(model: nn.Module, image: Image.Image, *, k: int = 5) -> pd.DataFrame:
    """Rank the k most probable classes of one picture.

    `model` must come from `weights.load_backbone` with the head of its weights, since
    both the preprocessing and the class names are read from `model.weights_info`.
    The model runs in eval mode (BatchNorm uses its running statistics) and is given
    back in the mode it was in. Columns: `class`, `probability` (0 to 1).
    """
    info = model.weights_info
    if not info.classes:
        raise ValueError(
            f"{info.model_name}: its weights name no classes. Load it with "
            "num_classes=None to keep the head that the weights came with."
        )
    logits = _logits(model, info.transform(image))
    values, indices = logits.softmax(-1).topk(min(k, len(info.classes)))
    names = [info.classes[i] for i in indices.tolist()]
    return pd.DataFrame({"class": names, "probability": values.tolist()})


def _logits(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    with inference(model) as device:
        return model(pixels[None].to(device))[0].cpu()  # (1, C) -> (C,)


def recorded_top_k(photo: str) -> pd.DataFrame:
    """Return the top 5 that squeezenet1_0 gave to a sample photo, recorded earlier.

    `photo` is a key of `datasets.sample_photos()`. The table's `attrs["source"]`
    says which weights produced it.
    """
    recorded = json.loads(_recorded_path().read_text(encoding="utf-8"))
    if photo not in recorded["top5"]:
        known = ", ".join(recorded["top5"])
        raise ValueError(f"nothing recorded for photo {photo!r}; recorded: {known}")
    table = pd.DataFrame(recorded["top5"][photo])
    table.attrs["source"] = recorded["source"]
    return table


def record() -> None:
    """Rewrite the recorded top 5 from the cached ImageNet weights."""
    from course_utils.datasets import sample_photos
    from course_utils.weights import load_backbone

    model = load_backbone(RECORDED_MODEL, weights="imagenet")
    top5 = {
        name: top_k(model, photo).round(3).to_dict("records")
        for name, photo in sample_photos().items()
    }
    info = model.weights_info
    content = {"model": RECORDED_MODEL, "source": info.source, "top5": top5}
    with atomic_path(_recorded_path()) as path:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _recorded_path():
    return data_dir() / "recorded" / "photo_top5.json"


if __name__ == "__main__":
    record()
