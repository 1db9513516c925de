"""Files to square RGB pixels, at once or when they are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from torch.utils.data import get_worker_info
from tqdm import tqdm

from course_utils.errors import DatasetError
from course_utils.rgb import BrokenImage, to_rgb, upright

# What people have; HEIF is there once pillow_heif is registered.
_FORMATS = frozenset(
    "JPEG MPO PNG GIF WEBP TIFF BMP DIB PPM AVIF HEIF JPEG2000 TGA".split()
)
IN_MEMORY_BYTES = 1_000_000_000
MIN_SIZE, MAX_SIZE = 8, 2048
_QUIET_BELOW = 2_000  # files that are read without a progress bar
_AT_ONCE = (
    8  # files that a thread takes: to hand over each costs as much as a small one
)


@dataclass(frozen=True)
class Decoded:
    """Hold what reading one file gave; `pixels` is None where they were not kept here.

    `deepest` is the brightest value (0..255) of a picture stored in 16 bits, else None.
    """

    pixels: np.ndarray | None
    file_hash: str
    pixel_hash: str
    mode: str
    problem: str | None = None
    deepest: int | None = None


def check_image_size(image_size: int) -> int:
    """Return `image_size`, refusing what is not a whole number of 8 to 2048 px."""
    whole = isinstance(image_size, int | np.integer) and not isinstance(
        image_size, bool
    )
    if not whole or not MIN_SIZE <= image_size <= MAX_SIZE:
        raise DatasetError(
            f"image_size must be a whole number of pixels from {MIN_SIZE} to "
            f"{MAX_SIZE}, or 'auto'; got {image_size!r}"
        )
    return int(image_size)


def fit_square(image: Image.Image, image_size: int) -> np.ndarray:
    """Return the centre square of `image` as uint8 (S, S, 3), resized bilinearly."""
    square = (image_size, image_size)
    fitted = ImageOps.fit(image, square, method=Image.Resampling.BILINEAR)
    return np.asarray(fitted, dtype=np.uint8)


def image_endings() -> frozenset[str]:
    """Return the endings (".jpg", …) of picture files that PIL can open here and now."""
    Image.init()
    known = Image.registered_extensions().items()
    return frozenset(e for e, f in known if f in _FORMATS and f in Image.OPEN)


def read_pixels(data: bytes, image_size: int) -> tuple[np.ndarray, str, bool]:
    """Decode one file's bytes to uint8 (S, S, 3).

    Returns its original mode too, and whether it was stored in 16 bits. The camera's
    orientation tag is applied. Raises `BrokenImage` with the reason for anything that
    cannot be decoded completely.
    """
    if not data:
        raise BrokenImage("the file is empty (0 bytes)")
    try:
        with Image.open(BytesIO(data)) as image:
            mode = image.mode
            deep = mode.startswith("I") or ";16" in str(image.tile)
            # JPEG can decode at 1/2, 1/4, 1/8: twice the target loses nothing visible
            image.draft(None, (2 * image_size, 2 * image_size))
            image.load()
            pixels = fit_square(to_rgb(upright(image)), image_size)
    except BrokenImage:
        raise
    except Exception as error:  # PIL's plugins raise almost any type on bad bytes
        raise BrokenImage(_plain_reason(error)) from error
    return pixels, mode, deep


def _plain_reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image that can be read"
    return f"{type(error).__name__}: {error}"


def decode_file(path: Path, image_size: int) -> Decoded:
    """Read one file; a broken one comes back with its `problem` instead of pixels."""
    file_hash = ""
    try:
        data = path.read_bytes()
        file_hash = hashlib.sha256(data).hexdigest()
        pixels, mode, deep = read_pixels(data, image_size)
    except (BrokenImage, OSError) as error:
        return Decoded(None, file_hash, "", "", str(error))
    deepest = int(pixels.max()) if deep else None
    return Decoded(pixels, file_hash, pixel_hash(pixels), mode, deepest=deepest)


def decode_files(
    paths: Sequence[Path], image_size: int, *, room: np.ndarray | None
) -> list[Decoded]:
    """Read all files with a few threads, in order; pixels go to their row of `room`."""

    def decode(i: int) -> Decoded:
        found = decode_file(paths[i], image_size)
        if room is not None and found.pixels is not None:
            room[i] = found.pixels
        return replace(found, pixels=None)

    results = in_threads(decode, len(paths))
    quiet = len(paths) < _QUIET_BELOW
    return list(tqdm(results, "reading images", len(paths), disable=quiet))


def in_threads(work: Callable[[int], Any], count: int) -> Iterator[Any]:
    """Yield what `work` gives for 0 … count - 1, in order, done by several threads.

    One after another in a worker of a DataLoader, beside which others work.
    """
    if get_worker_info() is not None:
        yield from map(work, range(count))
        return
    parts = [range(i, min(i + _AT_ONCE, count)) for i in range(0, count, _AT_ONCE)]
    with ThreadPoolExecutor(reading_threads()) as pool:  # decoding releases the GIL
        for part in pool.map(lambda part: [*map(work, part)], parts):
            yield from part


def reading_threads() -> int:
    """Return how many files are decoded at once: one a processor, 4 to 16."""
    return min(16, max(4, os.cpu_count() or 1))


def fits_in_memory(count: int, image_size: int) -> bool:
    """Tell whether `count` images of that size stay under a gigabyte as uint8."""
    return count * image_size * image_size * 3 <= IN_MEMORY_BYTES


def pixel_hash(pixels: np.ndarray) -> str:
    """Return the sha256 of one image's uint8 pixels, as hex."""
    return hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()


def resize_all(images: np.ndarray, image_size: int) -> np.ndarray:
    """Resize uint8 (N, H, W, 3) to (N, S, S, 3)."""
    if images.shape[1:3] == (image_size, image_size):
        return images
    resized = [fit_square(Image.fromarray(image), image_size) for image in images]
    return stack(resized, image_size)


def empty(count: int, image_size: int) -> np.ndarray:
    """Return room for images: (N, S, S, 3), not yet filled."""
    return np.empty((count, image_size, image_size, 3), np.uint8)


def stack(images: Sequence[np.ndarray], image_size: int) -> np.ndarray:
    """Stack images to (N, S, S, 3), for N = 0 too."""
    return np.stack(images) if len(images) else empty(0, image_size)


class LazyImages:
    """Stand in for a uint8 array (N, S, S, 3) whose files are read when indexed."""

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[Path], image_size: int):
        self.paths = np.array(paths, dtype=object)
        self.image_size = image_size

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return (N, S, S, 3)."""
        return (len(self.paths), self.image_size, self.image_size, 3)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index) -> np.ndarray:
        chosen = self.paths[index]
        if isinstance(chosen, Path):
            return self._read(chosen)
        found = in_threads(lambda i: self._read(chosen[i]), len(chosen))
        return stack(list(found), self.image_size)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def take(self, indices: np.ndarray) -> LazyImages:
        """Return the chosen images, still unread."""
        return LazyImages(self.paths[indices], self.image_size)

    def _read(self, path: Path) -> np.ndarray:
        try:
            return read_pixels(path.read_bytes(), self.image_size)[0]
        except (BrokenImage, OSError) as error:
            raise DatasetError(f"{path} can no longer be read: {error}") from error


def take(images: np.ndarray | LazyImages, indices: np.ndarray):
    """Return the images at `indices`, without reading lazy ones."""
    return images.take(indices) if isinstance(images, LazyImages) else images[indices]
