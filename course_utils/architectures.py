"""Names of architectures: torchvision's and timm's, and how each is built."""

from __future__ import annotations

import difflib
import warnings
from functools import cache
from typing import Any

import timm
from torch import nn
from torchvision import models

from course_utils.errors import UnknownModel, text


def parse_name(name: str) -> tuple[str, str, str]:
    """Split a name into library ("torchvision" or "timm"), model and weights tag.

    A name that both libraries have is torchvision's; write "timm/…" for timm's.
    """
    prefix, _, rest = text("a model's name", name).rpartition("/")
    model_name, _, tag = rest.partition(".")
    if prefix in ("", "torchvision") and not tag and model_name in torchvision_names():
        return "torchvision", model_name, ""
    if prefix in ("", "timm") and timm.is_model(model_name):
        return "timm", model_name, tag
    known = [*torchvision_names(), *timm.list_models()]
    near = difflib.get_close_matches(model_name, known, n=3)
    hint = f"Nearest: {', '.join(near)}." if near else "See timm.list_models()."
    raise UnknownModel(f"no torchvision or timm model is named {name!r}. {hint}")


@cache
def torchvision_names() -> tuple[str, ...]:
    """List torchvision's 80 classification models."""
    return tuple(models.list_models(module=models))


def build(name: str, **options: Any) -> nn.Module:
    """Build a model with random weights; `options` go to the library's own builder."""
    library, model_name, _ = parse_name(name)
    with warnings.catch_warnings():  # builders warn of initialisation that is slow
        warnings.simplefilter("ignore")
        if library == "torchvision":
            return models.get_model(model_name, weights=None, **options)
        return timm.create_model(model_name, pretrained=False, **options)
