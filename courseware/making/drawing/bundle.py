"""Draw the target sets and write them as contact sheets with labels and checksums.

`python -m courseware.making.drawing FOLDER` draws them anew. Drawing in floats
is not the same on every machine, so the shipped files, not this code, define the sets.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from PIL import Image

from course_utils.storage import sha256_file
from courseware.making.drawing import cells, defects, flowers

TARGETS: dict[str, ModuleType] = {
    "flowers": flowers,
    "cells": cells,
    "defects": defects,
}
NAMES = tuple(TARGETS)
CLASSES = {name: module.CLASSES for name, module in TARGETS.items()}
PER_CLASS = {"train": 300, "val": 60, "test": 120}
SEED = 2026
COLUMNS = 40  # tiles in a row of a sheet


def draw(
    name: str, label: str | int, rng: np.random.Generator, *, shifted: bool = False
) -> tuple[np.ndarray, dict[str, str | int]]:
    """Draw one picture of a class (its name or index): uint8 (64, 64, 3), attributes.

    Raises ValueError for an unknown target set or class.
    """
    if name not in TARGETS:
        raise ValueError(f"no target set {name!r}; there are {', '.join(NAMES)}")
    return TARGETS[name].draw(_class_name(name, label), rng, shifted=shifted)


def _class_name(name: str, label: str | int) -> str:
    known = CLASSES[name]
    if label in known:
        return str(label)
    if label in range(len(known)):
        return known[int(label)]
    choice = f"{', '.join(known)}, or 0 to {len(known) - 1}"
    raise ValueError(f"{name} has no class {label!r}; it has {choice}")


def draw_dataset(
    name: str, n_per_class: int, seed: int | list[int], *, shifted: bool = False
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw pictures of every class, shuffled: uint8 (N, 64, 64, 3), labels table.

    The table has a column `label` and one for each attribute. Raises ValueError for an
    unknown target set or fewer than one picture a class.
    """
    if name not in TARGETS:
        raise ValueError(f"no target set {name!r}; there are {', '.join(NAMES)}")
    if n_per_class < 1:
        raise ValueError(f"n_per_class must be at least 1, got {n_per_class}")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(CLASSES[name], n_per_class))
    drawn = [draw(name, str(label), rng, shifted=shifted) for label in labels]
    table = pd.DataFrame([attributes for _, attributes in drawn])
    table.insert(0, "label", labels)
    return np.stack([pixels for pixels, _ in drawn]), table


def write_bundled(folder: Path) -> None:
    """Draw all target sets and their shifted test sets into a folder."""
    for number, name in enumerate(TARGETS):
        parts = {
            split: draw_dataset(name, n, [SEED, number, k])
            for k, (split, n) in enumerate(PER_CLASS.items())
        }
        _write_set(folder / name, parts)
        shifted = draw_dataset(name, PER_CLASS["test"], [SEED, number, 9], shifted=True)
        _write_set(folder / f"{name}_shifted", {"test": shifted})
    _write_overview(folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".png", ".csv"))
    sums = [f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}" for p in files]
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="utf-8")


def sheet(images: np.ndarray, columns: int = COLUMNS) -> Image.Image:
    """Lay tiles (N, S, S, 3) out row by row, black where the last row is not full."""
    n, size = images.shape[:2]
    rows = -(-n // columns)
    tiles = np.zeros((rows * columns, size, size, 3), np.uint8)
    tiles[:n] = images
    grid = tiles.reshape(rows, columns, size, size, 3).swapaxes(1, 2)
    return Image.fromarray(grid.reshape(rows * size, columns * size, 3))


def _write_set(folder: Path, parts: dict[str, tuple[np.ndarray, pd.DataFrame]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tables = []
    for split, (images, table) in parts.items():
        sheet(images).save(folder / f"{split}.png", optimize=True)
        tables.append(table.assign(split=split, index=range(len(table))))
    labels = pd.concat(tables)
    first = ["split", "index", "label"]
    others = [column for column in labels.columns if column not in first]
    labels[first + others].to_csv(folder / "labels.csv", index=False)


def _write_overview(folder: Path) -> None:
    """One row of twelve pictures for each target set: the picture in README."""
    rng = np.random.default_rng(SEED)
    tiles = [
        draw(name, i % len(CLASSES[name]), rng)[0]
        for name in TARGETS
        for i in range(12)
    ]
    sheet(np.stack(tiles), columns=12).save(folder / "overview.png", optimize=True)
