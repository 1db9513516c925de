"""A small canvas for the target pictures: shapes drawn large, then shrunk."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE, FINE = 64, 4  # pixels a side; drawn FINE times as large for smooth edges
WIDE = SIZE * FINE
Colour = tuple[int, int, int]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Turn hue (turns), saturation and value (0 to 1) into 8-bit RGB."""
    rgb = colorsys.hsv_to_rgb(hue % 1, np.clip(saturation, 0, 1), np.clip(value, 0, 1))
    return tuple(int(round(255 * c)) for c in rgb)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Blend two colours; share 0 gives a, 1 gives b."""
    return tuple(int(round(x + (y - x) * share)) for x, y in zip(a, b, strict=True))


def gradient(top: Colour, bottom: Colour, angle: float = 0.0) -> Image.Image:
    """Fill a canvas with a straight gradient; angle 0 runs from top to bottom."""
    axis = np.linspace(-0.5, 0.5, WIDE)
    x, y = np.meshgrid(axis, axis)
    share = np.clip(y * math.cos(angle) + x * math.sin(angle) + 0.5, 0, 1)[..., None]
    pixels = np.array(top) * (1 - share) + np.array(bottom) * share
    return Image.fromarray(pixels.astype(np.uint8))


def soft_field(rng: np.random.Generator, cells: int) -> np.ndarray:
    """A smooth random field (WIDE, WIDE) in 0 to 1, with about `cells` hills a side."""
    grid = Image.fromarray((rng.random((cells + 2, cells + 2)) * 255).astype(np.uint8))
    return np.asarray(grid.resize((WIDE, WIDE), Image.BICUBIC), dtype=float) / 255


def tinted(image: Image.Image, field: np.ndarray, strength: float) -> Image.Image:
    """Lighten and darken an image by a field in 0 to 1 (0.5 leaves it)."""
    factor = 1 + (field[..., None] - 0.5) * 2 * strength
    return Image.fromarray(np.clip(np.asarray(image) * factor, 0, 255).astype(np.uint8))


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """Blur by a radius in pixels of the finished picture."""
    return image.filter(ImageFilter.GaussianBlur(radius * FINE))


def polygon(
    image: Image.Image, points, fill: Colour, edge: Colour | None = None
) -> None:
    """Draw a polygon with an optional edge, in place; points in fine pixels."""
    draw = ImageDraw.Draw(image)
    points = [tuple(p) for p in points]
    draw.polygon(points, fill=fill)
    if edge is not None:
        draw.line([*points, points[0]], fill=edge, width=max(2, FINE // 2))


def ellipse(
    image, centre, radii, fill: Colour, *, angle: float = 0.0, edge=None
) -> None:
    """Draw a turned ellipse, in place; centre and radii in fine pixels."""
    t = np.linspace(0, math.tau, 40, endpoint=False)
    ring = np.stack([radii[0] * np.cos(t), radii[1] * np.sin(t)], axis=1)
    polygon(image, turn(ring, angle) + np.asarray(centre), fill, edge)


def turn(points: np.ndarray, angle: float) -> np.ndarray:
    """Turn points (n, 2) about the origin."""
    c, s = math.cos(angle), math.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def finished(image: Image.Image) -> np.ndarray:
    """Shrink a canvas to the finished picture, uint8 (64, 64, 3)."""
    return np.asarray(image.resize((SIZE, SIZE), Image.BOX))
