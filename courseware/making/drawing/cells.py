"""Four kinds of stained cell under a microscope, told apart by form, not by stain."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from courseware.making.drawing import canvas
from courseware.making.drawing.canvas import WIDE, hsv, mix

CLASSES = ("dividing", "lobed", "round", "spindle")
STAINS = {
    "violet": (0.77, 0.86),
    "magenta": (0.88, 0.93),
    "blue": (0.62, 0.88),
    "brown": (0.06, 0.1),
    "green": (0.38, 0.42),
}  # hue of the nucleus, hue of the tissue


def draw(kind: str, rng: np.random.Generator, *, shifted: bool = False):
    """Draw one cell: uint8 (64, 64, 3), and its attributes `stain` and `crowding`.

    `shifted` is another microscope: fluorescence on a dark ground, out of focus.
    """
    stain = str(rng.choice(list(STAINS)))
    crowding = int(rng.integers(0, 5))
    nucleus, tissue = _palette(stain, rng, shifted)
    image = _tissue(tissue, rng)
    for _ in range(crowding):
        _bystander(image, tissue, rng)
    centre = WIDE / 2 + rng.uniform(-0.12, 0.12, 2) * WIDE
    size = rng.uniform(0.2, 0.3) * WIDE
    angle = rng.uniform(0, math.tau)
    _body(image, kind, centre, size, angle, nucleus, tissue, rng)
    _NUCLEUS[kind](image, centre, size, angle, nucleus, rng)
    image = canvas.tinted(image, canvas.soft_field(rng, 14), rng.uniform(0.06, 0.14))
    image = canvas.blurred(
        image, rng.uniform(0.9, 1.6) if shifted else rng.uniform(0.2, 0.6)
    )
    pixels = canvas.finished(image)
    if shifted:
        noisy = pixels + rng.normal(0, 7, pixels.shape)
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return pixels, {"stain": stain, "crowding": crowding}


def _palette(stain: str, rng: np.random.Generator, shifted: bool):
    hue, ground = STAINS[stain]
    hue, ground = hue + rng.normal(0, 0.015), ground + rng.normal(0, 0.015)
    if shifted:
        return hsv(hue, 0.75, rng.uniform(0.75, 1)), hsv(
            ground, 0.6, rng.uniform(0.08, 0.2)
        )
    nucleus = hsv(hue, rng.uniform(0.5, 0.75), rng.uniform(0.4, 0.6))
    return nucleus, hsv(ground, rng.uniform(0.08, 0.28), rng.uniform(0.85, 0.98))


def _tissue(colour, rng: np.random.Generator) -> Image.Image:
    image = canvas.gradient(
        colour, mix(colour, (255, 255, 255), 0.2), rng.uniform(0, 6)
    )
    image = canvas.tinted(image, canvas.soft_field(rng, 5), rng.uniform(0.08, 0.2))
    return canvas.tinted(image, canvas.soft_field(rng, 18), rng.uniform(0.03, 0.1))


def _wobbly(rng, centre, radii, angle, wobble=0.06) -> np.ndarray:
    """A closed outline near an ellipse, with a few soft dents."""
    t = np.linspace(0, math.tau, 60, endpoint=False)
    waves = sum(
        rng.normal(0, wobble / k) * np.cos(k * t + rng.uniform(0, math.tau))
        for k in range(2, 6)
    )
    ring = (
        np.stack([radii[0] * np.cos(t), radii[1] * np.sin(t)], 1) * (1 + waves)[:, None]
    )
    return canvas.turn(ring, angle) + np.asarray(centre)


def _bystander(image, tissue, rng) -> None:
    """A red blood cell: a pale disc with a paler middle."""
    place, size = rng.uniform(0, WIDE, 2), rng.uniform(0.08, 0.13) * WIDE
    tone = mix(tissue, hsv(rng.uniform(0.96, 1.04), 0.5, 0.8), rng.uniform(0.35, 0.7))
    canvas.polygon(image, _wobbly(rng, place, (size, size * 0.95), 0), tone,
                   mix(tone, (0, 0, 0), 0.15))  # fmt: skip
    canvas.ellipse(image, place, (size * 0.45, size * 0.42), mix(tone, tissue, 0.6))


def _body(image, kind, centre, size, angle, nucleus, tissue, rng) -> None:
    long = {"spindle": 2.1, "dividing": 1.35}.get(kind, 1.15)
    wide = {"spindle": 0.55, "dividing": 1.05}.get(kind, 1.1)
    fill = mix(tissue, nucleus, rng.uniform(0.18, 0.32))
    outline = _wobbly(rng, centre, (size * long, size * wide), angle)
    canvas.polygon(image, outline, fill, mix(fill, nucleus, 0.35))


def _blot(image, outline, colour, rng) -> None:
    """Fill a piece of nucleus, with grains of chromatin."""
    canvas.polygon(image, outline, colour, mix(colour, (0, 0, 0), 0.3))
    low, high = outline.min(0), outline.max(0)
    middle = (low + high) / 2
    for _ in range(7):
        at = middle + rng.uniform(-0.26, 0.26, 2) * (high - low)
        grain = WIDE * rng.uniform(0.008, 0.016)
        tone = mix(colour, (0, 0, 0) if rng.random() < 0.6 else (255, 255, 255), 0.25)
        canvas.ellipse(image, at, (grain, grain), tone)


def _round(image, centre, size, angle, colour, rng) -> None:
    radii = size * rng.uniform(0.72, 0.86, 2)
    _blot(image, _wobbly(rng, centre, radii, angle, 0.04), colour, rng)


def _lobed(image, centre, size, angle, colour, rng) -> None:
    lobes = int(rng.integers(3, 5))
    arc = angle + np.linspace(-1.5, 1.5, lobes) * rng.uniform(0.8, 1.1)
    places = np.stack([np.cos(arc), np.sin(arc)], 1) * size * 0.58 + np.asarray(centre)
    for a, b in zip(places, places[1:], strict=False):
        thin = _wobbly(rng, (a + b) / 2, (size * 0.4, size * 0.1),
                       math.atan2(*(b - a)[::-1]), 0.02)  # fmt: skip
        canvas.polygon(image, thin, colour)
    for place in places:
        radii = size * rng.uniform(0.27, 0.38, 2)
        _blot(image, _wobbly(rng, place, radii, rng.uniform(0, 6)), colour, rng)


def _spindle(image, centre, size, angle, colour, rng) -> None:
    radii = (size * rng.uniform(1.0, 1.25), size * rng.uniform(0.26, 0.36))
    _blot(image, _wobbly(rng, centre, radii, angle, 0.04), colour, rng)


def _dividing(image, centre, size, angle, colour, rng) -> None:
    gap = size * rng.uniform(0.3, 0.6)
    axis = np.array([math.cos(angle), math.sin(angle)])
    for side in (-1, 1):
        place = np.asarray(centre) + side * gap * axis
        radii = (size * rng.uniform(0.15, 0.22), size * rng.uniform(0.62, 0.8))
        _blot(image, _wobbly(rng, place, radii, angle, 0.1), colour, rng)


_NUCLEUS = {
    "round": _round,
    "lobed": _lobed,
    "spindle": _spindle,
    "dividing": _dividing,
}
