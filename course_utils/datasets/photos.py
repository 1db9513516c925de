"""Photographs that come with installed packages, each with its caption and licence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from PIL import Image


class _Photo(NamedTuple):
    package: str
    source: str  # what the package calls it
    caption: str
    licence: str  # as the package states it


_UNSAID = "not stated with the picture; the package that ships it is BSD-3-Clause"
_SKLEARN = "CC BY 2.0"
_PHOTOS = {
    "hopper": _Photo(
        "matplotlib",
        "grace_hopper.jpg",
        "Commodore Grace Hopper, US Navy portrait by James S. Davis",
        "public domain, a work of the US government",
    ),
    "flower": _Photo(
        "scikit-learn",
        "flower.jpg",
        "A flower, photograph of flickr.com/photos/vultilion",
        _SKLEARN,
    ),
    "china": _Photo(
        "scikit-learn",
        "china.jpg",
        "A temple in China, photograph of flickr.com/photos/danielbuechele",
        _SKLEARN,
    ),
    "cat": _Photo(
        "scikit-image",
        "chelsea",
        "Chelsea the cat, photograph by Stéfan van der Walt",
        "CC0",
    ),
    "coffee": _Photo(
        "scikit-image",
        "coffee",
        "A cup of coffee, photograph by Rachel Michetti for Pikolo Espresso Bar",
        "CC0",
    ),
    "rocket": _Photo(
        "scikit-image",
        "rocket",
        "A Falcon 9 lifts off with DSCOVR, photograph by SpaceX",
        "public domain",
    ),
    "astronaut": _Photo(
        "scikit-image",
        "astronaut",
        "The astronaut Eileen Collins, photograph by NASA",
        "public domain",
    ),
    "motorcycle": _Photo(
        "scikit-image",
        "stereo_motorcycle",
        "A motorcycle, left half of a stereo pair of the Middlebury benchmark 2014",
        _UNSAID,
    ),
    "coins": _Photo(
        "scikit-image",
        "coins",
        "Greek coins from Pompeii, Brooklyn Museum Collection",
        "no known copyright restrictions",
    ),
    "camera": _Photo(
        "scikit-image",
        "camera",
        "A man with a camera on a tripod, photograph by Lav Varshney",
        "CC0",
    ),
    "brick": _Photo("scikit-image", "brick", "A brick wall, CC0Textures", "CC0"),
    "grass": _Photo("scikit-image", "grass", "Grass, by linolafett", "CC0"),
    "gravel": _Photo("scikit-image", "gravel", "Gravel, CC0Textures", "CC0"),
    "retina": _Photo(
        "scikit-image",
        "retina",
        "The back of a healthy eye, photograph by Mikael Häggström",
        "CC0",
    ),
    "vessels": _Photo(
        "scikit-image",
        "microaneurysms",
        "Vessels of an eye with tiny lesions, High-Resolution Fundus database",
        "CC0",
    ),
    "tissue": _Photo(
        "scikit-image",
        "immunohistochemistry",
        "Stained glands of a colon, Center for Microscopy and Molecular Imaging",
        "no known copyright restrictions",
    ),
    "moon": _Photo("scikit-image", "moon", "The surface of the moon", _UNSAID),
    "stars": _Photo(
        "scikit-image",
        "hubble_deep_field",
        "Hubble's eXtreme Deep Field, NASA",
        "public domain",
    ),
    "page": _Photo("scikit-image", "page", "A scanned page of text", _UNSAID),
}


class Photos(Mapping):
    """Photographs by name, each an RGB picture, opened when it is asked for.

    `captions` and `licences` say what stands beside each wherever it is shown.

    >>> from course_utils.datasets import sample_photos
    >>> photos = sample_photos()
    >>> photos["cat"].size, photos.captions["cat"], photos.licences["cat"]
    ((451, 300), 'Chelsea the cat, photograph by Stéfan van der Walt', 'CC0')
    """

    captions = {name: photo.caption for name, photo in _PHOTOS.items()}
    licences = {name: photo.licence for name, photo in _PHOTOS.items()}

    def __getitem__(self, name: str) -> Image.Image:
        if name not in _PHOTOS:
            near = get_close_matches(str(name), _PHOTOS, cutoff=0.5) or list(_PHOTOS)
            raise KeyError(f"no photo is named {name!r}: there is {', '.join(near)}")
        photo = _PHOTOS[name]
        return _OPEN[photo.package](photo.source).convert("RGB")

    def __contains__(self, name: object) -> bool:
        return name in _PHOTOS  # without opening it

    def __iter__(self) -> Iterator[str]:
        return iter(_PHOTOS)

    def __len__(self) -> int:
        return len(_PHOTOS)

    def __repr__(self) -> str:
        return f"Photos({', '.join(self)})"


def sample_photos() -> Photos:
    """Return the photographs that came with matplotlib, scikit-learn and scikit-image.

    >>> from course_utils.datasets import sample_photos
    >>> len(sample_photos()), sample_photos()["hopper"].size
    (19, (512, 600))
    >>> sample_photos()["kat"]
    Traceback (most recent call last):
        ...
    KeyError: "no photo is named 'kat': there is cat"
    """
    return Photos()


def _of_matplotlib(name: str) -> Image.Image:
    from matplotlib.cbook import get_sample_data

    with get_sample_data(name, asfileobj=True) as file:
        return Image.open(file).convert("RGB")


def _of_sklearn(name: str) -> Image.Image:
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(name))


def _of_skimage(name: str) -> Image.Image:
    from skimage import data

    found = getattr(data, name)()
    return Image.fromarray(np.asarray(found[0] if isinstance(found, tuple) else found))


_OPEN = {
    "matplotlib": _of_matplotlib,
    "scikit-learn": _of_sklearn,
    "scikit-image": _of_skimage,
}
