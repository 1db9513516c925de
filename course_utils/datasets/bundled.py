"""The images that the course ships: lossless contact sheets with checksums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from course_utils.datasets.containers import SPLITS, DatasetReport
from course_utils.datasets.images import pixel_hash, resize_all
from course_utils.datasets.splits import Native, Pool, Source
from course_utils.errors import DatasetError
from course_utils.storage import data_dir, sha256_file

TARGETS = ("flowers", "cells", "defects")
TILE = 64  # pixels
_RESTORE = "restore data/images from the course's repository"


def bundled_names() -> list[str]:
    """List the targets, their shifted versions, and what else is in data/images."""
    known = [f"{name}{suffix}" for suffix in ("", "_shifted") for name in TARGETS]
    there = sorted(path.parent.name for path in images_dir().glob("*/labels.csv"))
    return list(dict.fromkeys(known + there))


def images_dir() -> Path:
    """Return the folder of the bundled images and their SHA256SUMS."""
    return data_dir() / "images"


def bundled_source(name: str, *, size: Callable[[Native], int]) -> Source:
    """Read one bundled dataset; the shifted ones have a test set only.

    Raises `DatasetError` for files that are missing or differ from SHA256SUMS.
    """
    folder = images_dir() / name
    image_size = size(TILE)
    labels = _read_labels(folder)
    classes = sorted(labels["label"].unique())
    pools = {
        split: _pool(folder / f"{split}.png", rows, classes, image_size)
        for split in SPLITS
        if len(rows := labels[labels["split"] == split])
    }
    report = DatasetReport(source=f"{name}: drawn for this course")
    only_test = tuple(pools) == ("test",)
    return Source(name, classes, pools, report, image_size, evaluation_only=only_test)


def _read_labels(folder: Path) -> pd.DataFrame:
    """Read labels.csv, one row a tile, in the order of the tiles."""
    path = folder / "labels.csv"
    check_sum(path)
    types = {"split": str, "label": str}
    # a class may be called "None": only an empty field is a missing value
    labels = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    return labels.sort_values(["split", "index"], kind="stable")


def _pool(path: Path, rows: pd.DataFrame, classes: list[str], image_size: int) -> Pool:
    check_sum(path)
    tiles = read_sheet(path, len(rows))
    keys = [pixel_hash(tile) for tile in tiles]
    images = resize_all(tiles, image_size)
    attributes = rows.drop(columns=["split", "index", "label"]).reset_index(drop=True)
    return Pool(
        images,
        rows["label"].map(classes.index).to_numpy(np.int64),
        keys=keys,
        hashes=keys,
        names=[f"{path.stem}[{i}]" for i in rows["index"]],
        attributes=attributes if len(attributes.columns) else None,
    )


def read_sheet(path: Path, count: int) -> np.ndarray:
    """Cut a contact sheet into its first `count` tiles, row by row: (N, 64, 64, 3)."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    height, width = pixels.shape[:2]
    rows, columns = height // TILE, width // TILE
    if (height % TILE or width % TILE) or rows * columns < count:
        raise DatasetError(
            f"{path.name} of {path.parent.name} is {width} x {height} px, too small "
            f"for {count} tiles of {TILE} px: {_RESTORE}"
        )
    # (rows, 64, columns, 64, 3) -> (rows, columns, 64, 64, 3)
    grid = pixels.reshape(rows, TILE, columns, TILE, 3).swapaxes(1, 2)
    return np.array(grid.reshape(-1, TILE, TILE, 3)[:count])


def check_sum(path: Path) -> None:
    """Refuse a bundled file that is missing or not what SHA256SUMS says."""
    shown = path.relative_to(images_dir()).as_posix()
    if not path.is_file():
        raise DatasetError(f"data/images/{shown} is missing: {_RESTORE}")
    expected = _checksums().get(shown)
    if expected is None:
        raise DatasetError(f"data/images/SHA256SUMS does not list {shown}: {_RESTORE}")
    if sha256_file(path) != expected:
        raise DatasetError(
            f"data/images/{shown} is not the file that was shipped (its checksum "
            f"differs from SHA256SUMS): {_RESTORE}"
        )


def _checksums() -> dict[str, str]:
    path = images_dir() / "SHA256SUMS"
    if not path.is_file():
        raise DatasetError(f"data/images/SHA256SUMS is missing: {_RESTORE}")
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {name.lstrip("*"): checksum for checksum, name in pairs}
