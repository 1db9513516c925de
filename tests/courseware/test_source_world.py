"""The source world: varied labels, varied pictures, the same seed twice the same."""

import pytest
import torch

from courseware.making.drawing import source_world
from courseware.making.drawing.source_world import (
    ATTRIBUTES,
    GLYPHS,
    IGNORED,
    draw_batch,
)


@pytest.fixture(scope="module")
def drawn():
    return draw_batch(256, seed=1)


def corners(images):
    """Mean colour (B, 3) of the 8 x 8 corners of (B, 3, H, W): mostly background."""
    ends = torch.cat([torch.arange(8), torch.arange(56, 64)])
    return images[:, :, ends][..., ends].float().mean((2, 3))


def test_pictures_are_colour_bytes_of_64_pixels(drawn):
    images, _ = drawn
    assert images.shape == (256, 3, 64, 64) and images.dtype == torch.uint8


def test_every_attribute_labels_every_picture_within_its_classes(drawn):
    _, labels = drawn
    for name, classes in ATTRIBUTES.items():
        assert labels[name].shape == (256,) and labels[name].dtype == torch.int64
        assert 0 <= labels[name].min() and labels[name].max() < len(classes)


def test_every_class_of_every_attribute_is_drawn():
    _, labels = draw_batch(1000, seed=2)
    for name, classes in ATTRIBUTES.items():
        assert labels[name].unique().tolist() == list(range(len(classes))), name


def test_attributes_do_not_tell_each_other(drawn):
    labels = draw_batch(2000, seed=3)[1]
    for other in ("texture", "background", "hue", "background_hue", "count", "span"):
        pair = torch.stack([labels["shape"].double(), labels[other].double()])
        assert torch.corrcoef(pair)[0, 1].abs() < 0.1, other


def test_one_seed_draws_the_same_pictures_and_another_does_not():
    images, labels = draw_batch(40, seed=5)
    again, same = draw_batch(40, seed=5)
    assert torch.equal(images, again)
    assert all(torch.equal(labels[name], same[name]) for name in labels)
    assert not torch.equal(images, draw_batch(40, seed=6)[0])


def test_drawing_leaves_torchs_global_generator_alone():
    before = torch.get_rng_state()
    draw_batch(8, seed=0)
    assert torch.equal(before, torch.get_rng_state())


def test_background_varies_within_a_batch(drawn):
    images, labels = drawn
    assert corners(images).std(0).min() > 20
    assert len(labels["background"][:16].unique()) > 3


def test_background_does_not_give_the_batch_away():
    batches = [corners(draw_batch(96, seed=seed)[0]) for seed in range(6)]
    between = torch.stack([batch.mean(0) for batch in batches]).std(0)
    within = torch.stack([batch.std(0) for batch in batches]).mean(0)
    assert (between < 0.35 * within).all()  # what chance alone would give: about 0.1


def test_pictures_with_the_same_labels_differ():
    images, labels = draw_batch(600, seed=7)
    alike = (labels["shape"] == 3).nonzero()[:, 0]
    flat = images[alike].float().flatten(1)
    nearest = torch.cdist(flat, flat).fill_diagonal_(torch.inf).min()
    assert nearest / flat.shape[1] ** 0.5 > 5  # grey levels, root mean square


def test_object_is_seen_against_its_background(drawn):
    images, _ = drawn
    spread = images.float().flatten(1).std(1)
    assert (spread > 8).double().mean() > 0.97


def test_without_glyphs_none_is_drawn(drawn):
    assert (drawn[1]["glyph"] == IGNORED).all()


def test_glyphs_take_the_place_of_shapes():
    _, labels = draw_batch(400, seed=8, glyphs=0.5)
    signs = labels["glyph"] != IGNORED
    assert 0.4 < signs.double().mean() < 0.6
    assert (labels["shape"][signs] == IGNORED).all()
    assert (labels["shape"][~signs] != IGNORED).all()
    assert 0 <= labels["glyph"][signs].min() and labels["glyph"].max() < len(GLYPHS)


def test_a_batch_larger_than_a_chunk_is_drawn_whole():
    count = source_world.CHUNK + 5
    images, labels = draw_batch(count, seed=9)
    assert len(images) == len(labels["hue"]) == count


def test_no_pictures_is_an_error():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        draw_batch(0, seed=0)


def test_measured_speed_is_a_rate_and_restores_threads():
    threads = torch.get_num_threads()
    assert source_world.measure_speed(seconds=0.2) > 100
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("target", ["flowers", "cells", "defects", "canvas"])
def test_no_drawing_code_is_shared_with_the_targets(target):
    from importlib import import_module
    from pathlib import Path

    theirs = Path(import_module(f"courseware.making.drawing.{target}").__file__)
    ours = Path(source_world.__file__).read_text(encoding="utf-8")
    assert "source_world" not in theirs.read_text(encoding="utf-8")
    ours = ours.replace("from course_utils.arguments import", "")  # draws nothing
    assert "from course_utils" not in ours and "import course_utils" not in ours
