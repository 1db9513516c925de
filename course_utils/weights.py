"""Which weights: bundled, ImageNet, a file or none; what they expect of an image."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import huggingface_hub
import timm
import torch
from torch import nn
from torchvision import models
from torchvision.transforms import InterpolationMode, v2

from course_utils.architectures import parse_name, torchvision_names
from course_utils.errors import (
    DamagedCheckpoint,
    WeightsUnavailable,
    command,
)
from course_utils.heads import replace_head
from course_utils.rgb import ToRGB
from course_utils.state_files import FILES, load_state, read_state_dict
from course_utils.storage import data_dir, sha256_file

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BUNDLED = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")
# Files that are not torchvision's own, but are known: SHA-256 -> what they hold.
OTHER_CONTENTS = {
    "89589a6db2b88e2977a1feaf6778fa53e9568a725e87e70b82be468832424297": (
        "ImageNet weights (Deep Compression)"
    ),
}
KINDS = ("auto", "bundled", "imagenet", "random")
_said: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class WeightsInfo:
    """Where weights came from, and the preprocessing that belongs to them."""

    model_name: str
    kind: str  # "bundled", "imagenet", "file" or "random"
    tag: str
    source: str
    path: Path | None = None
    licence: str = "unknown"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    image_size: int = 224
    resize_size: int = 224
    interpolation: str = "bilinear"
    classes: tuple[str, ...] = ()
    create_kwargs: dict = field(default_factory=dict)

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file of weights; None for random weights."""
        return sha256_file(self.path) if self.path else None

    @property
    def normalize(self) -> v2.Normalize:
        """Subtract the mean and divide by the standard deviation, per channel."""
        return v2.Normalize(self.mean, self.std)

    @property
    def transform(self) -> v2.Compose:
        """The inference preset: PIL or uint8 (3, H, W) -> normalised (3, S, S)."""
        return self._compose(self.resize_size, self.image_size)

    def transform_for(self, image_size: int) -> v2.Compose:
        """The same at another side length, without a cropped margin."""
        return self._compose(image_size, image_size)

    def _compose(self, resize: int, crop: int) -> v2.Compose:
        mode = InterpolationMode(self.interpolation)
        return v2.Compose(
            [
                ToRGB(),
                v2.Resize(resize, interpolation=mode, antialias=True),
                v2.CenterCrop(crop),
                v2.ToImage(),  # after the resize: PIL's, as in torchvision's presets
                v2.ToDtype(torch.float32, scale=True),
                self.normalize,
            ]
        )

    def describe(self) -> str:
        """Say in one line which weights these are."""
        return f"{self.model_name}: {self.kind} weights ({self.source})"


def default_backbone() -> str:
    """Return the model that COURSE_BACKBONE names, else test_resnet."""
    return os.environ.get("COURSE_BACKBONE") or "test_resnet"


def default_weights_info() -> WeightsInfo:
    """Describe the weights that `load_backbone(default_backbone())` would load."""
    return find_weights(default_backbone())


def bundled_names() -> list[str]:
    """List the models whose weights came with the course, the teacher last."""
    cards = [_card(path) for path in sorted((data_dir() / "weights").glob("*.json"))]
    cards.sort(key=lambda card: card["role"] != "backbone")
    return [card["model"] for card in cards]


def load_backbone(
    name: str, *, weights: str | Path = "auto", num_classes: int | None = None
) -> nn.Module:
    """Load a torchvision or timm model in eval mode, without touching the network.

    `weights` is "auto" (ImageNet if already in the local cache, else bundled;
    COURSE_WEIGHTS overrides), "bundled", "imagenet", "random", or the path of a
    .safetensors or .pth file. `num_classes` None keeps the head that the weights came
    with, 0 gives a model without a head (pooled features out), any other number a new
    head drawn from torch's global generator. The model's `weights_info` says where the
    weights came from; it is printed once.

    Raises `UnknownModel` (with the nearest names), `WeightsUnavailable` (with the ways
    out) and `CheckpointError` (a file that is damaged, unsafe or of another model).
    """
    info = find_weights(name, weights=weights)
    model = _build(info)
    if num_classes is not None:
        replace_head(model, num_classes)
    model.weights_info = info
    if (said := (info.model_name, info.source)) not in _said:
        _said.add(said)
        print(info.describe())
    return model.eval()


def find_weights(name: str, *, weights: str | Path = "auto") -> WeightsInfo:
    """Find out which weights `load_backbone` would load, without loading them."""
    library, model_name, tag = parse_name(name)
    if weights == "auto":
        weights = os.environ.get("COURSE_WEIGHTS") or "auto"
    if isinstance(weights, Path) or Path(weights).suffix in FILES:
        return _file_info(library, model_name, Path(weights))
    if weights not in KINDS:
        raise ValueError(
            f"weights={weights!r}: use one of {', '.join(KINDS)}, or the path of a "
            ".safetensors or .pth file"
        )
    if weights == "random":
        return _random_info(library, model_name)
    finders = {
        "imagenet": [_imagenet_info],
        "bundled": [_bundled_info],
        "auto": [_imagenet_info, _bundled_info],
    }[weights]
    for find in finders:
        if info := find(library, model_name, tag):
            return info
    raise WeightsUnavailable(_ways_out(name, weights))


def _ways_out(name: str, weights: str) -> str:
    kind = {"imagenet": "ImageNet weights", "bundled": "bundled weights"}.get(weights)
    ways = [
        f"fetch ImageNet weights once, with a connection: `{command('fetch', name)}`"
    ]
    if bundled := ", ".join(bundled_names()):
        ways.append(f"load a model whose weights came with the course ({bundled})")
    ways.append('or use weights="random"')
    what = kind or "weights"
    return f"no {what} for {name!r} on this machine. Ways out: {'; '.join(ways)}."


# -- bundled ---------------------------------------------------------------------------


def _card(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def bundled_card(name: str) -> dict:
    """Return the card of bundled weights: data, recipe, figures, checksum, licence."""
    path = data_dir() / "weights" / f"{name}.json"
    if not path.is_file():
        raise WeightsUnavailable(_ways_out(name, "bundled"))
    return _card(path)


def _bundled_info(library: str, name: str, tag: str) -> WeightsInfo | None:
    path = data_dir() / "weights" / f"{name}.safetensors"
    if library != "timm" or not path.with_suffix(".json").is_file():
        return None
    card = bundled_card(name)
    return WeightsInfo(
        model_name=name,
        kind="bundled",
        tag=f"seed {card['seed']}",
        source=f"{path.name}, trained on this course's drawings, not on ImageNet",
        path=path,
        licence=card["licence"],
        mean=tuple(card["mean"]),
        std=tuple(card["std"]),
        image_size=card["image_size"],
        resize_size=card["image_size"],
        interpolation=card["interpolation"],
        classes=tuple(card["classes"]),
        create_kwargs=card["create_kwargs"],
    )


# -- ImageNet --------------------------------------------------------------------------


def imagenet_is_cached(name: str) -> bool:
    """Tell whether ImageNet weights for a model are in the local cache."""
    return _imagenet_info(*parse_name(name)) is not None


def cached_imagenet() -> list[str]:
    """List torchvision models and the course's timm models with cached weights."""
    names = [*torchvision_names(), *(f"timm/{name}" for name in bundled_names())]
    return [name.removeprefix("timm/") for name in names if imagenet_is_cached(name)]


def _imagenet_info(library: str, name: str, tag: str) -> WeightsInfo | None:
    if library == "torchvision":
        return _torchvision_info(name)
    return _timm_info(name, tag)


def _torchvision_info(name: str) -> WeightsInfo | None:
    for member in torchvision_weights(name):
        path = torchvision_path(member)
        if not path.is_file():
            continue
        preset = member.transforms()
        return WeightsInfo(
            model_name=name,
            kind="imagenet",
            tag=member.name,
            source=_named_honestly(path, member.name),
            path=path,
            licence=member.meta.get("license", "see the weights' page"),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
            image_size=preset.crop_size[0],
            resize_size=preset.resize_size[0],
            interpolation=preset.interpolation.value,
            classes=tuple(member.meta["categories"]),
        )
    return None


def torchvision_weights(name: str) -> list:
    """List a torchvision model's weights for ImageNet-1K at one size, DEFAULT first."""
    members = models.get_model_weights(name)
    usable = [m for m in members if hasattr(m.transforms(), "crop_size")]
    return sorted(usable, key=lambda member: member is not members.DEFAULT)


def torchvision_path(member) -> Path:
    """Return where torchvision keeps the file of one member of a weights enum."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name


def _named_honestly(path: Path, tag: str) -> str:
    """Say whether the file is torchvision's own, whose name ends in its checksum."""
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


def timm_config(name: str, tag: str = ""):
    """Return timm's pretrained configuration for a model and a tag."""
    full = f"{name}.{tag}" if tag else name
    return timm.get_pretrained_cfg(full, allow_unregistered=False)


def _timm_info(name: str, tag: str) -> WeightsInfo | None:
    config = timm_config(name, tag)
    if config is None or not config.hf_hub_id:
        return None
    path = timm_path(config)
    if path is None:
        return None
    size = config.input_size[-1]
    return WeightsInfo(
        model_name=name,
        kind="imagenet",
        tag=config.tag or tag,
        source=f"timm, {config.hf_hub_id}",
        path=path,
        licence=config.license or "see the weights' page",
        mean=tuple(config.mean),
        std=tuple(config.std),
        image_size=size,
        resize_size=int(size / config.crop_pct),
        interpolation=config.interpolation,
        classes=_imagenet_classes(config.num_classes),
    )


def timm_path(config) -> Path | None:
    """Return the cached file of a timm configuration, None where there is none."""
    for file_name in ("model.safetensors", "pytorch_model.bin"):
        found = huggingface_hub.try_to_load_from_cache(config.hf_hub_id, file_name)
        if isinstance(found, str):
            return Path(found)
    return None


def _imagenet_classes(num_classes: int) -> tuple[str, ...]:
    if num_classes != 1000:
        return ()
    return tuple(models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


# -- a file, or none -------------------------------------------------------------------


def _random_info(library: str, name: str) -> WeightsInfo:
    like = _bundled_info(library, name, "") or WeightsInfo(
        name, "random", "", "", image_size=_native_size(library, name)
    )
    return replace(
        like,
        kind="random",
        tag="",
        source="drawn from torch's generator",
        path=None,
        licence="unknown",
        resize_size=like.image_size,
        interpolation="bilinear",
        classes=(),
    )


def _native_size(library: str, name: str) -> int:
    if library == "timm" and (config := timm_config(name)):
        return config.input_size[-1]
    return 299 if name == "inception_v3" else 224


def _file_info(library: str, name: str, path: Path) -> WeightsInfo:
    if not path.is_file():
        raise WeightsUnavailable(f"no file of weights at {path}")
    like = _random_info(library, name)
    return replace(like, kind="file", tag=path.name, source=path.name, path=path)


# -- building --------------------------------------------------------------------------


def _build(info: WeightsInfo) -> nn.Module:
    library, name, _ = parse_name(info.model_name)
    if library == "torchvision":
        aux = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        model = models.get_model(name, weights=None, **aux)
    elif info.kind == "imagenet":
        overlay = {"file": str(info.path)}
        full = f"{name}.{info.tag}" if info.tag else name
        return timm.create_model(full, pretrained=True, pretrained_cfg_overlay=overlay)
    else:
        kwargs = dict(info.create_kwargs)
        if info.classes:
            kwargs["num_classes"] = len(info.classes)
        model = timm.create_model(name, **kwargs)
    if info.kind == "bundled":
        _check_card(info)
    if info.path is not None:
        load_state(model, read_state_dict(info.path), source=info.path.name)
    return model


def _check_card(info: WeightsInfo) -> None:
    """Raise `DamagedCheckpoint` where a bundled file is not the one on its card."""
    if info.sha256 != bundled_card(info.model_name)["sha256"]:
        raise DamagedCheckpoint(
            f"{info.path.name} is not what its card says: it was changed or cut short. "
            "Take data/weights from the course again"
        )


def build_bundled(name: str, *, num_classes: int) -> nn.Module:
    """Build a bundled architecture as it was pretrained (64 px), with random weights."""
    kwargs = bundled_card(name)["create_kwargs"]
    return timm.create_model(name, num_classes=num_classes, **kwargs)
