"""Labelled image files to pools, whether a folder or torchvision listed them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.datasets.containers import DatasetReport
from course_utils.datasets.images import (
    Decoded,
    LazyImages,
    decode_files,
    empty,
    fits_in_memory,
    take,
)
from course_utils.datasets.splits import Pool
from course_utils.errors import DatasetError

_DARK = 64  # of 255, which no picture of a set of 16-bit files exceeds
_MEASURED = 200  # files whose size stands for the whole folder's


@dataclass
class LabelledFiles:
    """List the image files of one split with their class indices."""

    paths: list[Path]
    labels: list[int]


def read_pools(
    listed: dict[str, LabelledFiles],
    *,
    root: Path,
    image_size: int,
    on_error: str,
    report: DatasetReport,
) -> dict[str, Pool]:
    """Decode every file once; keep the pixels where all fit in a gigabyte.

    Broken files are skipped and reported, or raise `DatasetError` with their path
    where `on_error` is "raise".
    """
    keep = fits_in_memory(sum(len(f.paths) for f in listed.values()), image_size)
    pools, deepest = {}, []
    for split, files in listed.items():
        room = empty(len(files.paths), image_size) if keep else None
        decoded = decode_files(files.paths, image_size, room=room)
        images = LazyImages(files.paths, image_size) if room is None else room
        pools[split] = _pool(files, images, decoded, root, on_error, report)
        deepest += [d.deepest for d in decoded if d.deepest is not None]
    if deepest and max(deepest) < _DARK:
        report.notes.append(
            f"{len(deepest)} pictures in 16-bit files are dark: the brightest value is "
            f"{max(deepest)} of 255. Where the camera gave 10, 12 or 14 bits, multiply "
            "the values by 64, 16 or 4 and save them again"
        )
    if not keep:
        report.notes.append("more than 1 GB as pixels: files are read when needed")
    return pools


def _pool(files, images, decoded: list[Decoded], root, on_error, report) -> Pool:
    names = [_shown(path, root) for path in files.paths]
    _report_broken(files.paths, names, decoded, on_error, report)
    report.converted.update(d.mode for d in decoded if d.mode not in ("", "RGB"))
    good = [i for i, d in enumerate(decoded) if not d.problem]
    return Pool(
        images if len(good) == len(images) else take(images, np.array(good, int)),
        np.array([files.labels[i] for i in good], np.int64),
        keys=[decoded[i].file_hash for i in good],
        hashes=[decoded[i].pixel_hash for i in good],
        names=[names[i] for i in good],
    )


def _report_broken(paths, names, decoded, on_error, report) -> None:
    for path, name, result in zip(paths, names, decoded, strict=True):
        if result.problem and on_error == "raise":
            raise DatasetError(
                f"cannot read {path}: {result.problem}. Replace or delete the file, "
                'or skip broken ones with on_error="skip"'
            )
        if result.problem:
            report.broken.append((name, result.problem))


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:  # from elsewhere, as torchvision's files may be
        return str(path)


def median_short_side(paths: Sequence[Path]) -> int | None:
    """Return the median short side in pixels over at most 200 readable files."""
    every = max(1, math.ceil(len(paths) / _MEASURED))
    sides = [side for path in paths[::every] if (side := _short_side(path))]
    return int(np.median(sides)) if sides else None


def _short_side(path: Path) -> int | None:
    try:
        with Image.open(path) as image:  # reads the header only
            return min(image.size)
    except Exception:  # a broken header: the decoding step names the file and why
        return None
