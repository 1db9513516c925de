import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.rgb import BrokenImage, ToRGB, as_pil, to_rgb, upright

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def test_tensors_pass_untouched():
    image = torch.zeros(4, 6, 8, dtype=torch.uint8)
    assert ToRGB()(image) is image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "P", "LA", "1", "L", "F", "I"])
def test_pictures_become_rgb_as_everywhere(mode):
    picture = Image.fromarray(PIXELS[..., 0] // 2).convert("RGB")
    if mode == "F":
        picture = Image.fromarray(PIXELS[..., 0].astype(np.float32) / 255)
    else:
        picture = picture.convert("L" if mode == "I" else "RGB").convert(mode)
    found = ToRGB()(picture)
    assert found.mode == "RGB" and found.tobytes() == to_rgb(picture).tobytes()


def test_eight_bits_in_thirty_two_keep_their_brightness():
    grey = Image.fromarray(PIXELS[..., 0])
    assert np.array_equal(to_rgb(grey.convert("I")), to_rgb(grey))


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 3), (6, 8, 4)])
def test_arrays_are_pictures(shape):
    found = ToRGB()(np.full(shape, 255, np.uint8))
    assert np.asarray(found).shape == (6, 8, 3) and np.asarray(found).min() == 255


@pytest.mark.parametrize(
    "pixels", [PIXELS.astype(float), PIXELS[..., :2], PIXELS[0, 0], PIXELS[:0]]
)
def test_other_arrays_are_named(pixels):
    with pytest.raises(ValueError, match=r"a picture as an array is uint8 .* got"):
        as_pil(pixels)


def test_values_out_of_range_are_named():
    with pytest.raises(BrokenImage, match="values outside 0..65535"):
        to_rgb(Image.fromarray(np.full((4, 4), 70_000, np.int32)))


def test_a_broken_tag_loses_no_picture(monkeypatch):
    picture = Image.fromarray(PIXELS)
    monkeypatch.setattr(
        picture, "getexif", lambda: {0x0112: 6}
    )  # cannot be written back
    assert upright(picture).size in ((8, 6), (6, 8))
