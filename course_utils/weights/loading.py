"""Load a model with the weights that are asked for, or say what to do."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import timm
import torch
from torch import nn
from torchvision import models

from course_utils.architectures import full_name, parse_name, torchvision_names
from course_utils.arguments import checked
from course_utils.errors import CheckpointError, WeightsUnavailable
from course_utils.heads import replace_head
from course_utils.state_files import (
    FILES,
    check_numbers,
    compare_state,
    load_state,
    pick_state,
    read_file,
    states_in,
)
from course_utils.storage import sha256_file
from course_utils.weights.bundled import (
    bundled_info,
    bundled_names,
    check_card,
    ways_out,
)
from course_utils.weights.info import WeightsInfo
from course_utils.weights.installed import build_installed, installed_path
from course_utils.weights.released import (
    imagenet_is_cached,
    released_info,
    timm_config,
    timm_info,
    timm_kind,
    torchvision_info,
    torchvision_weights,
)

KINDS = ("auto", "bundled", "imagenet", "pretrained", "random")
_WITH_AUX = ("googlenet", "inception_v3")
_ONE_AT_A_TIME = Lock()
_said: set[tuple[str, str]] = set()


@checked
def default_backbone(default: str = "test_resnet") -> str:
    """Return the model that COURSE_BACKBONE names, else `default`.

    Where the weights of `default` are not on this machine, a line says so once, and
    test_resnet, which came with the course, serves.

    >>> import os
    >>> from course_utils.weights import default_backbone
    >>> default_backbone(), default_backbone("tf_efficientnet_lite0")
    ('test_resnet', 'tf_efficientnet_lite0')
    >>> os.environ["COURSE_BACKBONE"] = "test_vit"
    >>> default_backbone()
    'test_vit'
    >>> del os.environ["COURSE_BACKBONE"]
    """
    if chosen := os.environ.get("COURSE_BACKBONE"):
        return chosen
    if default in bundled_names():
        return default
    if os.environ.get("COURSE_WEIGHTS") == "bundled":
        return "test_resnet"
    if imagenet_is_cached(default):
        return default
    if (said := (default, "missing")) not in _said:
        _said.add(said)
        print(f"{ways_out(default, 'ImageNet weights')} Until then test_resnet serves.")
    return "test_resnet"


def default_weights_info() -> WeightsInfo:
    """Describe the weights that `load_backbone(default_backbone())` would load.

    >>> from course_utils.weights import default_weights_info
    >>> info = default_weights_info()
    >>> info.model_name, info.kind, info.input_size
    ('test_resnet', 'bundled', (64, 64))
    """
    return find_weights(default_backbone())


@checked(own=("name", "weights", "num_classes"))
def load_backbone(
    name: str,
    *,
    weights: str | Path | models.WeightsEnum | None = "auto",
    num_classes: int | None = None,
) -> nn.Module:
    """Load a torchvision or timm model in eval mode, without touching the network.

    `weights` is "auto" (pretrained if installed or in the local cache, else bundled;
    COURSE_WEIGHTS overrides), "bundled", "imagenet" (of ImageNet-1k only), "pretrained"
    (whatever the model's tag names), "random", a member of torchvision's enum, or the
    path of a file. In a file, prefixes and nestings that wrappers write are taken off.
    `num_classes` None keeps the head that the weights came with, 0 gives a model without
    a head (pooled features out), 2 or more a new head drawn from torch's global
    generator. The model's `weights_info` says where the weights came from; it is printed
    once.

    Raises `UnknownModel` (with the nearest names), `WeightsUnavailable` (with the ways
    out), `CheckpointError` (a file that is damaged, unsafe or of another model), and
    `ValueError` or `TypeError` for other values.

    >>> import torch
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> model(torch.zeros(1, 3, 64, 64)).shape, model.weights_info.kind
    (torch.Size([1, 5]), 'bundled')
    >>> load_backbone("test_resnett")
    Traceback (most recent call last):
        ...
    course_utils.errors.UnknownModel: no torchvision or timm model is named
    'test_resnett'. Nearest: test_resnet, ...
    """
    _check_num_classes(num_classes)
    _check_defaults()
    info = find_weights(name, weights=weights)
    with torch.inference_mode(False):  # else its parameters could never learn
        model, info = _build(info, keep_head=num_classes is None)
        if num_classes is not None:
            replace_head(model, int(num_classes))
    model.weights_info = info
    if (said := (info.model_name, info.source)) not in _said:
        _said.add(said)
        print(info.describe())
    return model.eval()


def _check_num_classes(num_classes: Any) -> None:
    if num_classes is None:
        return
    try:
        whole = operator.index(num_classes)
    except TypeError:
        whole = -1
    if isinstance(num_classes, bool) or whole < 0:
        raise ValueError(
            f"num_classes={num_classes!r}: give a whole number of classes, 0 for no "
            "head, or None for the head that the weights came with"
        )
    if whole == 1:
        raise ValueError(
            "num_classes=1: one class needs no classifier, its answer is always the same. "
            "Yes or no is 2 classes; a single logit is replace_head(model, 1)"
        )


def _check_defaults() -> None:
    """Refuse torch's global defaults under which weights would be lost or not fit."""
    if torch.get_default_device().type == "meta":
        raise ValueError(
            "torch's default device is meta, which holds no numbers: weights would be "
            "lost. Load outside of torch.device('meta'), or build(name) without weights"
        )
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise ValueError(
            f"torch's default dtype is {dtype}, but weights and pictures are float32: "
            "call torch.set_default_dtype(torch.float32), and model.to(dtype) afterwards"
        )


# -- which weights ---------------------------------------------------------------------


@checked(own=("name", "weights"))
def find_weights(
    name: str, *, weights: str | Path | models.WeightsEnum | None = "auto"
) -> WeightsInfo:
    """Find out which weights `load_backbone` would load, without loading them.

    >>> from course_utils.weights import find_weights
    >>> find_weights("test_resnet", weights="bundled").path.name
    'test_resnet.safetensors'
    >>> find_weights("resnet18", weights="imagenet")
    Traceback (most recent call last):
        ...
    course_utils.errors.WeightsUnavailable: no ImageNet weights for 'resnet18' on this
    machine. Ways out: fetch ImageNet weights once, with a connection: `course fetch
    resnet18`; ...
    """
    library, model_name, tag = parse_name(name)
    if member := _member(library, model_name, weights):
        tag, weights = member.name, "pretrained"
    asked, environment = "weights", os.environ.get("COURSE_WEIGHTS")
    if isinstance(weights, str) and weights == "auto" and environment:
        weights, asked = environment, "COURSE_WEIGHTS"
    if isinstance(weights, os.PathLike) or _is_path(weights):
        return _file_info(library, model_name, tag, Path(weights).expanduser())
    if weights not in KINDS:
        raise ValueError(_unknown(weights, asked))
    if weights == "random":
        return _random_info(library, model_name)
    info = None if weights == "bundled" else released_info(library, model_name, tag)
    if weights == "imagenet":
        _check_imagenet(library, model_name, tag)
    if info is None and (weights == "bundled" or (weights == "auto" and not tag)):
        info = bundled_info(library, model_name)
    if info is None:
        kind = {"imagenet": "ImageNet weights", "auto": "weights"}
        full = f"{name}.{tag}" if tag and tag not in name else name
        raise WeightsUnavailable(
            ways_out(full, kind.get(weights, f"{weights} weights"))
        )
    return info


def _is_path(weights: Any) -> bool:
    if not isinstance(weights, str) or weights in KINDS or "://" in weights:
        return False
    named = Path(weights).suffix.lower() in FILES or "/" in weights or os.sep in weights
    return named or Path(weights).expanduser().is_file()


def _unknown(weights: Any, asked: str) -> str:
    if weights is None:
        return (
            'weights=None is random weights in torchvision: write weights="random" for '
            'those, or leave it out ("auto") for what is on this machine'
        )
    if isinstance(weights, str) and "://" in weights:
        return (
            f"{asked}={weights!r}: nothing is downloaded here. Download the file and give "
            "its path; torchvision's and timm's come by `course fetch`"
        )
    shown = repr(weights) if isinstance(weights, str) else f"a {type(weights).__name__}"
    return (
        f"{asked}={shown}: use one of {', '.join(KINDS)}, a member of torchvision's enum, "
        "or the path of a .safetensors or .pth file"
    )


def _member(library: str, name: str, weights: Any) -> models.WeightsEnum | None:
    """The member of the net's own enum that is meant, by itself or by its name."""
    own = models.get_model_weights(name) if library == "torchvision" else None
    if isinstance(weights, str) and own:
        return own.__members__.get(weights.removeprefix(f"{own.__name__}."))
    if not isinstance(weights, models.WeightsEnum):
        return None
    if own and isinstance(weights, own):
        return weights
    members = f"its own are {own.__name__}" if own else "timm's are named by a tag"
    raise ValueError(
        f"weights={weights!r} are not weights of {full_name(library, name)!r}: {members}"
    )


def _check_imagenet(library: str, name: str, tag: str) -> None:
    """Refuse to call weights ImageNet's that were trained on something else."""
    if library == "torchvision":
        kind, tags = torchvision_info(name, torchvision_weights(name, tag)[0]).kind, []
    else:
        config = timm_config(name, tag)
        kind = timm_kind(config) if config.has_weights else "imagenet"
        tags = timm.list_pretrained(f"{name}.*")
    if kind != "imagenet":
        others = [t for t in tags if timm_kind(timm_config(t)) == "imagenet"]
        raise WeightsUnavailable(
            f"the weights of {name!r} ({tag or config.tag}) are not ImageNet-1k's: "
            'weights="pretrained" takes them'
            + (f"; ImageNet's are those of {', '.join(others[:3])}" if others else "")
        )


def _random_info(library: str, name: str) -> WeightsInfo:
    like = bundled_info(library, name) or WeightsInfo(
        full_name(library, name), "random", "", "", image_size=_size(library, name)
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


def _size(library: str, name: str) -> int:
    if library == "timm":
        return timm_config(name).input_size[-1]
    return 299 if name == "inception_v3" else 224


def _file_info(library: str, name: str, tag: str, path: Path) -> WeightsInfo:
    """Describe a file: preprocessing is the net's own, as its maker's weights have it."""
    if path.is_dir():
        raise WeightsUnavailable(f"{path} is a folder: name the file of weights in it")
    if not path.is_file():
        raise WeightsUnavailable(f"no file of weights at {path}")
    if library == "torchvision":
        like = _torchvision_like(name, tag, path)
    elif tag or not (like := bundled_info(library, name)):
        like = timm_info(f"{name}.{tag}" if tag else name, timm_config(name, tag), path)
    return replace(
        like,
        kind="file",
        tag=path.name,
        source=path.name,
        path=path,
        licence="unknown",
        classes=like.classes if library == "torchvision" else (),
        data="",
    )


def _torchvision_like(name: str, tag: str, path: Path) -> WeightsInfo:
    """The member that a file is, by checksum or name; else the first, without classes."""
    members, checksum = torchvision_weights(name, tag), sha256_file(path)
    same = [m for m in members if checksum.startswith(m.url[-12:-4])]  # as names end
    alike = same or [m for m in members if m.url.endswith(f"/{path.name}")] or members
    like = torchvision_info(name, alike[0])
    return like if same else replace(like, classes=())


# -- building --------------------------------------------------------------------------


def _build(info: WeightsInfo, *, keep_head: bool) -> tuple[nn.Module, WeightsInfo]:
    """Build the model and fill it; what was done is added to the info's source."""
    library, name, tag = parse_name(info.model_name)
    if info.kind == "random":
        return _empty(library, name, info), info
    if info.kind == "bundled":
        check_card(info)
    if info.kind in ("imagenet", "pretrained"):
        makers = {"torchvision": _built_by_torchvision, "timm": _built_by_timm}
        return makers[library](name, info), info
    content = read_file(info.path)
    model = _empty(library, f"{name}.{tag}" if tag else name, info)
    state, words = pick_state(model, content, source=info.path.name)
    if side := _other_side(model, state):
        info = _at(info, side)
        model = _empty(library, f"{name}.{tag}" if tag else name, info, side)
        words.append(f"made for {side} px")
    words += load_state(model, state, source=info.path.name, keep_head=keep_head)
    return model, replace(info, source="; ".join([info.source, *words]))


def _empty(library: str, name: str, info: WeightsInfo, side: int = 0) -> nn.Module:
    """Build the model without its weights, for pictures of its own side or another."""
    if library == "torchvision":
        options = {"image_size": side} if side else {}
        if name in _WITH_AUX:  # a file's net began, most likely, as torchvision's
            ours = info.kind == "file"
            options = {"init_weights": not ours, "transform_input": ours}
        return models.get_model(name, weights=None, **options)
    kwargs = info.create_kwargs | ({"img_size": side} if side else {})
    if info.classes:
        kwargs["num_classes"] = len(info.classes)
    return timm.create_model(name, **kwargs)


def _built_by_torchvision(name: str, info: WeightsInfo) -> nn.Module:
    """Let torchvision build and fill its model from the file in the cache."""
    member, content = models.get_model_weights(name)[info.tag], read_file(info.path)
    state = max(states_in(content, source=info.path.name).values(), key=len)
    with _ONE_AT_A_TIME:  # else it would unpickle any code, or ask the network
        member.get_state_dict = lambda **_: state
        try:
            model = models.get_model(name, weights=member)
        except (RuntimeError, ValueError) as error:
            problem = compare_state(models.get_model(name, weights=None), state)
            raise CheckpointError(
                f"{info.path} does not fit {name}: {problem or error}"
            ) from error
        finally:
            del member.get_state_dict
    check_numbers(model, info.path.name)
    return model


def _built_by_timm(name: str, info: WeightsInfo) -> nn.Module:
    """Let timm build and fill its model from the file in the cache, or in the install."""
    if info.path == installed_path(name, info.tag):
        return build_installed(name, info.path)
    if info.path.suffix != ".safetensors":
        read_file(info.path)  # refuses pickled code
    # custom_load is for files of other frameworks; the hub has them converted
    overlay = {"file": str(info.path), "custom_load": False}
    try:
        model = timm.create_model(
            f"{name}.{info.tag}", pretrained=True, pretrained_cfg_overlay=overlay
        )
    except Exception as error:
        read_file(info.path)  # says what is wrong with the file
        raise CheckpointError(
            f"{info.path} does not fit {name}.{info.tag}: {error}"
        ) from error
    check_numbers(model, info.path.name)
    return model


def _other_side(model: nn.Module, state: dict[str, torch.Tensor]) -> int:
    """The side in pixels that a ViT's file is for, by its positions; 0 if the model's."""
    patches = getattr(model, "patch_embed", None)
    for name in ("encoder.pos_embedding", "pos_embed"):  # torchvision's, timm's
        own, saved = model.state_dict().get(name), state.get(name)
        if own is None or saved is None or own.ndim != 3 or own.shape == saved.shape:
            continue
        patch = getattr(model, "patch_size", None) or patches.patch_size[0]
        side = getattr(model, "image_size", None) or patches.img_size[0]
        beside = own.shape[1] - (side // patch) ** 2  # class and register tokens
        found = math.isqrt(max(0, saved.shape[1] - beside))
        return found * patch if found**2 + beside == saved.shape[1] else 0
    return 0


def _at(info: WeightsInfo, side: int) -> WeightsInfo:
    """The same at another side, as torchvision prepares for that, or cropped alike."""
    resize = round(side * info.resize_size / info.image_size)
    made = replace(info, image_size=side, resize_size=resize)
    if info.model_name in torchvision_names():
        for member in torchvision_weights(info.model_name):
            if (like := torchvision_info(info.model_name, member)).image_size == side:
                return replace(
                    made,
                    resize_size=like.resize_size,
                    interpolation=like.interpolation,
                )
    return made
