"""Real images that come with scikit-learn and matplotlib: no download needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from course_utils.datasets.containers import DatasetReport
from course_utils.datasets.images import fit_square, pixel_hash, stack
from course_utils.datasets.splits import Native, Pool, Source

_DIGITS_AUTO = 64  # 8 px of their own would be too small for any backbone


def digits_source(*, size: Callable[[Native], int]) -> Source:
    """Return scikit-learn's 1,797 handwritten digits, 8 x 8 grey enlarged to RGB."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    image_size = size(_DIGITS_AUTO)
    small = (digits.images * (255 / 16)).round().astype(np.uint8)  # (N, 8, 8)
    keys = [pixel_hash(image) for image in small]
    images = [fit_square(Image.fromarray(i).convert("RGB"), image_size) for i in small]
    pool = Pool(
        stack(images, image_size),
        digits.target.astype(np.int64),
        keys=keys,
        hashes=keys,
        names=[f"digits[{i}]" for i in range(len(keys))],
    )
    classes = [str(name) for name in digits.target_names]
    report = DatasetReport(source="digits: scikit-learn's handwritten digits, 8 px")
    return Source("digits", classes, {"train": pool}, report, image_size)


def sample_photos() -> dict[str, Image.Image]:
    """Return three photographs in RGB: `hopper`, `flower` and `china`.

    The first is matplotlib's portrait of Grace Hopper, the others are scikit-learn's
    samples.

    >>> from course_utils.datasets import sample_photos
    >>> {name: photo.size for name, photo in sample_photos().items()}
    {'hopper': (512, 600), 'flower': (640, 427), 'china': (640, 427)}
    """
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_image

    with get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        photos = {"hopper": Image.open(file).convert("RGB")}
    for name in ("flower", "china"):
        photos[name] = Image.fromarray(load_sample_image(f"{name}.jpg"))
    return photos
