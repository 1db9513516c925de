"""A set of real images that comes with scikit-learn: no download needed."""

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
