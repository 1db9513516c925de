"""Names of architectures: torchvision's and timm's, and how each is built."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any

import timm
from timm.models._registry import get_deprecated_models
from torch import nn
from torchvision import models

from course_utils.errors import UnknownModel


def parse_name(name: str) -> tuple[str, str, str]:
    """Split a name into library ("torchvision" or "timm"), model and weights tag.

    A name that both libraries have is torchvision's; write "timm/…" for timm's. A tag
    is one that the library has for the model: "resnet50.a1_in1k" (timm),
    "resnet50.IMAGENET1K_V2" (torchvision). Raises `UnknownModel` with the nearest names,
    and `TypeError` for what is no text.

    >>> from course_utils.architectures import parse_name
    >>> parse_name("resnet50"), parse_name("timm/resnet50.a1_in1k")
    (('torchvision', 'resnet50', ''), ('timm', 'resnet50', 'a1_in1k'))
    >>> parse_name("resnett50")
    Traceback (most recent call last):
        ...
    course_utils.errors.UnknownModel: no torchvision or timm model is named 'resnett50'.
    Nearest: ...
    """
    if not isinstance(name, str):
        raise TypeError(f'a name is a text, such as "resnet18", not {_shown(name)}')
    prefix, _, rest = name.rpartition("/")
    model_name, _, tag = rest.partition(".")
    if prefix in ("", "torchvision") and model_name in torchvision_names():
        if not tag or tag in models.get_model_weights(model_name).__members__:
            return "torchvision", model_name, tag
    if prefix in ("", "timm") and timm.is_model(model_name):
        return "timm", *_current(model_name, tag)
    near = nearest(model_name, [*torchvision_names(), *timm.list_models()])
    hint = near or "Names are listed by torchvision.models.list_models() and timm's."
    raise UnknownModel(f"no torchvision or timm model is named {name!r}. {hint}")


def _shown(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _current(model_name: str, tag: str) -> tuple[str, str]:
    """The name and tag that timm has today; refuse a tag that it has not."""
    if not tag and (current := get_deprecated_models().get(model_name)):
        model_name, _, tag = current.partition(".")
    try:
        timm.get_pretrained_cfg(".".join(filter(None, (model_name, tag))))
    except RuntimeError as error:
        tags = [t.partition(".")[2] for t in timm.list_pretrained(f"{model_name}.*")]
        hint = nearest(tag, tags) or f"It has: {', '.join(tags) or 'none'}."
        raise UnknownModel(
            f"timm has no weights of {model_name!r} with the tag {tag!r}. {hint}"
        ) from error
    return model_name, tag


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names are nearest, each once: "Nearest: a, b."; "" if none is.

    >>> from course_utils.architectures import nearest
    >>> nearest("Tulpi", ["tulip", "daisy"]), nearest("xyz", ["tulip", "daisy"])
    ('Nearest: tulip.', '')
    """
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3)
    return f"Nearest: {', '.join(by_lower[one] for one in near)}." if near else ""


def full_name(library: str, model_name: str) -> str:
    """Return a model's name as `parse_name` takes it back to the same library.

    >>> from course_utils.architectures import full_name
    >>> full_name("timm", "resnet50"), full_name("timm", "test_resnet")
    ('timm/resnet50', 'test_resnet')
    """
    ambiguous = library == "timm" and model_name in torchvision_names()
    return f"timm/{model_name}" if ambiguous else model_name


@cache
def torchvision_names() -> tuple[str, ...]:
    """List torchvision's 80 classification models.

    >>> from course_utils.architectures import torchvision_names
    >>> len(torchvision_names()), torchvision_names()[0]
    (80, 'alexnet')
    """
    return tuple(models.list_models(module=models))


def build(name: str, **options: Any) -> nn.Module:
    """Build a model with random weights; `options` go to the library's own builder.

    >>> from course_utils.architectures import build
    >>> build("timm/test_resnet", num_classes=5).fc
    Linear(in_features=96, out_features=5, bias=True)
    """
    library, model_name, _ = parse_name(name)
    with warnings.catch_warnings():  # builders warn of initialisation that is slow
        warnings.simplefilter("ignore")
        if library == "torchvision":
            return models.get_model(model_name, weights=None, **options)
        return timm.create_model(model_name, pretrained=False, **options)
