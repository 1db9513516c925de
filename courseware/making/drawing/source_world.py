"""The source world: pictures of shapes, drawn afresh at every pretraining step.

Each picture holds one to four copies of one shape, in a texture and a hue, on a
background with a texture and a hue of its own, with clutter, light, blur and noise.
Every attribute varies per picture, never per batch: a background shared by a batch
would give its label away. No code is shared with the bundled target sets.

All drawing is batched: a picture is a few hundred elementwise operations on 64 x 64
coordinates, so one core draws more than 2,000 pictures a second (run this module to
measure).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.arguments import Count, Share, checked

SIZE = 64
CHUNK = 96  # pictures drawn together: few enough for the cache
OUTLINES = (
    "disc", "triangle", "square", "pentagon", "hexagon", "star4", "star5", "star7",
    "gear", "trefoil", "blob", "drop", "heart", "half_disc", "ring", "crescent",
)  # fmt: skip
STROKES: dict[str, list[tuple[float, float]]] = {
    "bar": [(-1, 0), (1, 0)],
    "corner": [(-0.7, -0.9), (-0.7, 0.7), (0.8, 0.7)],
    "tee": [(-0.9, -0.8), (0.9, -0.8), (0, -0.8), (0, 0.9)],
    "plus": [(-0.9, 0), (0.9, 0), (0, 0), (0, -0.9), (0, 0.9)],
    "fork": [(-0.8, -0.9), (0, 0), (0.8, -0.9), (0, 0), (0, 0.9)],
    "zigzag": [(-0.8, -0.8), (0.8, -0.8), (-0.8, 0.8), (0.8, 0.8)],
    "hook": [(-0.6, -0.9), (0.6, -0.9), (0.6, 0.3), (0.3, 0.8), (-0.3, 0.8),
             (-0.6, 0.4)],
    "arch": [(0.8 * math.cos(t), 0.8 * math.sin(t))
             for t in (0.6, 1.4, 2.3, 3.1, 4, 4.9, 5.7)],
    "wave": [(-0.5 * math.sin(math.pi * t), t)
             for t in (-1, -0.66, -0.33, 0, 0.33, 0.66, 1)],
    "spiral": [(r * math.cos(7 * r), r * math.sin(7 * r))
               for r in (0.1, 0.25, 0.4, 0.55, 0.7, 0.82, 0.93)],
    "loop": [(0.4, -0.9), (-0.3, -0.3), (-0.4, 0.4), (0, 0.8), (0.4, 0.4), (0.1, 0),
             (-0.3, 0.2)],
    "ladder": [(-0.6, -0.9), (-0.6, 0.9), (-0.6, 0), (0.6, 0), (0.6, -0.9), (0.6, 0.9)],
}  # fmt: skip
SHAPES = OUTLINES + tuple(STROKES)
TEXTURES = (
    "plain", "stripes", "checks", "dots", "rings", "waves", "cloud", "grain", "streaks",
    "fractal", "patches",
)  # fmt: skip
HUES = (
    "red", "orange", "yellow", "lime", "green", "teal", "cyan", "azure", "blue",
    "violet", "magenta", "pink", "grey",
)  # fmt: skip
GLYPHS = tuple(f"glyph{i:03d}" for i in range(300))
COUNTS = ("one", "two", "three", "four")
SPANS = ("small", "medium", "large")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "texture": TEXTURES,
    "background": TEXTURES,
    "hue": HUES,
    "background_hue": HUES,
    "count": COUNTS,
    "span": SPANS,
}


@checked
def draw_batch(
    n: Count, *, seed: int, glyphs: Share = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Draw n pictures: uint8 (n, 3, 64, 64), and a label (n,) for each attribute.

    A share `glyphs` (0 to 1) of the pictures shows one sign of an invented alphabet
    instead of a shape: then the label "glyph" says which, and "shape" is -100 (which
    cross-entropy ignores), the other way round for the rest.
    The same seed gives the same pictures on the same machine and torch version.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [min(CHUNK, n - at) for at in range(0, n, CHUNK)]
    chunks = [_draw(size, generator, glyphs) for size in sizes]
    images = torch.cat([image for image, _ in chunks])
    names = (*ATTRIBUTES, "glyph")
    labels = {a: torch.cat([label[a] for _, label in chunks]) for a in names}
    return images, labels


class _Dice:
    """Random numbers for one chunk, all from one generator."""

    def __init__(self, n: int, generator: torch.Generator):
        self.n, self.generator = n, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        values = torch.rand(self.n, *shape, generator=self.generator)
        return values.mul_(high - low).add_(low)

    def pick(self, k: int, weights: tuple[float, ...] | None = None) -> Tensor:
        if weights is None:
            return torch.randint(k, (self.n,), generator=self.generator)
        p = torch.tensor(weights)
        return torch.multinomial(p, self.n, replacement=True, generator=self.generator)


_AXIS = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
_Y, _X = (a[None] for a in torch.meshgrid(_AXIS, _AXIS, indexing="ij"))  # (1, 64, 64)


IGNORED = -100  # cross-entropy's ignore_index


def _draw(
    n: int, generator: torch.Generator, glyphs: float
) -> tuple[Tensor, dict[str, Tensor]]:
    dice = _Dice(n, generator)
    labels = {a: dice.pick(len(names)) for a, names in ATTRIBUTES.items()}
    labels["count"] = dice.pick(4, (0.64, 0.16, 0.1, 0.1))
    labels["glyph"] = torch.full((n,), IGNORED)
    if glyphs:
        _choose_glyphs(dice, labels, glyphs)
    light = dice.uniform(0.3, 1.0)
    image = _paint(dice, labels["background"], labels["background_hue"], light, 1.0)
    image = _clutter(dice, image)
    mask, depth = _objects(dice, labels)
    contrast = torch.where(light > 0.62, light - 0.35, light + 0.4)
    light = torch.where(dice.uniform(0, 1) < 0.7, contrast, dice.uniform(0.3, 1.0))
    coat = _paint(dice, labels["texture"], labels["hue"], light, 1.6)
    coat.mul_(depth.mul_(0.35).add_(0.75).unsqueeze(1))  # darker towards the outline
    image = image.lerp_(coat, mask.unsqueeze(1))
    labels["shape"] = labels["shape"].masked_fill(labels["glyph"] >= 0, IGNORED)
    if glyphs:
        _coarsen(dice, image, labels["glyph"] >= 0)
    return _camera(dice, image), labels


def _choose_glyphs(dice: _Dice, labels: dict[str, Tensor], share: float) -> None:
    """Make a share of the pictures show one glyph, large, mostly on a plain ground."""
    chosen = dice.uniform(0, 1) < share
    glyph = dice.pick(len(GLYPHS))
    plain = dice.uniform(0, 1) < 0.6
    labels["glyph"] = torch.where(chosen, glyph, labels["glyph"])
    labels["shape"] = torch.where(chosen, glyph + len(SHAPES), labels["shape"])
    labels["count"] = labels["count"].masked_fill(chosen, 0)
    labels["span"] = labels["span"].masked_fill(chosen & (labels["span"] == 0), 2)
    for name in ("texture", "background"):
        labels[name] = labels[name].masked_fill(chosen & plain, 0)


def _enlarged(grid: Tensor) -> Tensor:
    """A smooth field from random cells: (n, 1, h, w) -> (n, 64, 64)."""
    return F.interpolate(grid, (SIZE, SIZE), mode="bilinear")[:, 0]


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)


def _turned(angle: Tensor) -> tuple[Tensor, Tensor]:
    c, s = _column(angle.cos()), _column(angle.sin())
    return torch.addcmul(c * _X, s, _Y), torch.addcmul(c * _Y, s, _X, value=-1)


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """HSV (n,) each -> RGB (n, 3)."""
    k = (hue.unsqueeze(1) * 6 + torch.tensor([5.0, 3.0, 1.0])) % 6
    wedge = torch.minimum(k, 4 - k).clamp(0, 1)
    return value.unsqueeze(1) * (1 - saturation.unsqueeze(1) * wedge)


def _paint(
    dice: _Dice, texture: Tensor, hue: Tensor, value: Tensor, finer: float
) -> Tensor:
    """Colour a full picture (n, 3, 64, 64) with a texture in two shades of one hue."""
    pattern = _pattern(dice, texture, finer)
    grey = hue == len(HUES) - 1
    angle = (hue + dice.uniform(-0.4, 0.4)) / (len(HUES) - 1)
    saturation = torch.where(grey, dice.uniform(0, 0.08), dice.uniform(0.35, 1.0))
    drop = dice.uniform(0.15, 0.6)
    high = _rgb(angle, saturation, value)
    low = _rgb(angle + dice.uniform(-0.03, 0.03), saturation * 0.9, value * (1 - drop))
    tilt = 1 + _column(dice.uniform(-0.2, 0.2)) * _X
    tilt.addcmul_(_column(dice.uniform(-0.2, 0.2)), _Y)
    shades = (low[:, :, None, None], high[:, :, None, None], pattern.unsqueeze(1))
    return torch.lerp(*shades).mul_(tilt.unsqueeze(1))


def _pattern(dice: _Dice, texture: Tensor, finer: float) -> Tensor:
    """A field (n, 64, 64) in [0, 1] for each picture's own texture."""
    u, v = _turned(dice.uniform(0, math.tau))
    rate = _column(dice.uniform(6, 14)) * finer
    start = _column(dice.uniform(0, math.tau))
    field = torch.empty(dice.n, SIZE, SIZE)
    soft = _column(dice.uniform(0.8, 4.0))
    grid = dice.uniform(0, 1, 1, 6, 6)
    for index, name in enumerate(TEXTURES):
        at = (texture == index).nonzero()[:, 0]
        if len(at):
            cloud = _enlarged(grid[at]) if name in _CLOUDED else None
            parts = (u[at], v[at], rate[at], start[at], cloud)
            field[at] = _TEXTURE[name](*parts, soft[at], dice.generator)
    return field


def _plain(u, v, rate, start, cloud, soft, generator):
    return 0.75 + 0.25 * cloud


def _stripes(u, v, rate, start, cloud, soft, generator):
    return (torch.sin(u * rate + start) * soft).clamp(-1, 1) * 0.5 + 0.5


def _checks(u, v, rate, start, cloud, soft, generator):
    grid = torch.sin(u * rate + start) * torch.sin(v * rate)
    return (grid * soft * 2).clamp(-1, 1) * 0.5 + 0.5


def _dots(u, v, rate, start, cloud, soft, generator):
    bumps = torch.cos(u * rate + start) + torch.cos(v * rate)
    return ((bumps - 0.7) * soft * 1.5).clamp(0, 1)


def _rings(u, v, rate, start, cloud, soft, generator):
    radius = ((u - 0.3).square() + v.square()).sqrt()
    return (torch.sin(radius * rate * 1.2 + start) * soft).clamp(-1, 1) * 0.5 + 0.5


def _waves(u, v, rate, start, cloud, soft, generator):
    bent = torch.sin(u * rate + 2.2 * torch.sin(v * rate * 0.5 + start))
    return (bent * soft).clamp(-1, 1) * 0.5 + 0.5


def _cloud(u, v, rate, start, cloud, soft, generator):
    return ((cloud - 0.5) * 2.2 + 0.5).clamp(0, 1)


def _grain(u, v, rate, start, cloud, soft, generator):
    coarse = torch.rand(len(u), 1, 26, 26, generator=generator)
    return _enlarged(coarse)


def _streaks(u, v, rate, start, cloud, soft, generator):
    strip = torch.rand(len(u), 96, generator=generator)
    index = ((u + 1.5) * 32).long().clamp(0, 95).flatten(1)
    return strip.gather(1, index).view_as(u)


def _fractal(u, v, rate, start, cloud, soft, generator):
    field = cloud.clone()
    for cells, share in ((12, 0.7), (24, 0.5), (48, 0.35)):
        grid = torch.rand(len(u), 1, cells, cells, generator=generator)
        finer = _enlarged(grid)
        field.add_(finer.sub_(0.5), alpha=share)
    return field.sub_(0.5).mul_(1.4).add_(0.5).clamp_(0, 1)


def _patches(u, v, rate, start, cloud, soft, generator):
    grid = torch.rand(len(u), 1, 14, 14, generator=generator)
    leaves = _enlarged(grid)
    steps = leaves.add_(cloud).mul_(rate * 0.5).add_(start)
    return steps.floor_().mul_(2.4).sin_().mul_(0.5).add_(0.5)


_TEXTURE: dict[str, Callable[..., Tensor]] = {
    "plain": _plain, "stripes": _stripes, "checks": _checks, "dots": _dots,
    "rings": _rings, "waves": _waves, "cloud": _cloud, "grain": _grain,
    "streaks": _streaks, "fractal": _fractal, "patches": _patches,
}  # fmt: skip
_CLOUDED = ("plain", "cloud", "fractal", "patches")  # those that look at `cloud`


def _clutter(dice: _Dice, image: Tensor) -> Tensor:
    """Lay up to three soft spots of other colours over the background."""
    for _ in range(2):
        cx, cy = (_column(dice.uniform(-1.1, 1.1)) for _ in range(2))
        stretch = _column(dice.uniform(0.4, 2.5))
        size = _column(dice.uniform(0.06, 0.5))
        reach = (_X - cx).square() * stretch + (_Y - cy).square() / stretch
        spot = (1.6 - reach / size.square()).clamp(0, 1)
        spot = spot * _column(dice.uniform(-0.7, 0.9).clamp_min(0))
        shades = (dice.uniform(0, 1), dice.uniform(0, 0.9), dice.uniform(0.2, 1))
        colour = _rgb(*shades)[:, :, None, None]
        image = image.lerp_(colour.expand_as(image), spot.unsqueeze(1))
    return image


_PLACES = torch.tensor([[-0.45, -0.45], [0.45, 0.45], [0.45, -0.45], [-0.45, 0.45]])


def _objects(dice: _Dice, labels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Draw all copies: coverage and depth below the outline, (n, 64, 64) in [0, 1]."""
    mask = torch.zeros(dice.n, SIZE, SIZE)
    depth = torch.zeros(dice.n, SIZE, SIZE)
    base = torch.tensor([0.34, 0.52, 0.76])[labels["span"]] * dice.uniform(0.85, 1.15)
    wobble = dice.uniform(0.85, 1.2), dice.uniform(-0.25, 0.25)
    for copy in range(4):
        at = (labels["count"] >= copy).nonzero()[:, 0]
        if not len(at):
            continue
        some = _Dice(len(at), dice.generator)
        alone = (labels["count"][at] == 0).float()
        jitter = some.uniform(-1, 1, 2) * (0.12 + 0.16 * alone[:, None])
        place = _PLACES[copy] * (1 - alone[:, None]) + jitter
        size = base[at] * (0.5 + 0.5 * alone)
        upright = labels["glyph"][at] >= 0  # a sign that is turned is another sign
        u, v = _place(some, place, size, wobble[0][at], wobble[1][at], upright)
        inside = _distance(some, labels["shape"][at], u, v)  # > 0 within the shape
        sharp = _column(size) * SIZE / 2
        mask[at] = torch.maximum(mask[at], (inside * sharp + 0.5).clamp(0, 1))
        depth[at] = torch.maximum(depth[at], (inside * 2.5).clamp(0, 1))
    return mask, depth


def _place(dice, place, size, stretch, slant, upright) -> tuple[Tensor, Tensor]:
    """Coordinates in the frame of a copy: moved, turned, scaled, stretched, slanted."""
    near_upright = dice.uniform(-0.5, 0.5)
    free = dice.uniform(0, math.tau)
    upright = upright | (dice.uniform(0, 1) < 0.5)
    angle = torch.where(upright, near_upright, free)
    c, s = _column(angle.cos() / size), _column(angle.sin() / size)
    x, y = _X - _column(place[:, 0]), _Y - _column(place[:, 1])
    u, v = torch.addcmul(c * x, s, y), torch.addcmul(c * y, s, x, value=-1)
    u.addcmul_(_column(slant), v).mul_(_column(stretch))
    return u, v.div_(_column(stretch))


def _distance(dice: _Dice, shape: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Distance below the outline, in units of the shape's radius; negative outside."""
    inside = torch.empty_like(u)
    outlines = (shape < len(OUTLINES)).nonzero()[:, 0]
    if len(outlines):
        inside[outlines] = _outline(dice, shape[outlines], u[outlines], v[outlines])
    strokes = (shape >= len(OUTLINES)).nonzero()[:, 0]
    if len(strokes):
        paths = _PATHS[shape[strokes] - len(OUTLINES)]
        inside[strokes] = _stroke(dice.generator, paths, u[strokes], v[strokes])
    return inside


ANGLES = 128
_THETA = torch.arange(ANGLES) / ANGLES * math.tau - math.pi


def _outline(dice: _Dice, shape: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Shapes given by their radius at each angle, looked up in a table per picture."""
    table = _RADII[shape]  # (n, 128)
    for row in (shape == OUTLINES.index("blob")).nonzero()[:, 0].tolist():
        table[row] = _blob_radius(dice.generator)
    radius = (u.square() + v.square()).sqrt()
    step = (torch.atan2(v, u) + math.pi) * (ANGLES / math.tau)
    low = step.long()
    after = torch.cat([table, table[:, :2]], dim=1)
    flat = low.flatten(1)
    edge = torch.lerp(after.gather(1, flat), after.gather(1, flat + 1),
                      (step - low).flatten(1)).view_as(u)  # fmt: skip
    inside = edge - radius
    hollow, shift = _HOLLOW[shape], _SHIFT[shape]
    at = (hollow > 0).nonzero()[:, 0]
    if len(at):
        gap = ((u[at] - _column(shift[at])).square() + v[at].square()).sqrt()
        inside[at] = torch.minimum(inside[at], gap - _column(hollow[at]))
    return inside


def _radius(name: str) -> Tensor:
    """The radius (128,) of one outline at each angle, about 1 at its widest."""
    t = _THETA
    if name in ("disc", "ring", "crescent"):
        return torch.full_like(t, 0.85)
    if name in ("triangle", "square", "pentagon", "hexagon"):
        corners = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6}[name]
        half = math.pi / corners
        return math.cos(half) / torch.cos((t + math.pi) % (2 * half) - half)
    if name.startswith("star"):
        points = int(name[4:])
        saw = ((t * points / math.tau) % 1 - 0.5).abs() * 2
        return 0.42 + 0.58 * saw.square()
    if name == "gear":
        return 0.78 + 0.16 * (torch.sin(9 * t) * 4).clamp(-1, 1)
    if name == "trefoil":
        return 0.4 + 0.55 * torch.cos(1.5 * t).abs()
    if name == "blob":  # each picture has its own: _blob_radius
        return torch.full_like(t, 0.75)
    if name == "drop":
        return 0.55 + 0.45 * torch.cos(t / 2).abs().pow(6)
    if name == "heart":
        return 0.85 - 0.55 * torch.exp(-((t - math.pi / 2) * 2.2).square()) \
            + 0.15 * torch.exp(-((t + math.pi / 2) * 3).square())  # fmt: skip
    if name == "half_disc":
        return torch.where(t.sin() > -0.1, 0.9, 0.09 / (-t.sin()).clamp_min(0.1))
    raise ValueError(f"no outline named {name!r}")


def _blob_radius(generator: torch.Generator) -> Tensor:
    waves = torch.rand(2, 4, generator=generator)
    k = torch.arange(2, 6).view(4, 1)
    swing = torch.sin(k * _THETA + waves[1].view(4, 1) * math.tau)
    return 0.75 + (swing * waves[0].view(4, 1) * 0.13).sum(0)


_RADII = torch.stack([_radius(name) for name in OUTLINES])  # (outlines, 128)
_HOLLOW = torch.tensor([{"ring": 0.5, "crescent": 0.75}.get(n, 0.0) for n in OUTLINES])
_SHIFT = torch.tensor([0.45 if n == "crescent" else 0.0 for n in OUTLINES])


_CORNERS = max(map(len, STROKES.values()))


def _alphabet() -> list[list[list[float]]]:
    """Paths of the glyphs: smooth random walks through the unit square."""
    generator = torch.Generator().manual_seed(7)
    turns = torch.randn(len(GLYPHS), _CORNERS - 1, generator=generator) * 1.1
    heading = torch.rand(len(GLYPHS), 1, generator=generator) * math.tau
    angle = heading + turns.cumsum(1)
    steps = torch.stack([angle.cos(), angle.sin()], dim=2)
    paths = F.pad(steps, (0, 0, 1, 0)).cumsum(1)  # (glyphs, corners, 2)
    low, high = paths.amin(1, keepdim=True), paths.amax(1, keepdim=True)
    return (((paths - low) / (high - low).amax(2, keepdim=True)) * 1.8 - 0.9).tolist()


_PATHS = torch.tensor(
    [path + [path[-1]] * (_CORNERS - len(path)) for path in STROKES.values()]
    + _alphabet()
)  # (strokes and glyphs, corners, 2): short paths stay at their last point


def _stroke(generator: torch.Generator, path: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """A line through jittered points: its half width minus the distance to it."""
    n = len(u)
    jitter = (torch.rand(path.shape, generator=generator) - 0.5) * 0.3
    stays = (path[:, 1:] == path[:, :-1]).all(-1)
    path = path + jitter
    for corner in range(1, _CORNERS):
        still = stays[:, corner - 1, None]
        path[:, corner] = torch.where(still, path[:, corner - 1], path[:, corner])
    width = torch.rand(n, generator=generator) * 0.16 + 0.09
    nearest = torch.full_like(u, 1e9)
    for a, b in zip(path.unbind(1), path[:, 1:].unbind(1), strict=False):
        du, dv = (_column(c) for c in (b - a).unbind(1))
        pu, pv = u - _column(a[:, 0]), v - _column(a[:, 1])
        length = du * du + dv * dv + 1e-6
        along = (pu * (du / length)).addcmul_(pv, dv / length).clamp_(0, 1)
        pu.addcmul_(along, du, value=-1)
        pv.addcmul_(along, dv, value=-1)
        torch.minimum(nearest, pu.square_().addcmul_(pv, pv), out=nearest)
    return nearest.sqrt_().neg_().add_(_column(width))


def _coarsen(dice: _Dice, image: Tensor, chosen: Tensor) -> None:
    """Show half of the chosen pictures at 8 to 20 pixels a side; in place."""
    cells = dice.pick(2 * len(_COARSE))
    for index, side in enumerate(_COARSE):
        at = (chosen & (cells == index)).nonzero()[:, 0]
        if len(at):
            small = F.interpolate(image[at], (side, side), mode="area")
            image[at] = F.interpolate(small, (SIZE, SIZE), mode="bilinear")


_COARSE = (8, 10, 14, 20)


def _camera(dice: _Dice, image: Tensor) -> Tensor:
    """Blur some pictures, add sensor noise, brightness and contrast; to uint8."""
    blurred = (dice.uniform(0, 1) < 0.3).nonzero()[:, 0]
    if len(blurred):
        image[blurred] = _blurred(image[blurred])
    grain = torch.randn(3 * SIZE * SIZE + 8192, generator=dice.generator)
    starts = torch.randint(8192, (dice.n,), generator=dice.generator).tolist()
    noise = torch.stack([grain[s : s + 3 * SIZE * SIZE] for s in starts])
    strength = dice.uniform(-0.02, 0.06).clamp_min_(0).view(-1, 1, 1, 1)
    image.addcmul_(noise.view_as(image), strength)
    contrast = dice.uniform(0.7, 1.2).view(-1, 1, 1, 1)
    light = dice.uniform(0.38, 0.62).view(-1, 1, 1, 1)
    image.mul_(contrast * 255).add_((light - 0.5 * contrast) * 255)
    return image.clamp_(0, 255).to(torch.uint8)


def _blurred(image: Tensor) -> Tensor:
    """Mean of each pixel's 3 x 3 neighbours; twice as fast here as avg_pool2d."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    total = wide[..., :-2, :-2].clone()
    for dy, dx in ((0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)):
        total.add_(wide[..., dy : dy + SIZE, dx : dx + SIZE])
    return total.div_(9)


def measure_speed(*, seconds: float = 3.0) -> float:
    """Pictures drawn per second of one core's time, whatever else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        draw_batch(CHUNK, seed=0)
        start, drawn = time.process_time(), 0
        while time.process_time() - start < seconds:
            draw_batch(256, seed=drawn)
            drawn += 256
        return drawn / (time.process_time() - start)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    print(f"{measure_speed():,.0f} pictures a second of one core's time")
