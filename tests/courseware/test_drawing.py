"""The target pictures: drawn alike from a seed, shipped whole, told apart by form."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course_utils.storage import data_dir, sha256_bytes, sha256_file
from courseware.making import draw, drawing
from courseware.making.drawing import bundle

IMAGES = data_dir() / "images"
SETS = [f"{name}{end}" for name in bundle.NAMES for end in ("", "_shifted")]
EVERY_CLASS = [(name, label) for name in bundle.NAMES for label in bundle.CLASSES[name]]


def shipped_labels(name):
    return pd.read_csv(IMAGES / name / "labels.csv")


def shipped_tiles(name, split):
    """The tiles of a sheet, cut here and not by the package's own reader."""
    with Image.open(IMAGES / name / f"{split}.png") as sheet:
        assert sheet.mode == "RGB" and sheet.format == "PNG"
        pixels = np.asarray(sheet)
    tiles = pixels.reshape(-1, 64, bundle.COLUMNS, 64, 3).swapaxes(1, 2)
    count = (shipped_labels(name)["split"] == split).sum()
    return tiles.reshape(-1, 64, 64, 3)[:count]


def cramers_v(a, b):
    """How far two columns depend on each other, 0 to 1."""
    table = pd.crosstab(a, b).to_numpy(float)
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / (min(table.shape) - 1)))


# --- drawing


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("name", "label"), EVERY_CLASS)
def test_every_class_draws_a_small_colour_picture(name, label, shifted):
    rng = np.random.default_rng(0)
    pixels, attributes = drawing.draw(name, label, rng, shifted=shifted)
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8
    assert pixels.std() > 5
    assert list(attributes) == list(shipped_labels(name).columns[3:])


@pytest.mark.parametrize("name", bundle.NAMES)
def test_a_seed_draws_the_same_twice_and_another_seed_does_not(name):
    first, table = drawing.draw_dataset(name, 2, 7)
    again, same = drawing.draw_dataset(name, 2, 7)
    other, _ = drawing.draw_dataset(name, 2, 8)
    np.testing.assert_array_equal(first, again)
    pd.testing.assert_frame_equal(table, same)
    assert (first != other).any()


def test_a_class_may_be_given_by_its_index():
    by_name, _ = drawing.draw("cells", "lobed", np.random.default_rng(3))
    by_index, _ = drawing.draw("cells", 1, np.random.default_rng(3))
    np.testing.assert_array_equal(by_name, by_index)


def test_each_class_is_drawn_as_often_as_asked():
    images, table = drawing.draw_dataset("defects", 3, 0, shifted=True)
    assert len(images) == len(table) == 12
    assert set(table["label"].value_counts()) == {3}
    assert not table["label"].is_monotonic_increasing


def test_shifted_pictures_differ_from_the_usual_ones():
    usual, _ = drawing.draw("flowers", "daisy", np.random.default_rng(0))
    shifted, _ = drawing.draw(
        "flowers", "daisy", np.random.default_rng(0), shifted=True
    )
    assert np.abs(usual.astype(int) - shifted).mean() > 10


@pytest.mark.parametrize(
    ("name", "label", "message"),
    [
        ("weeds", "daisy", "no target set 'weeds'; there are flowers, cells, defects"),
        ("flowers", "oak", "flowers has no class 'oak'; it has daisy, lotus"),
        ("cells", 4, "cells has no class 4; it has .*, or 0 to 3"),
        ("cells", -1, "cells has no class -1"),
    ],
)
def test_an_unknown_set_or_class_names_those_there_are(name, label, message):
    with pytest.raises(ValueError, match=message):
        drawing.draw(name, label, np.random.default_rng(0))


def test_a_dataset_needs_a_known_name_and_a_picture():
    with pytest.raises(ValueError, match="no target set 'weeds'"):
        drawing.draw_dataset("weeds", 1, 0)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        drawing.draw_dataset("cells", 0, 0)


def test_the_package_offers_its_names_and_no_others():
    assert all(hasattr(drawing, name) for name in drawing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = drawing.paint


def test_the_command_asks_for_a_folder(capsys):
    with pytest.raises(SystemExit) as ended:
        draw.main([])
    assert ended.value.code == 2 and "folder" in capsys.readouterr().err


def test_a_written_set_reads_back_and_its_checksums_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "PER_CLASS", {"train": 2, "test": 1})
    bundle.write_bundled(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert all(sha256_file(tmp_path / path) == sha for path, sha in listed.items())
    images, table = bundle.draw_dataset("flowers", 2, [bundle.SEED, 0, 0])
    with Image.open(tmp_path / "flowers" / "train.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet)[:64, 64:128], images[1])
    labels = pd.read_csv(tmp_path / "flowers" / "labels.csv")
    assert list(labels[labels["split"] == "train"]["label"]) == list(table["label"])


# --- what is shipped


def test_checksums_cover_every_shipped_file_and_hold():
    lines = (IMAGES / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    files = [p for p in IMAGES.rglob("*") if p.suffix in (".png", ".csv")]
    assert set(listed) == {p.relative_to(IMAGES).as_posix() for p in files}
    assert all(sha256_file(IMAGES / path) == sha for path, sha in listed.items())


@pytest.mark.parametrize("name", SETS)
def test_shipped_splits_hold_each_class_equally_often(name):
    per_class = {"test": 120} if name.endswith("_shifted") else bundle.PER_CLASS
    counts = shipped_labels(name).groupby(["split", "label"]).size()
    known = bundle.CLASSES[name.removesuffix("_shifted")]
    expected = {(s, c): n for s, n in per_class.items() for c in known}
    assert counts.to_dict() == expected


@pytest.mark.parametrize("name", SETS)
def test_shipped_rows_follow_the_tiles_and_attributes_are_complete(name):
    labels = shipped_labels(name)
    assert list(labels.columns[:3]) == ["split", "index", "label"]
    assert not labels.isna().any(axis=None)
    for _, rows in labels.groupby("split"):
        assert list(rows["index"]) == list(range(len(rows)))


@pytest.mark.parametrize("name", bundle.NAMES)
def test_no_shipped_picture_is_there_twice(name):
    parts = [
        *((name, split) for split in bundle.PER_CLASS),
        (f"{name}_shifted", "test"),
    ]
    seen = [sha256_bytes(t.tobytes()) for part in parts for t in shipped_tiles(*part)]
    assert len(set(seen)) == len(seen) == len(bundle.CLASSES[name]) * 600


@pytest.mark.parametrize("name", SETS)
def test_attributes_say_nothing_of_the_class_or_each_other(name):
    labels = shipped_labels(name)
    attributes = labels.columns[3:]
    assert len(attributes) == 2
    for a, b in combinations(["label", *attributes], 2):
        assert cramers_v(labels[a], labels[b]) < 0.15, (a, b)


def test_dependence_is_measured_from_none_to_whole():
    a = np.repeat([0, 1], 50)
    assert cramers_v(a, a) == pytest.approx(1)
    assert cramers_v(a, np.tile([0, 1], 50)) == pytest.approx(0)
