"""Flowers whose species goes with the ground they stand on, and flowers where it does not.

A net that learns from the first kind may learn the ground; the second kind shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from course_utils.datasets import ImageDataset
from courseware.making.drawing.flowers import CLASSES, GROUNDS, draw

SEED = 2027


@cache
def _drawn(n_per_class: int, seed: int, tied: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([SEED, seed])
    labels = rng.permutation(np.repeat(np.arange(len(CLASSES)), n_per_class))
    pictures = []
    for label in labels:
        shift = 0 if tied else int(rng.integers(1, len(GROUNDS)))
        ground = GROUNDS[(label + shift) % len(GROUNDS)]
        pictures.append(draw(CLASSES[label], rng, ground=ground)[0])
    return np.stack(pictures), labels


def tied_flowers(
    n_per_class: int, *, seed: int, tied: bool, transform: Callable | None = None
) -> ImageDataset:
    """Draw flowers of each species: each on its own ground, or on any but its own.

    >>> from courseware.making.drawing.tied import tied_flowers
    >>> tied_flowers(1, seed=0, tied=True).class_counts()["daisy"]
    1
    """
    pictures, labels = _drawn(n_per_class, seed, tied)
    return ImageDataset(pictures, labels, CLASSES, transform=transform)
