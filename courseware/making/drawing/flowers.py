"""Five species of flower that differ in the form of their petals, not in colour.

Colour, number of petals, size, pose, light and background vary alike in every species,
so that neither a colour histogram nor a count gives the species away.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from courseware.making.drawing import canvas
from courseware.making.drawing.canvas import WIDE, hsv, mix

CLASSES = ("daisy", "lotus", "periwinkle", "primrose", "sunflower")
COLOURS = {
    "white": (0.13, 0.04, 0.98),
    "yellow": (0.14, 0.85, 0.98),
    "red": (0.99, 0.82, 0.86),
    "pink": (0.92, 0.42, 0.96),
    "violet": (0.77, 0.55, 0.82),
    "blue": (0.62, 0.62, 0.9),
}
PETALS = (5, 6, 7, 8, 9)
GROUNDS = ("sky", "grass", "garden", "stone", "wood")


def draw(
    species: str,
    rng: np.random.Generator,
    *,
    shifted: bool = False,
    ground: str | None = None,
):
    """Draw one flower: uint8 (64, 64, 3), and its attributes `colour` and `petals`.

    `shifted` draws it at dusk or in autumn, on stone or wood, by a worse camera;
    `ground` is one of `GROUNDS`, by default any of the first three (shifted: the others).
    """
    colour, count = str(rng.choice(list(COLOURS))), int(rng.choice(PETALS))
    hard = shifted if ground is None else ground in GROUNDS[3:]
    image = _ground_shifted(rng, ground) if hard else _ground(rng, ground)
    centre = WIDE / 2 + rng.uniform(-0.13, 0.13, 2) * WIDE
    radius = rng.uniform(0.27, 0.44) * WIDE
    _stem(image, centre, rng)
    hue, saturation, value = COLOURS[colour]
    tint = (hue + rng.normal(0, 0.012), saturation * rng.uniform(0.8, 1.1), value)
    _bloom(image, species, centre, radius, count, tint, rng)
    if rng.random() < 0.3:
        _blade(image, rng, front=True)
    image = canvas.tinted(image, canvas.soft_field(rng, 2), rng.uniform(0.05, 0.3))
    pixels = canvas.finished(image)
    pixels = _camera_shifted(pixels, rng) if shifted else pixels
    return pixels, {"colour": colour, "petals": count}


# -- petals ----------------------------------------------------------------------------


def _outline(species: str, rng: np.random.Generator) -> np.ndarray:
    """A petal along x from 0 (its base) to 1 (its tip): points (n, 2)."""
    t = np.linspace(0, 1, 22)
    if species == "daisy":  # narrow, rounded, with gaps between
        half = 0.115 * np.sin(math.pi * t**0.6) ** 0.5
    elif species == "sunflower":  # short, pointed
        half = 0.24 * np.sin(math.pi * t**0.85) * (1 - t) ** 0.25
    elif species == "lotus":  # broad, drawn out to a point
        half = 0.25 * np.sin(math.pi * t**0.75) ** 0.9 * (1 - 0.35 * t)
    elif species == "primrose":  # a heart: broad, with a notch
        half = 0.42 * np.sin(math.pi * np.minimum(t, 0.995) ** 1.7) ** 0.6
        upper = np.stack([t, half], 1)
        notch = np.array([[0.78, 0.0]])
        return np.concatenate([upper, notch, upper[::-1] * (1, -1)])
    else:  # periwinkle: a lopsided blade, like a propeller's
        upper = np.stack([t, 0.12 * np.sin(math.pi * t)], 1)
        lower = np.stack([t, -0.5 * np.sin(math.pi * t**1.6) ** 0.8], 1)
        return np.concatenate([upper, lower[::-1]])
    return np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]])


def _bloom(image, species, centre, radius, count, tint, rng) -> None:
    squash, lean = rng.uniform(0.72, 1.0), rng.uniform(0, math.tau)
    start = rng.uniform(0, math.tau)

    def place(points: np.ndarray, angle: float, scale: float = 1.0) -> np.ndarray:
        turned = canvas.turn(points * radius * scale, angle)
        tilted = canvas.turn(turned, -lean) * (1, squash)
        return canvas.turn(tilted, lean) + centre

    if species == "lotus":  # seen from the side: a fan of petals
        fan = np.linspace(-1.25, 1.25, count)
        order = sorted(range(count), key=lambda i: -abs(fan[i]))
        up = -math.pi / 2 + rng.uniform(-0.5, 0.5)
        base = np.asarray(centre) - canvas.turn(np.array([[radius * 0.45, 0]]), up)[0]
        for i in order:
            shape = _outline(species, rng) * (1.25, 1.15)
            points = canvas.turn(shape * radius, up + fan[i]) + base
            _petal(image, points, base, tint, rng)
        return
    rings = ((1.0, 0.0), (0.86, 0.5)) if species == "sunflower" else ((1.0, 0.0),)
    for scale, shift in rings:
        for i in range(count):
            angle = start + math.tau * (i + shift) / count + rng.normal(0, 0.04)
            shape = _outline(species, rng) * (1, _spread(species, count))
            size = scale * rng.uniform(0.94, 1.06)
            _petal(image, place(shape, angle, size), centre, tint, rng)
    _middle(image, species, centre, radius, place, count, start, rng)


def _spread(species: str, count: int) -> float:
    """Petals get narrower where there are more of them; daisies keep their gaps."""
    return {"daisy": 1.0, "sunflower": 1.15}.get(species, 1.0) * (6.5 / count) ** 0.7


def _petal(image: Image.Image, points, base, tint, rng) -> None:
    hue, saturation, value = tint
    value = value * rng.uniform(0.86, 1.0)
    fill, dark = hsv(hue, saturation, value), hsv(hue, saturation + 0.15, value * 0.66)
    canvas.polygon(image, points, fill, dark)
    inner = np.asarray(base) + (points - np.asarray(base)) * 0.62
    canvas.polygon(image, inner, mix(fill, dark, 0.22))
    far = points[np.argmax(((points - base) ** 2).sum(1))]
    rib = [tuple(base), tuple(base + (far - base) * 0.8)]
    ImageDraw.Draw(image).line(rib, fill=mix(fill, dark, 0.5), width=2)


def _middle(image, species, centre, radius, place, count, start, rng) -> None:
    share = {"daisy": 0.2, "sunflower": 0.5, "primrose": 0.14, "periwinkle": 0.1}[
        species
    ]
    warm = hsv(rng.uniform(0.08, 0.15), 0.85, rng.uniform(0.75, 0.95))
    dark = hsv(rng.uniform(0.05, 0.09), 0.75, rng.uniform(0.28, 0.42))
    fill = dark if species == "sunflower" else warm
    t = np.linspace(0, math.tau, 36, endpoint=False)
    ring = np.stack([np.cos(t), np.sin(t)], 1) * share
    canvas.polygon(image, place(ring, 0), fill, mix(fill, (0, 0, 0), 0.35))
    if species == "primrose":  # a star of nectar guides
        rays = np.arange(2 * count) * math.pi / count + start
        long = np.where(np.arange(2 * count) % 2, 0.12, 0.27)
        star = np.stack([np.cos(rays), np.sin(rays)], 1) * long[:, None]
        canvas.polygon(image, place(star, 0), warm)
        return
    seeds = int(90 * share) + 4  # a sunflower's spiral of seeds
    angle = np.arange(seeds) * 2.39996 + start
    reach = np.sqrt(np.arange(seeds) / seeds) * share * 0.86
    for x, y in place(np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None], 0):
        size = radius * 0.028
        light = mix(fill, (255, 230, 150), rng.uniform(0.1, 0.6))
        canvas.ellipse(image, (x, y), (size, size), light)


# -- ground ----------------------------------------------------------------------------


def _ground(rng: np.random.Generator, ground: str | None) -> Image.Image:
    kind = rng.integers(3) if ground is None else GROUNDS.index(ground)
    if kind == 0:  # sky over a meadow
        sky = hsv(rng.uniform(0.52, 0.6), rng.uniform(0.15, 0.5), rng.uniform(0.8, 1))
        low = hsv(rng.uniform(0.2, 0.33), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.75))
        image = canvas.gradient(sky, low, rng.normal(0, 0.15))
    elif kind == 1:  # grass
        deep = hsv(
            rng.uniform(0.22, 0.38), rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.5)
        )
        image = canvas.gradient(mix(deep, (255, 255, 200), 0.25), deep)
        for _ in range(40):
            _blade(image, rng)
        image = canvas.blurred(image, rng.uniform(0.5, 1.6))
    else:  # a garden out of focus
        deep = hsv(rng.uniform(0.2, 0.45), rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.6))
        image = canvas.gradient(deep, mix(deep, (20, 30, 20), 0.4), rng.uniform(0, 6))
        for _ in range(rng.integers(8, 18)):
            spot = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.4, 1))
            size = rng.uniform(0.03, 0.14) * WIDE
            place = rng.uniform(0, WIDE, 2)
            canvas.ellipse(image, place, (size, size), mix(deep, spot, 0.6))
        image = canvas.blurred(image, rng.uniform(1.2, 2.5))
    return canvas.tinted(image, canvas.soft_field(rng, 4), rng.uniform(0.05, 0.25))


def _ground_shifted(rng: np.random.Generator, ground: str | None) -> Image.Image:
    brown = hsv(
        rng.uniform(0.04, 0.11), rng.uniform(0.15, 0.55), rng.uniform(0.25, 0.6)
    )
    grey = hsv(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.3, 0.7))
    wooden = rng.random() < 0.5 if ground is None else ground == "wood"
    base = brown if wooden else grey
    image = canvas.gradient(base, mix(base, (0, 0, 0), 0.3), rng.uniform(0, 6))
    image = canvas.tinted(image, canvas.soft_field(rng, 24), 0.3)  # stone
    if wooden:  # boards
        for y in range(0, WIDE, WIDE // int(rng.integers(3, 6))):
            ImageDraw.Draw(image).line([(0, y), (WIDE, y)], fill=(40, 25, 15), width=5)
    return image


def _camera_shifted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    light = np.array([1.08, 0.92, 0.72]) if rng.random() < 0.5 else [0.75, 0.82, 1.05]
    dusk = pixels * light * rng.uniform(0.5, 0.9) + rng.normal(0, 9, pixels.shape)
    return np.clip(dusk, 0, 255).astype(np.uint8)


def _green(rng: np.random.Generator):
    return hsv(rng.uniform(0.22, 0.36), rng.uniform(0.45, 0.85), rng.uniform(0.3, 0.65))


def _blade(
    image: Image.Image, rng: np.random.Generator, *, front: bool = False
) -> None:
    foot = np.array([rng.uniform(0, WIDE), WIDE * 1.02])
    length = WIDE * (rng.uniform(0.25, 0.5) if front else rng.uniform(0.3, 1.0))
    tip = foot + length * np.array([rng.normal(0, 0.35), -1])
    bend = (foot + tip) / 2 + rng.normal(0, 0.05, 2) * WIDE
    width = WIDE * (0.03 if front else 0.018)
    side = np.array([width, 0])
    points = [foot - side, bend - side * 0.7, tip, bend + side * 0.7, foot + side]
    canvas.polygon(image, points, _green(rng))


def _stem(image: Image.Image, centre, rng: np.random.Generator) -> None:
    foot = np.array([centre[0] + rng.normal(0, 0.15) * WIDE, WIDE * 1.05])
    bend = (foot + centre) / 2 + rng.normal(0, 0.05, 2) * WIDE
    t = np.linspace(0, 1, 16)[:, None]
    path = (1 - t) ** 2 * foot + 2 * t * (1 - t) * bend + t**2 * np.asarray(centre)
    green = _green(rng)
    line = [tuple(p) for p in path]
    ImageDraw.Draw(image).line(line, fill=green, width=int(WIDE * 0.03), joint="curve")
    for _ in range(rng.integers(0, 3)):
        at, side = path[rng.integers(3, 11)], rng.choice([-1, 1])
        angle = rng.uniform(-0.7, 0.2) if side > 0 else math.pi - rng.uniform(-0.7, 0.2)
        t = np.linspace(0, 1, 12)
        half = 0.25 * np.sin(math.pi * t**0.8)
        leaf = np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]])
        leaf = canvas.turn(leaf * WIDE * rng.uniform(0.14, 0.26), angle) + at
        canvas.polygon(image, leaf, mix(green, (255, 255, 255), 0.08),
                       mix(green, (0, 0, 0), 0.3))  # fmt: skip
