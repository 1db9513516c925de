"""Any picture to upright RGB: one reading, whichever way a picture comes in."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps
from torchvision.transforms import v2


class BrokenImage(ValueError):
    """Say that a picture cannot be read, and why.

    >>> from PIL import Image
    >>> from course_utils.rgb import to_rgb
    >>> to_rgb(Image.new("F", (8, 8), 300.0))
    Traceback (most recent call last):
        ...
    course_utils.rgb.BrokenImage: mode F with values outside 0..1 cannot become RGB
    """


class ToRGB(v2.Transform):
    """The first step of a preset: PIL pictures and arrays to upright RGB.

    PIL pictures of any mode, and arrays (H, W) or (H, W, 1, 3 or 4) of uint8, become
    RGB as `to_rgb` says, and the camera's orientation tag is applied. Tensors pass.

    >>> import numpy as np
    >>> from course_utils.rgb import ToRGB
    >>> picture = ToRGB()(np.zeros((48, 64), dtype=np.uint8))
    >>> picture.mode, picture.size
    ('RGB', (64, 48))
    """

    _transformed_types = (Image.Image, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Image.Image:
        """Return one picture in RGB."""
        image = as_pil(inpt) if isinstance(inpt, np.ndarray) else inpt
        return to_rgb(upright(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any PIL image to RGB.

    Grey, palette and CMYK are converted; transparency is laid on white; 16-bit grey
    (0..65535) is scaled to 8 bits; floats must lie within 0..1.

    Raises `BrokenImage` for values outside those ranges.

    >>> from PIL import Image
    >>> from course_utils.rgb import to_rgb
    >>> to_rgb(Image.new("RGBA", (8, 8), (255, 0, 0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Apply the camera's orientation tag; a broken tag is no reason to lose a photo.

    >>> from PIL import Image
    >>> from course_utils.rgb import upright
    >>> photo = Image.new("RGB", (64, 48))
    >>> photo.getexif()[274] = 6  # the camera was held on its side
    >>> upright(photo).size
    (48, 64)
    """
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except Exception:
        image.load()  # where the pixels are what is broken, it raises again
        return image


def as_pil(pixels: np.ndarray) -> Image.Image:
    """Return an array (H, W) or (H, W, 1, 3 or 4) of uint8 as a PIL image.

    Raises `ValueError` for other shapes and types.

    >>> import numpy as np
    >>> from course_utils.rgb import as_pil
    >>> as_pil(np.zeros((48, 64, 3), dtype=np.uint8)).size
    (64, 48)
    >>> as_pil(np.zeros((3, 48, 64), dtype=np.uint8))
    Traceback (most recent call last):
        ...
    ValueError: a picture as an array is uint8 of (H, W) or (H, W, 1, 3 or 4), got uint8
    of shape (3, 48, 64)
    """
    if pixels.dtype == np.uint8 and pixels.ndim in (2, 3) and pixels.size:
        if pixels.ndim == 2 or pixels.shape[2] in (1, 3, 4):
            return Image.fromarray(
                pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
            )
    raise ValueError(
        "a picture as an array is uint8 of (H, W) or (H, W, 1, 3 or 4), got "
        f"{pixels.dtype} of shape {pixels.shape}"
    )


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    if image.mode == "I" and values.max() <= 255:  # 8 bits in 32, as convert("I") gives
        top = 255.0
    if not (values.min() >= 0 and values.max() <= top):
        raise BrokenImage(
            f"mode {image.mode} with values outside 0..{top:g} cannot become RGB"
        )
    return Image.fromarray((values * (255 / top)).round().astype(np.uint8))
