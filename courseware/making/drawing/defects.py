"""Four kinds of damage on brushed metal: scratch, crack, pits and stain."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from courseware.making.drawing import canvas
from courseware.making.drawing.canvas import FINE, WIDE, mix

LINES = 70  # brushing lines across a plate
CLASSES = ("crack", "pits", "scratch", "stain")
METALS = {
    "steel": (168, 172, 178),
    "aluminium": (200, 203, 206),
    "brass": (188, 164, 104),
    "copper": (182, 120, 92),
}


def draw(kind: str, rng: np.random.Generator, *, shifted: bool = False):
    """Draw one plate: uint8 (64, 64, 3), and its attributes `metal` and `severity`.

    `severity` is 1 (slight) to 3 (grave). `shifted` is another line of production:
    dark, oily, cross-brushed metal under a spotlight.
    """
    metal = str(rng.choice(list(METALS)))
    severity = int(rng.integers(1, 4))
    image = _plate(METALS[metal], rng, shifted)
    _DAMAGE[kind](image, severity, rng)
    image = canvas.blurred(image, rng.uniform(0.25, 0.5))
    pixels = canvas.finished(image)
    if shifted:
        pixels = _spotlight(pixels, rng)
    return pixels, {"metal": metal, "severity": severity}


def _plate(colour, rng: np.random.Generator, shifted: bool) -> Image.Image:
    light = rng.uniform(0.45, 0.7) if shifted else rng.uniform(0.75, 1.1)
    base = tuple(min(255, int(c * light)) for c in colour)
    image = canvas.gradient(mix(base, (255, 255, 255), rng.uniform(0, 0.25)),
                            mix(base, (0, 0, 0), rng.uniform(0, 0.25)),
                            rng.uniform(0, math.tau))  # fmt: skip
    angle = rng.uniform(0, 180)
    for turn in (angle, angle + 90)[: 2 if shifted else 1]:
        image = canvas.tinted(image, _brushing(rng, turn), rng.uniform(0.05, 0.12))
    return canvas.tinted(image, canvas.soft_field(rng, 3), rng.uniform(0.03, 0.12))


def _brushing(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """Fine parallel lines (WIDE, WIDE) in 0 to 1."""
    lines = (rng.random((2 * LINES, 6)) * 255).astype(np.uint8)
    wide = Image.fromarray(lines).resize((2 * WIDE, 2 * WIDE), Image.BILINEAR)
    turned = wide.rotate(degrees, resample=Image.BILINEAR)
    half = WIDE // 2
    return np.asarray(turned.crop((half, half, half + WIDE, half + WIDE)), float) / 255


def _middle(rng: np.random.Generator) -> np.ndarray:
    return WIDE / 2 + rng.uniform(-0.2, 0.2, 2) * WIDE


def _tone(rng: np.random.Generator, light: float) -> tuple[int, int, int]:
    return (238, 238, 235) if rng.random() < light else (52, 47, 44)


def _scratch(image: Image.Image, severity: int, rng: np.random.Generator) -> None:
    """One to three long, nearly straight lines."""
    draw = ImageDraw.Draw(image)
    angle, place = rng.uniform(0, math.pi), _middle(rng)
    for _ in range(int(rng.integers(1, severity + 1))):
        way = (
            np.array([math.cos(angle), math.sin(angle)]) * WIDE * rng.uniform(0.2, 0.4)
        )
        bow = rng.normal(0, 0.03, 2) * WIDE
        t = np.linspace(-1, 1, 14)[:, None]
        path = place + t * way + (1 - t**2) * bow
        width = int(FINE * rng.uniform(0.5, 0.8) + severity)
        draw.line(
            [tuple(p) for p in path + FINE * 0.6], fill=_tone(rng, 0), width=width
        )
        draw.line([tuple(p) for p in path], fill=_tone(rng, 0.7), width=width)
        place, angle = place + rng.normal(0, 0.1, 2) * WIDE, angle + rng.normal(0, 0.12)


def _crack(image: Image.Image, severity: int, rng: np.random.Generator) -> None:
    """A jagged dark line that branches."""
    start = _middle(rng) - rng.uniform(0.1, 0.3, 2) * WIDE * rng.choice([-1, 1], 2)
    towards = math.atan2(*(WIDE / 2 - start)[::-1]) + rng.normal(0, 0.4)
    _branch(image, start, towards, 8 + 2 * severity, 1.6 + severity, rng)


def _branch(image, at, angle, steps, width, rng) -> None:
    draw = ImageDraw.Draw(image)
    for step in range(int(steps)):
        angle += rng.normal(0, 0.55)
        to = at + np.array([math.cos(angle), math.sin(angle)]) * WIDE * 0.06
        line = [tuple(at), tuple(to)]
        draw.line(
            line, fill=(38, 34, 32), width=max(2, int(width * (1 - step / steps) + 2))
        )
        at = to
        if rng.random() < 0.24 and steps > 5:
            side = angle + rng.choice([-1, 1]) * rng.uniform(0.6, 1.2)
            _branch(image, at, side, steps // 2, width * 0.6, rng)


def _pits(image: Image.Image, severity: int, rng: np.random.Generator) -> None:
    """A cluster of small round holes, each with a bright lower rim."""
    centre, spread = _middle(rng), rng.uniform(0.1, 0.2) * WIDE
    for _ in range(int(rng.integers(4, 7)) + 3 * severity):
        place = centre + rng.normal(0, 1, 2) * spread
        size = rng.uniform(0.012, 0.022) * WIDE * (1 + 0.2 * severity)
        canvas.ellipse(image, place + size * 0.45, (size, size), (232, 230, 226))
        canvas.ellipse(image, place, (size, size), (46, 42, 40))


def _stain(image: Image.Image, severity: int, rng: np.random.Generator) -> None:
    """A soft patch with an irregular edge, darker or rusty, never a line or a hole."""
    tone = (96, 60, 34) if rng.random() < 0.5 else _tone(rng, 0.2)
    mask = Image.new("L", image.size, 0)
    centre = _middle(rng)
    for _ in range(int(rng.integers(2, 4)) + severity):
        place = centre + rng.normal(0, 0.07, 2) * WIDE
        radii = rng.uniform(0.06, 0.15, 2) * WIDE
        t = np.linspace(0, math.tau, 30, endpoint=False)
        ring = np.stack([radii[0] * np.cos(t), radii[1] * np.sin(t)], 1) + place
        ImageDraw.Draw(mask).polygon([tuple(p) for p in ring], fill=60 + 35 * severity)
    mask = canvas.blurred(mask, rng.uniform(0.8, 1.8))
    image.paste(Image.new("RGB", image.size, tone), (0, 0), mask)


def _spotlight(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    axis = np.linspace(-1, 1, pixels.shape[0])
    x, y = np.meshgrid(axis, axis)
    reach = (x - rng.uniform(-0.6, 0.6)) ** 2 + (y - rng.uniform(-0.6, 0.6)) ** 2
    light = 0.55 + 0.7 * np.exp(-1.3 * reach)[..., None]
    noisy = pixels * light + rng.normal(0, 6, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


_DAMAGE = {"scratch": _scratch, "crack": _crack, "pits": _pits, "stain": _stain}
