"""Folders of pictures as people have them: splits, classes, clutter, links, endings."""

import os
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image, features

from course_utils import datasets
from course_utils.datasets import load_dataset
from course_utils.datasets.layout import similar_names, split_of
from course_utils.errors import DatasetError

_rng = np.random.default_rng(0)


def _fill(folder, count=4, *, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = _rng.integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.{ending}")


@pytest.fixture
def made(tmp_path):
    """Make class folders with four pictures each."""

    def make(*folders):
        for folder in folders:
            _fill(tmp_path / folder)
        return tmp_path

    return make


def _load(folder, **options):
    given = {"image_size": 16, "transform": torch.nn.Identity()} | options
    return load_dataset(f"folder:{folder}", **given)


def _notes(folder, **options):
    return "\n".join(_load(folder, **options).report.notes)


# -- splits or classes -----------------------------------------------------------------


@pytest.mark.parametrize(("split", "names"), [
    ("train", "train training TRAIN Train training_set seg_train train_images imagesTrain "
              "trainset TrainSet train2017 my-train-data TrainingData train_val trainval"),
    ("val", "val valid validation Valid validset dev dev_set val2017 validation-images"),
    ("test", "test Testing test_set seg_test TestSet eval evaluation testdata test_final"),
    (None, "trains contest latest valve devices detrain retest cats train_test images"),
])  # fmt: skip
def test_a_word_of_the_name_tells_the_split(split, names):
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(
        names.split(), split
    )


@pytest.mark.parametrize(("train", "test"), [
    ("training_set", "test_set"), ("seg_train/seg_train", "seg_test/seg_test"),
    ("Train", "TEST"), ("train_images", "eval_images"), ("train/images", "test/images"),
])  # fmt: skip
def test_splits_under_their_usual_names_are_splits(made, train, test):
    root = made(
        *(f"{split}/{name}" for split in (train, test) for name in ("cat", "dog"))
    )
    data = _load(root)
    assert data.classes == ["cat", "dog"]
    assert data.report.origins["test"] == "given" and len(data.test) == 8
    notes = "\n".join(data.report.notes)
    assert "no folder for val: it is made from part of train" in notes
    assert ("splits=False" in notes) == (train != "Train")


def test_the_caller_decides_where_names_do_not(made):
    root = made("one/cat", "one/dog", "two/cat", "two/dog")
    told = _load(root, splits={"train": "one", "test": "two"})
    assert told.classes == ["cat", "dog"] and len(told.test) == 8
    assert _load(root).classes == ["one", "two"]


def test_splits_may_be_classes_where_the_caller_says_so(made):
    root = made("train/steam", "train/electric", "test/tube", "test/drive")
    assert _load(root, splits=False).classes == ["test", "train"]


@pytest.mark.parametrize("splits", [True, {"test": "one"}, {"train": "three"}, "one",
                                    {"train": "one", "later": "two"}])  # fmt: skip
def test_splits_that_name_nothing_are_refused(made, splits):
    with pytest.raises(DatasetError, match="splits"):
        _load(made("one/a", "one/b", "two/a"), splits=splits)


def test_splits_are_for_folders():
    with pytest.raises(DatasetError, match="splits is for folders; 'digits'"):
        load_dataset("digits", splits=False)


@pytest.mark.parametrize("folders", [
    ("train", "test"),  # splits without classes, or two classes
    ("training_set", "validation_set", "test_set"),
    ("train_station/day", "test_tube/glass"),  # no class in common
    ("training_shoes/red", "training_shoes/blue", "boots"),
    ("train/a", "train/b", "val/a", "valid/a"),
    ("test/a", "test/b"),
])  # fmt: skip
def test_where_it_may_be_either_both_readings_are_named(made, folders):
    with pytest.raises(DatasetError, match=r"splits=False"):
        _load(made(*folders))


def test_splits_below_classes_are_not_mixed(made):
    root = made("cat/train", "cat/test", "dog/train", "dog/test")
    with pytest.raises(DatasetError, match=r"turn the folders round, as in test/cat"):
        _load(root)
    assert _load(root, splits=False).classes == ["cat", "dog"]


@pytest.mark.parametrize("bare", ["test", "test/test", "test_images"])
def test_a_test_folder_without_labels_is_left_out(made, bare):
    root = made("train/a", "train/b", bare)
    assert "no class folders within" in _notes(root)
    assert _load(root).classes == ["a", "b"]


def test_a_folder_that_lies_alone_is_entered(made):
    root = made("archive/data/cat", "archive/data/dog")
    data = _load(root)
    assert data.classes == ["cat", "dog"] and "classes lie in archive/data" in _notes(
        root
    )
    assert _load(made("x/y/train/a", "x/y/train/b") / "x").classes == ["a", "b"]


def test_one_folder_named_like_a_split_among_others_is_a_class(made):
    root = made("test_tubes/new", "flasks/new", "beakers/new")
    assert _load(root).classes == ["beakers", "flasks", "test_tubes"]
    assert "though named like splits: test_tubes" in _notes(root)


# -- what else lies there --------------------------------------------------------------


def test_what_systems_make_is_passed_over_with_a_note(made):
    clutter = [
        "@eaDir",
        "$RECYCLE.BIN",
        ".thumbnails",
        "__MACOSX",
        ".ipynb_checkpoints",
    ]
    root = made("a", "b", *clutter, "a/@eaDir")
    for folder in ("lost+found", "System Volume Information"):
        (root / folder).mkdir()
    (root / "a" / "Thumbs.db").write_bytes(b"x")
    data = _load(root)
    assert data.classes == ["a", "b"] and sum(data.report.counts.values()) == 8
    assert "passed over: 2 @eaDir" in _notes(root)


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "webp", "jp2", "tga"])
def test_pictures_of_rarer_endings_are_read(made, ending):
    if ending == "avif" and not features.check("avif"):
        pytest.skip("this system has a PIL without AVIF")
    root = made("a")
    _fill(root / "b", 3, ending=ending)
    assert _load(root).train.class_counts()["b"] == 1


def test_other_endings_are_counted_and_heic_has_a_way_out(made):
    root = made("a", "b")
    for name in ("1.heic", "2.HEIC", "notes.txt", "raw"):
        (root / "a" / name).write_bytes(b"x")
    report = _load(root).report
    assert report.ignored == {".heic": 2, ".txt": 1, "without an ending": 1}
    assert "2 .heic, 1 .txt, 1 without an ending (.heic is read after" in str(report)


def test_a_class_of_what_cannot_be_read_says_what_lies_there(made):
    root = made("a")
    (root / "b").mkdir()
    (root / "b" / "1.heic").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"class 'b' .* 1 .heic \(.*pillow-heif"):
        _load(root)


def test_pictures_beside_the_classes_are_counted(made):
    root = made("a", "b")
    _fill(root, 2)
    assert "images outside class folders, ignored: 2" in _notes(root)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_never_opened(made):
    root = made("a", "b")
    os.mkfifo(root / "a" / "pipe.png")
    os.mkfifo(root / "pipe")
    assert "2 pipes, sockets or devices" in _notes(root)


@pytest.fixture
def linked(made, tmp_path_factory):
    try:
        os.symlink("a", tmp_path_factory.mktemp("links") / "b")
    except OSError:
        pytest.skip("this system lets us make no links")
    return made("a", "b")


def test_links_are_followed_and_counted(linked, tmp_path_factory):
    away = tmp_path_factory.mktemp("away")
    _fill(away / "deep", 3)
    os.symlink(away, linked / "a" / "more")
    other = tmp_path_factory.mktemp("other")
    _fill(other, 3)
    os.symlink(other, linked / "c")
    data = _load(linked, splits=False)
    assert data.classes == ["a", "b", "c"]
    assert "links followed: 2" in data.report.notes


def test_a_link_is_entered_once_and_never_in_a_circle(linked):
    for name, target in (("up", linked), ("self", linked / "a"), ("b", linked / "b")):
        os.symlink(target, linked / "a" / name)
    data = _load(linked)
    assert sum(data.report.counts.values()) == 8
    assert "3 links to folders that are read anyway" in _notes(linked)


def test_a_link_to_nothing_is_a_broken_picture(linked):
    os.symlink(linked / "gone.png", linked / "a" / "gone.png")
    [(name, problem)] = _load(linked).report.broken
    assert name == "a/gone.png" and "No such file" in problem


# -- classes that may be one, pictures in two ------------------------------------------


@pytest.mark.parametrize("names", [
    ["Cat", "cat"], ["dog", "dog "], ["cat", "cat - Copy"], ["cat", "cat (1)"],
    ["cat", "Copy of cat"], ["golden retriever", "golden_retriever"],
    ["café", unicodedata.normalize("NFD", "café")],
])  # fmt: skip
def test_names_that_may_mean_one_class_are_found(names):
    assert similar_names(["zebra", *names, "horse"]) == [names]
    assert similar_names(["cat", "dog", "cats", "1", "2", "+", "-"]) == []


def test_such_classes_are_noted_and_named_where_they_fail(made):
    root = made("dog", "cat", "cat - Copy")
    assert "classes whose names may mean one: 'cat' and 'cat - Copy'" in _notes(root)
    root = made("s/train/A", "s/train/b", "s/test/a", "s/test/b") / "s"
    if (root / "train" / "a").exists():
        pytest.skip("this system makes no difference between A and a")
    with pytest.raises(DatasetError, match="Are 'A' and 'a' one class"):
        _load(root)


@pytest.mark.parametrize("where", ["b/z.png", "train/b/z.png"])
def test_a_picture_in_two_classes_is_left_out_of_both(made, where):
    root = made("train/a", "train/b", "test/a", "test/b")
    source = root / ("test/a/0.png" if "train" in where else "train/a/0.png")
    if "train" not in where:
        root = root / "train"
    (root / where).write_bytes(source.read_bytes())
    data = _load(root)
    assert "one picture in two classes, left out of both: " in _notes(root)
    assert "b/z.png" in _notes(root) and "a/0.png" in _notes(root)
    kept = sum(data.report.counts.values())
    assert kept == (15 if "train" in where else 7)


def test_classes_too_small_for_the_splits_are_named(tmp_path):
    for name, count in (("a", 1), ("b", 2), ("c", 3)):
        _fill(tmp_path / name, count)
    notes = _notes(tmp_path)
    assert "no picture for test in a: " in notes and "for val in a, b: " in notes


# -- pixels ----------------------------------------------------------------------------


@pytest.mark.parametrize(("top", "said"), [(4096, True), (65536, False)])
def test_sixteen_bit_files_with_twelve_bit_values_are_said_to_be_dark(
    tmp_path, top, said
):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = _rng.integers(0, top, (20, 20)).astype(np.uint16)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    assert ("16-bit files are dark" in _notes(tmp_path)) == said


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, 3, [], {}, b"flowers", True])
def test_a_name_of_another_type_is_refused(name):
    with pytest.raises(DatasetError, match="a dataset is a name or 'folder:PATH', got"):
        load_dataset(name)


@pytest.mark.parametrize("seed", ["x", None, -1, 0.5])
def test_a_seed_is_a_whole_number(made, seed):
    with pytest.raises(ValueError, match="seed must be"):
        _load(made("a", "b"), seed=seed)


@pytest.mark.parametrize("size", ["big", float("nan"), 0, -1])
def test_a_size_is_a_whole_number(made, size):
    with pytest.raises(DatasetError, match="image_size must be a whole number"):
        _load(made("a", "b"), image_size=size)


def test_a_transform_can_be_called(made):
    with pytest.raises(DatasetError, match="transform must take a picture"):
        _load(made("a", "b"), transform="flip")
    with pytest.raises(DatasetError, match="transform must take a picture"):
        _load(made("a", "b")).train.with_transform(3)


@pytest.mark.parametrize("path", ["", " ", "~nobody-of-this-name/x", "a\0b"])
def test_a_path_that_cannot_be_is_refused(path):
    with pytest.raises(DatasetError, match="folder"):
        load_dataset(f"folder:{path}")


def test_what_may_not_be_read_is_named(made, monkeypatch):
    root = made("a", "b")
    real = os.scandir

    def denied(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(datasets.listing.os, "scandir", denied)
    with pytest.raises(DatasetError, match=r"b cannot be read \(Permission denied\)"):
        _load(root)


def test_the_side_of_the_files_is_asked_for_only_where_it_decides(
    tmp_path, monkeypatch
):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            colour = (number, 0, len(name) * 9 + (name == "b"))
            Image.new("RGB", (40, 30), colour).save(tmp_path / name / f"{number}.png")
    asked = []
    monkeypatch.setattr(
        "course_utils.datasets.folder.median_short_side",
        lambda paths: asked.append(len(paths)) or 30,
    )
    assert load_dataset(f"folder:{tmp_path}", image_size=16).image_size == 16
    assert asked == []
    assert load_dataset(f"folder:{tmp_path}", image_size="auto").image_size == 30
    assert asked == [8]
