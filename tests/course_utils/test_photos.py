"""Photographs of installed packages: named, in RGB, with caption and licence."""

import pytest

from course_utils.datasets import Photos, sample_photos
from course_utils.predictions import top_k
from course_utils.weights import load_backbone

# Written down before the first run: what a person would call each, in ImageNet's words.
# Of the last three ImageNet has no class (its astronauts, walls and meadows are parts of
# other pictures), so a net can but name something else.
RIGHT = {
    "cat": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso", "cup", "coffee mug"},
    "rocket": {"missile", "projectile", "space shuttle"},
    "motorcycle": {"moped", "motor scooter"},
    "camera": {"tripod", "reflex camera"},
    "hopper": {"military uniform"},
    "china": {"palace", "monastery", "stupa"},
    "astronaut": {"astronaut", "space suit"},
    "brick": {"brick", "stone wall"},
    "grass": {"grass", "lawn"},
}


def test_every_photo_is_rgb_with_a_caption_and_a_licence():
    photos = sample_photos()
    assert len(photos) == len(list(photos)) == 19
    for name, photo in photos.items():
        assert photo.mode == "RGB" and min(photo.size) >= 100, name
        assert photos.captions[name] and photos.licences[name]


def test_a_photo_is_opened_only_when_it_is_asked_for(monkeypatch):
    monkeypatch.setattr("course_utils.datasets.photos._OPEN", {})
    photos = Photos()
    assert "cat" in photos and "dog" not in photos
    assert "cat" in repr(photos)
    with pytest.raises(KeyError, match="'catt'.*there is cat"):
        photos["catt"]
    with pytest.raises(KeyError, match="hopper, flower, china"):
        photos["zzzz"]


def test_a_net_with_imagenet_weights_names_them():
    model, photos = (
        load_backbone("tf_efficientnet_lite0", weights="imagenet"),
        sample_photos(),
    )
    top = {name: set(top_k(model, photos[name], k=5)["class"]) for name in RIGHT}
    missed = {name for name, right in RIGHT.items() if not right & top[name]}
    assert missed == {"astronaut", "brick", "grass"}
