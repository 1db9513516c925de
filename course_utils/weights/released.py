"""The weights that torchvision and timm released: of what kind, and where in the cache."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import huggingface_hub
import timm
import torch
from timm.data import resolve_data_config
from torchvision import models

from course_utils.architectures import full_name, parse_name, torchvision_names
from course_utils.arguments import checked
from course_utils.storage import sha256_file
from course_utils.weights.bundled import bundled_names
from course_utils.weights.info import WeightsInfo
from course_utils.weights.installed import PACKAGES, installed_path

# Files that are not torchvision's own, but are known: SHA-256 -> what they hold.
OTHER_CONTENTS = {
    "89589a6db2b88e2977a1feaf6778fa53e9568a725e87e70b82be468832424297": (
        "ImageNet weights (Deep Compression)"
    ),
}
# How a part of a timm tag names what the weights were trained on.
_DATA = {
    r"in(w?\d+k)": r"ImageNet-\1",
    r"dino|(fc)?mae": "ImageNet-1k without labels",
    r"(lvd|sat|sa|dfn|dfndr|cc|yfcc|laion|datacomp|merged)(\d+[mb]|xl|a)": r"\1-\2",
    r"openai": "OpenAI's pictures with texts",
    r"metaclip\d?|webli|seer|bamboo|ogvl": r"\g<0>",
}


@checked(own=("name",))
def imagenet_is_cached(name: str) -> bool:
    """Tell whether ImageNet weights for a model are on this machine.

    >>> from course_utils.weights import imagenet_is_cached
    >>> imagenet_is_cached("resnet18")
    False
    """
    info = released_info(*parse_name(name))
    return info is not None and info.kind == "imagenet"


def released_is_cached(name: str) -> bool:
    """Tell whether the weights that `fetch` gets for a model are on this machine.

    >>> from course_utils.weights import released_is_cached
    >>> released_is_cached("vit_base_patch14_dinov2")
    False
    """
    return released_info(*parse_name(name)) is not None


def cached_imagenet() -> list[str]:
    """List the models whose ImageNet weights are on this machine, installed ones first.

    Looked for are those of packages, of torchvision, and of the course's timm models.

    >>> from course_utils.weights import cached_imagenet
    >>> cached_imagenet()
    ['tf_efficientnet_lite0']
    """
    ours = [f"timm/{name}" for name in bundled_names()]
    names = [*PACKAGES, *torchvision_names(), *ours]
    return [name.removeprefix("timm/") for name in names if imagenet_is_cached(name)]


def released_info(library: str, name: str, tag: str) -> WeightsInfo | None:
    """Describe a model's weights, installed or in a cache; None if there are none.

    >>> from course_utils.weights import released_info
    >>> print(released_info("torchvision", "resnet18", "IMAGENET1K_V1"))
    None
    """
    if library == "timm":
        config = timm_config(name, tag)
        if path := installed_path(name, config.tag):
            source = f"timm's {config.tag}, from the install, {path.name}"
            return replace(timm_info(name, config, path), source=source)
        path = timm_path(config)
        return path and timm_info(name, config, path)
    for member in torchvision_weights(name, tag):
        if (path := torchvision_path(member)).is_file():
            source = _named_honestly(path, member.name)
            return replace(torchvision_info(name, member), source=source, path=path)
    return None


# -- torchvision -----------------------------------------------------------------------


def torchvision_weights(name: str, tag: str = "") -> list:
    """List a torchvision model's weights for ImageNet-1K, DEFAULT first.

    A tag ("IMAGENET1K_V2") leaves the one that it names.

    >>> from course_utils.weights import torchvision_weights
    >>> [member.name for member in torchvision_weights("resnet50")]
    ['IMAGENET1K_V2', 'IMAGENET1K_V1']
    """
    members = models.get_model_weights(name)
    if tag:
        return [members[tag]]
    usable = [m for m in members if m.meta["categories"]]  # not VGG's features alone
    return sorted(usable, key=lambda member: member is not members.DEFAULT)


def torchvision_path(member) -> Path:
    """Return where torchvision keeps the file of one member of a weights enum.

    >>> from torchvision.models import ResNet18_Weights
    >>> from course_utils.weights import torchvision_path
    >>> torchvision_path(ResNet18_Weights.DEFAULT).name
    'resnet18-f37072fd.pth'
    """
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name


def torchvision_info(name: str, member) -> WeightsInfo:
    """Describe a member of a weights enum; its file is not looked for."""
    preset, classes = member.transforms(), tuple(member.meta["categories"] or ())
    return WeightsInfo(
        model_name=name,
        kind="imagenet" if classes else "pretrained",
        tag=member.name,
        source=f"torchvision {member.name}",
        licence=member.meta.get("license", "see the weights' page"),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        image_size=preset.crop_size[0],
        resize_size=preset.resize_size[0],
        interpolation=preset.interpolation.value,
        classes=classes,
        data="ImageNet-1k",
    )


def _named_honestly(path: Path, tag: str) -> str:
    expected = path.stem.rpartition("-")[2]
    found = sha256_file(path)
    if found.startswith(expected):
        return f"torchvision {tag}, {path.name}"
    if known := OTHER_CONTENTS.get(found):
        return f"{known}, under torchvision's file name {path.name}"
    return (
        f"{path.name}: named as torchvision's {tag}, but with other contents, "
        f"sha256 {found[:8]}…"
    )


# -- timm ------------------------------------------------------------------------------


def timm_config(name: str, tag: str = ""):
    """Return timm's pretrained configuration for a model and a tag.

    >>> from course_utils.weights import timm_config
    >>> config = timm_config("resnet50", "a1_in1k")
    >>> config.hf_hub_id, config.num_classes
    ('timm/resnet50.a1_in1k', 1000)
    """
    full = f"{name}.{tag}" if tag else name
    return timm.get_pretrained_cfg(full, allow_unregistered=False)


def timm_path(config) -> Path | None:
    """Return the cached file of a timm configuration, None where there is none.

    >>> from course_utils.weights import timm_config, timm_path
    >>> timm_path(timm_config("resnet50", "a1_in1k")) is None
    True
    """
    if not config.hf_hub_id:
        return None
    for file_name in ("model.safetensors", "pytorch_model.bin"):
        found = huggingface_hub.try_to_load_from_cache(config.hf_hub_id, file_name)
        if isinstance(found, str):
            return Path(found)
    return None


def timm_info(name: str, config, path: Path | None) -> WeightsInfo:
    """Describe the weights of a timm configuration, with the kind that they are of.

    They are "imagenet" where they were trained on ImageNet-1k at last, with its 1,000
    classes; else "pretrained". Preprocessing is what timm itself makes of it.
    """
    wanted = resolve_data_config(pretrained_cfg=config.to_dict())
    _, height, width = wanted["input_size"]
    kind = timm_kind(config)
    return WeightsInfo(
        model_name=full_name("timm", name),
        kind=kind,
        tag=config.tag,
        source=f"timm, {config.hf_hub_id or config.url or config.architecture}",
        path=path,
        licence=config.license or "unknown",
        mean=tuple(wanted["mean"]),
        std=tuple(wanted["std"]),
        image_size=height,
        image_width=None if width == height else width,
        resize_size=int(height / wanted["crop_pct"]),
        interpolation=wanted["interpolation"],
        crop_mode=wanted["crop_mode"],
        classes=_imagenet_classes() if kind == "imagenet" else (),
        data=trained_on(config.tag),
    )


def timm_kind(config) -> str:
    """Return "imagenet" for 1,000 classes of ImageNet-1k, else "pretrained"."""
    labelled = "in1k" in config.tag.split("_") and config.num_classes == 1000
    return "imagenet" if labelled else "pretrained"


def trained_on(tag: str) -> str:
    """Name the data in a timm tag, first to last: "ImageNet-22k, then ImageNet-1k"."""
    found = []
    for part in tag.split("_"):
        for pattern, name in _DATA.items():
            if match := re.fullmatch(pattern, part):
                said = match.expand(name)
                found.append(said.upper() if said.islower() else said)
    found = [said for said, _ in groupby(found)]
    return ", then ".join(found) or f"data that {tag!r} does not name"


def _imagenet_classes() -> tuple[str, ...]:
    return tuple(models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
