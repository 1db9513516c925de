"""What weights are: where they came from, what they may be used for, what they expect."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import floor
from numbers import Integral
from pathlib import Path

import torch
from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio
from torchvision.transforms import InterpolationMode, v2

from course_utils.rgb import ToRGB
from course_utils.storage import sha256_file

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_OPEN = re.compile(r"apache|mit|bsd|cc-by-4\.0$|see the weights' page")
_NO_COMMERCE = re.compile(r"(-nc\b|noncommercial|amlr|seer|SWAG)", re.IGNORECASE)


@dataclass(frozen=True)
class WeightsInfo:
    """Where weights came from, and the preprocessing that belongs to them.

    >>> import torch
    >>> from course_utils.weights import find_weights
    >>> info = find_weights("test_resnet", weights="bundled")
    >>> info.describe()
    "test_resnet: bundled weights (test_resnet.safetensors, trained on this course's
    drawings, not on ImageNet)"
    >>> info.transform(torch.zeros(3, 80, 120, dtype=torch.uint8)).shape
    torch.Size([3, 64, 64])
    """

    model_name: str
    kind: str  # "bundled", "imagenet", "pretrained", "file" or "random"
    tag: str
    source: str
    path: Path | None = None
    licence: str = "unknown"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    image_size: int = 224  # height in pixels; the width too, unless that is given
    resize_size: int = 224
    interpolation: str = "bilinear"
    classes: tuple[str, ...] = ()
    create_kwargs: dict = field(default_factory=dict)
    crop_mode: str = "center"  # timm's: "center", "squash" or "border"
    image_width: int | None = None
    data: str = ""  # what they were trained on, where that is known

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file of weights; None for random weights."""
        return sha256_file(self.path) if self.path else None

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that they were made for."""
        return self.image_size, self.image_width or self.image_size

    @property
    def normalize(self) -> v2.Normalize:
        """Subtract the mean and divide by the standard deviation, per channel."""
        return v2.Normalize(self.mean, self.std)

    @property
    def transform(self) -> v2.Compose:
        """The inference preset: PIL or uint8 (3, H, W) -> normalised (3, S, S)."""
        return self._compose(self.resize_size, self.input_size)

    def transform_for(self, image_size: int) -> v2.Compose:
        """The same at another side length in pixels, without a cropped margin."""
        whole = isinstance(image_size, Integral) and not isinstance(image_size, bool)
        if not whole or image_size < 1:
            raise ValueError(
                "image_size must be a whole number of pixels of at least 1, got "
                f"{image_size!r}"
            )
        return self._compose(image_size, (image_size, image_size))

    def _compose(self, resize: int, crop: tuple[int, int]) -> v2.Compose:
        return v2.Compose(
            [
                ToRGB(),
                *self._fit(resize, crop),
                v2.ToImage(),  # after the resize: PIL's, as in torchvision's presets
                v2.ToDtype(torch.float32, scale=True),
                self.normalize,
            ]
        )

    def _fit(self, resize: int, crop: tuple[int, int]) -> list:
        """Steps that bring a picture to (height, width), as timm's `crop_mode` says."""
        mode = InterpolationMode(self.interpolation)
        height, width = crop
        both = (resize, floor(resize * width / height))
        if self.crop_mode == "border":  # timm's own steps pad a PIL image only
            fill = [round(255 * value) for value in self.mean]
            keep = ResizeKeepRatio(both, longest=1.0, interpolation=self.interpolation)
            return [v2.ToPILImage(), keep, CenterCropOrPad(crop, fill=fill)]
        if self.crop_mode == "squash":
            first = v2.Resize(both, interpolation=mode, antialias=True)
        elif height != width:
            first = ResizeKeepRatio(both, interpolation=self.interpolation)
        else:
            first = v2.Resize(resize, interpolation=mode, antialias=True)
        return [first, v2.CenterCrop(height if height == width else crop)]

    def describe(self) -> str:
        """Say in one line which weights these are, and what their licence forbids."""
        data = f"; trained on {self.data}" if self.kind == "pretrained" else ""
        return f"{self.model_name}: {self.kind} weights ({self.source}{data})" + (
            self._licence_word()
        )

    def _licence_word(self) -> str:
        """What to know of the licence; "" where it is a common open one."""
        if self.kind not in ("imagenet", "pretrained") or _OPEN.match(self.licence):
            return ""
        if _NO_COMMERCE.search(self.licence):
            return f"; licence {self.licence}: not for commercial use"
        return f"; licence {self.licence}" + (
            "" if self.licence == "unknown" else ": it has terms of its own"
        )
