"""torchvision's own metadata as a table: one row for each set of weights."""

from __future__ import annotations

from functools import cache
from math import nan

import pandas as pd
from torchvision import models

from course_utils.architectures import torchvision_names
from course_utils.arguments import checked
from course_utils.zoo.families import family_of
from course_utils.zoo.stored import stored_latency

COSTS = {  # column -> what it is, with its unit
    "params": "Parameters (millions)",
    "gflops": "Multiply-adds for one image (GFLOPs)",
    "file_mb": "File of weights (MB)",
    "ms": "Latency of one image (ms)",
}
GAINS = {
    "top1": "ImageNet top-1 accuracy (%)",
    "top5": "ImageNet top-5 accuracy (%)",
}
LICENCES = {  # what stands at the addresses that weights name
    "https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC BY-NC 4.0",
}
CODE = """\
from torchvision.models import get_model, get_model_weights

weights = get_model_weights("{name}").{member}
model = get_model("{name}", weights=weights).eval()
preprocess = weights.transforms()"""


@checked
def zoo_table(*, latency: bool = False) -> pd.DataFrame:
    """Tabulate torchvision's classification weights: 115 rows, 80 architectures.

    `params` are millions; `gflops` billions of multiply-adds for one image of
    `crop_size` pixels; `file_mb` counts 2^20 bytes, as torchvision does; `top1` and
    `top5` are per cent on ImageNet-1K's validation images, taken at `crop_size`.
    `licence` is what the weights name; where they name none it is empty, and
    torchvision's own terms hold. What the metadata leaves out is NaN.

    With `latency`, a column `ms` holds the stored medians (`stored_latency`) of one
    image of `crop_size`; `attrs["machine"]` names where they were taken.

    >>> from course_utils.zoo import zoo_table
    >>> table = zoo_table()
    >>> resnet50 = table[table["architecture"] == "resnet50"].round(1)
    >>> print(resnet50[["weights", "params", "gflops", "top1"]].to_string(index=False))
          weights  params  gflops  top1
    IMAGENET1K_V1    25.6     4.1  76.1
    IMAGENET1K_V2    25.6     4.1  80.9
    """
    table = _torchvision_rows().copy()
    if latency:
        stored = stored_latency()
        medians = stored.set_index(["architecture", "image_size"])["median_ms"]
        keys = table.set_index(["architecture", "crop_size"]).index
        table["ms"] = medians.reindex(keys).to_numpy()
        table.attrs["machine"] = stored.attrs["machine"]
    return table


def load_code(architecture: str, weights: str) -> str:
    """Return the lines that load weights of torchvision, with their preprocessing.

    >>> from course_utils.zoo import load_code
    >>> print(load_code("resnet50", "IMAGENET1K_V2").splitlines()[-2])
    model = get_model("resnet50", weights=weights).eval()
    """
    names = {"name": architecture, "member": weights}
    return CODE.format(**{what: value for what, value in names.items()})


@cache
def _torchvision_rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            weights_row(name, member)
            for name in torchvision_names()
            for member in models.get_model_weights(name)
        ]
    )


def weights_row(name: str, member: models.WeightsEnum) -> dict:
    """Return one row of the table, from a member of a weight enum."""
    meta, preset = member.meta, member.transforms()
    scores = meta.get("_metrics", {}).get("ImageNet-1K", {})
    params = meta.get("num_params", nan) / 1e6
    top1 = scores.get("acc@1", nan)
    family = family_of(name)
    licence = meta.get("license") or ""
    return {
        "architecture": name,
        "weights": member.name,
        "family": family.name if family else "",
        "year": family.year if family else nan,
        "params": params,
        "gflops": meta.get("_ops", nan),
        "file_mb": meta.get("_file_size", nan),
        "top1": top1,
        "top5": scores.get("acc@5", nan),
        "top1_per_million_params": top1 / params,
        "crop_size": _side(preset, "crop_size"),
        "resize_size": _side(preset, "resize_size"),
        "licence": LICENCES.get(licence, licence),
        "recipe": meta.get("recipe") or "",
        "categories": len(meta.get("categories") or ()) or nan,
        "default": member is type(member).DEFAULT,
    }


def _side(preset: object, name: str) -> float:
    size = getattr(preset, name, None)
    return size[0] if size else nan
