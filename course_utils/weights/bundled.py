"""The weights that came with the course, each with a card."""

from __future__ import annotations

import json
from pathlib import Path

import timm
from torch import nn

from course_utils.errors import DamagedCheckpoint, WeightsUnavailable, command
from course_utils.storage import data_dir
from course_utils.weights.info import WeightsInfo
from course_utils.weights.installed import how_to_install

BUNDLED = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")


def bundled_names() -> list[str]:
    """List the models whose weights came with the course, the teacher last.

    >>> from course_utils.weights import bundled_names
    >>> bundled_names()
    ['test_convnext', 'test_efficientnet', 'test_resnet', 'test_vit', 'resnet10t']
    """
    cards = [_card(path) for path in sorted((data_dir() / "weights").glob("*.json"))]
    cards.sort(key=lambda card: card["role"] != "backbone")
    return [card["model"] for card in cards]


def bundled_card(name: str) -> dict:
    """Return the card of bundled weights: data, recipe, figures, checksum, licence.

    >>> from course_utils.weights import bundled_card
    >>> card = bundled_card("test_resnet")
    >>> card["image_size"], card["licence"], len(card["classes"])
    (64, 'CC BY 4.0', 28)
    """
    path = data_dir() / "weights" / f"{name}.json"
    if not path.is_file():
        raise WeightsUnavailable(ways_out(name, "bundled weights"))
    return _card(path)


def _card(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def bundled_info(library: str, name: str) -> WeightsInfo | None:
    """Describe the bundled weights of a model; None where it has none."""
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


def check_card(info: WeightsInfo) -> None:
    """Raise `DamagedCheckpoint` where a bundled file is not the one on its card."""
    if info.sha256 != bundled_card(info.model_name)["sha256"]:
        raise DamagedCheckpoint(
            f"{info.path.name} is not what its card says: it was changed or cut short. "
            "Take data/weights from the course again"
        )


def build_bundled(name: str, *, num_classes: int) -> nn.Module:
    """Build a bundled architecture as it was pretrained (64 px), with random weights.

    >>> from course_utils.weights import build_bundled
    >>> model = build_bundled("test_vit", num_classes=5)
    >>> model.patch_embed.img_size, model.head.out_features
    ((64, 64), 5)
    """
    kwargs = bundled_card(name)["create_kwargs"]
    return timm.create_model(name, num_classes=num_classes, **kwargs)


def ways_out(name: str, what: str) -> str:
    """Say what to do where a model's weights of some kind are not on this machine."""
    wanted = "pretrained" if what.startswith("pretrained") else "ImageNet"
    ways = [
        *filter(None, [how_to_install(name)]),
        f"fetch {wanted} weights once, with a connection: `{command('fetch', name)}`",
    ]
    if bundled := ", ".join(bundled_names()):
        ways.append(f"load a model whose weights came with the course ({bundled})")
    ways.append('or use weights="random"')
    return f"no {what} for {name!r} on this machine. Ways out: {'; '.join(ways)}."
