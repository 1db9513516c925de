import hashlib
import pickle
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from timm.data.transforms import ResizeKeepRatio
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torchvision import datasets as tv
from torchvision import transforms as v1
from torchvision.transforms import v2

from course_utils import datasets
from course_utils.datasets import (
    ImageDataset,
    bundled,
    check_views,
    dataset_names,
    default_dataset,
    draws_views,
    fetch_dataset,
    files,
    images,
    is_random,
    labels_of,
    load_dataset,
    real,
    training_transform,
)
from course_utils.errors import DatasetError
from course_utils.storage import sha256_file
from course_utils.weights import load_backbone

NORMALIZE = v2.Normalize([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
REAL_PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "real"


def _inference(image_size):
    steps = [v2.ToImage(), v2.Resize(image_size), v2.ToDtype(torch.float32, scale=True)]
    return v2.Compose([*steps, NORMALIZE])


_active_weights_info = datasets.default_weights_info


@pytest.fixture(autouse=True)
def _stand_in_weights(monkeypatch):
    info = SimpleNamespace(image_size=64, transform_for=_inference)
    monkeypatch.setattr(datasets, "default_weights_info", lambda: info)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))


def _photo(seed, size=(40, 30), mode="RGB"):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).convert(mode)


def _fill(folder, count, *, seed=0, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        _photo(1000 * seed + i).save(folder / f"{i}.{ending}")
    return folder


@pytest.fixture
def pets(tmp_path):
    """A folder of two classes at once, 20 images each."""
    _fill(tmp_path / "pets" / "cat", 20, seed=1)
    _fill(tmp_path / "pets" / "dog", 20, seed=2)
    return tmp_path / "pets"


def _load(folder, **options):
    return load_dataset(f"folder:{folder}", **({"image_size": 16} | options))


def _names_in(split):
    return {hashlib.sha256(image.tobytes()).hexdigest() for image in split.images}


# --- what comes out


def test_images_come_as_normalised_tensors_with_their_class(pets):
    train = _load(pets).train
    image, label = train[0]
    expected = (torch.from_numpy(train.images[0]).permute(2, 0, 1) / 255 - 0.5) / 0.25
    assert type(image) is torch.Tensor
    assert torch.allclose(image, expected, atol=1e-6)
    assert label == int(train.labels[0]) and isinstance(label, int)
    assert train.images.dtype == np.uint8 and train.images.shape[1:] == (16, 16, 3)


def test_a_loader_gives_what_single_images_give(pets):
    train = _load(pets).train
    batch, labels = next(iter(DataLoader(train, batch_size=len(train))))
    assert torch.equal(batch, torch.stack([train[i][0] for i in range(len(train))]))
    assert torch.equal(labels, train.labels)


def test_a_nested_transform_gives_a_batch_what_it_gives_an_image(pets):
    inner = v2.Compose([v2.ToDtype(torch.float32, scale=True), NORMALIZE])
    train = _load(pets, transform=v2.Compose([v2.ToImage(), inner, NORMALIZE])).train
    before = train.images.copy()
    batch, _ = next(iter(DataLoader(train, batch_size=5)))
    assert torch.equal(batch, torch.stack([train[i][0] for i in range(5)]))
    assert type(batch) is torch.Tensor and np.array_equal(train.images, before)


def test_random_transforms_draw_for_each_image(pets):
    black = ImageDataset(np.zeros((8, 16, 16, 3), np.uint8), [0] * 8, ["a"])
    noisy = black.with_transform(lambda image: torch.rand(3, 16, 16))
    batch, _ = next(iter(DataLoader(noisy, batch_size=8)))
    assert len(torch.unique(batch[:, 0, 0, 0])) == 8


def test_a_transform_that_wants_pil_gets_it(pets):
    train = _load(pets, transform=v1.Compose([v1.ToTensor()])).train
    assert torch.equal(train[0][0], train.with_transform(None)[0][0])


def test_a_dataset_survives_pickling(pets):
    train = _load(pets, transform=NORMALIZE).train
    again = pickle.loads(pickle.dumps(train))
    assert again.fingerprint == train.fingerprint and again.classes == ["cat", "dog"]


def test_a_subset_keeps_order_and_takes_masks(pets):
    train = _load(pets).train
    assert train.subset([3, -1]).labels.tolist() == train.labels[[3, -1]].tolist()
    assert len(train.subset(train.labels == 1)) == 14


def test_a_subset_beyond_the_end_is_refused(pets):
    with pytest.raises(DatasetError, match="28 images"):
        _load(pets).train.subset([28])


def test_fingerprints_follow_pixels_and_labels():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    plain = ImageDataset(pixels, [0, 1], ["a", "b"])
    assert plain.fingerprint == ImageDataset(pixels.copy(), [0, 1], [*"ab"]).fingerprint
    assert plain.fingerprint != ImageDataset(pixels, [1, 0], [*"ab"]).fingerprint
    assert plain.fingerprint != ImageDataset(pixels + 1, [0, 1], [*"ab"]).fingerprint
    assert plain.fingerprint != plain.subset([0]).fingerprint


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), [0], "2 images do not fit 1 labels"),
        (np.zeros((2, 8, 8), np.uint8), [0, 1], r"RGB \(N, S, S, 3\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0, 2], "allow 0..1"),
    ],
)
def test_images_and_labels_must_fit(pixels, labels, message):
    with pytest.raises(DatasetError, match=message):
        ImageDataset(pixels, labels, ["a", "b"])


# --- splits


@pytest.mark.parametrize("labels", [[0.4, 0.6], [float("nan"), 0], [0, -1], [[1, 0]] * 2,
                                    ["a", "b"], None, [True, 0.5]])  # fmt: skip
def test_labels_are_class_indices(labels):
    with pytest.raises(DatasetError, match="labels"):
        ImageDataset(np.zeros((2, 8, 8, 3), np.uint8), labels, ["a", "b"])


def test_whole_labels_of_any_type_are_taken():
    for labels in ([0.0, 1.0], np.array([0, 1], np.int8), [False, True]):
        data = ImageDataset(np.zeros((2, 8, 8, 3), np.uint8), labels, ["a", "b"])
        assert data.labels.dtype == torch.long and data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("given", [
    {"classes": "ab"}, {"classes": None}, {"images": np.zeros((2, 8, 8, 3))},
    {"images": [1, 2]}, {"transform": 3},
])  # fmt: skip
def test_what_makes_no_dataset_is_named(given):
    right = {"images": np.zeros((2, 8, 8, 3), np.uint8), "labels": [0, 1],
             "classes": ["a", "b"]}  # fmt: skip
    with pytest.raises(DatasetError, match=next(iter(given))):
        ImageDataset(**(right | given))


def test_a_loader_asks_a_class_of_ones_own_for_its_pictures(pets):
    class Numbered(ImageDataset):
        def __getitem__(self, index):
            return torch.tensor(index), 0

    train = _load(pets).train
    own = Numbered(train.images, train.labels, train.classes, transform=NORMALIZE)
    assert next(iter(DataLoader(own, 4)))[0].tolist() == [0, 1, 2, 3]


def test_missing_splits_are_stratified_and_share_nothing(pets):
    data = _load(pets)
    assert [len(s) for s in (data.train, data.val, data.test)] == [28, 6, 6]
    assert data.test.class_counts() == {"cat": 3, "dog": 3}
    assert not _names_in(data.train) & _names_in(data.test)
    assert not _names_in(data.val) & _names_in(data.test)


def test_made_splits_follow_the_seed_alone(pets):
    def tested(**options):
        return _names_in(_load(pets, **options).test)

    assert tested(seed=1) == tested(seed=1) != tested(seed=2)


def test_made_splits_hold_the_same_files_at_every_size(tmp_path):
    for name, red in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        for i in range(20):
            plain = Image.new("RGB", (30, 30), (red, 10 * i, 0))
            plain.save(tmp_path / name / f"{i}.png")

    def colours(size):
        return _load(tmp_path, image_size=size).test.images[:, 0, 0].tolist()

    assert colours(8) == colours(24)


def test_given_splits_stay_as_they_are(tmp_path):
    for seed, split in enumerate(("train", "valid", "Test")):
        _fill(tmp_path / split / "a", 4 + seed, seed=10 * seed)
        _fill(tmp_path / split / "b", 4 + seed, seed=10 * seed + 1)
    data = _load(tmp_path)
    assert [len(s) for s in (data.train, data.val, data.test)] == [8, 10, 12]
    assert data.report.origins == {"train": "given", "val": "given", "test": "given"}
    assert data.evaluation is data.test


def test_a_given_val_is_reported_on_where_no_test_is_given(tmp_path):
    for seed, part in enumerate(("train/a", "train/b", "val/a", "val/b")):
        _fill(tmp_path / part, 20 if "train" in part else 5, seed=seed)
    data = _load(tmp_path)
    assert data.evaluation_name == "val" and len(data.evaluation) == 10
    assert [len(data.train), len(data.test)] == [34, 6]
    assert "made: 15% of train" in str(data.report)


def test_a_made_test_is_reported_on_where_nothing_is_given(pets):
    assert _load(pets).evaluation_name == "test"


def test_copies_across_splits_leave_train_first(tmp_path):
    for seed, part in enumerate(("train/a", "train/b", "test/a", "test/b")):
        _fill(tmp_path / part, 5, seed=seed)
    (tmp_path / "train/a/copy.png").write_bytes(
        (tmp_path / "test/a/0.png").read_bytes()
    )
    data = _load(tmp_path)
    assert len(data.test) == 10
    assert data.report.duplicates == [("train/a/copy.png", "same as test/a/0.png")]


def test_copies_are_not_torn_apart_by_a_made_split(pets):
    for i in range(20):
        (pets / "dog" / f"copy{i}.png").write_bytes((pets / "dog/0.png").read_bytes())
    data = _load(pets)
    assert len(data.report.duplicates) == 20
    assert len(data.train) + len(data.val) + len(data.test) == 40


def test_a_tiny_class_keeps_an_image_to_learn_from(tmp_path):
    _fill(tmp_path / "a", 1, seed=1)
    _fill(tmp_path / "b", 3, seed=2)
    data = _load(tmp_path)
    assert data.train.class_counts() == {"a": 1, "b": 1}


def test_a_train_set_that_is_the_test_set_is_refused(tmp_path):
    for split in ("train", "test"):
        for seed, name in enumerate("ab"):
            _fill(tmp_path / split / name, 5, seed=seed)
    with pytest.raises(DatasetError, match="class 'a' .* no image left in train"):
        _load(tmp_path)


def test_classes_missing_from_a_given_split_are_noted(tmp_path):
    for seed, part in enumerate(("train/a", "train/b", "test/a")):
        _fill(tmp_path / part, 10, seed=seed)
    assert "classes without images in test: b" in str(_load(tmp_path).report)


# --- samples


def test_per_class_cuts_train_alone(pets):
    data = _load(pets, per_class=5)
    assert data.train.class_counts() == {"cat": 5, "dog": 5}
    assert len(data.test) == 6


def test_smaller_samples_lie_within_larger_ones(pets):
    train = _load(pets).train
    small, large = (_names_in(train.sample_per_class(n, seed=3)) for n in (4, 9))
    assert small < large
    assert small != _names_in(train.sample_per_class(4, seed=4))


def test_too_many_per_class_says_how_many_there_are(pets):
    with pytest.raises(DatasetError, match="'pets', train: .*'cat' has 14"):
        _load(pets, per_class=15)


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_per_class_must_be_a_count(pets, n):
    with pytest.raises(DatasetError, match="whole number from 1"):
        _load(pets, per_class=n)


# --- folders


def test_relative_folders_start_where_the_command_was_given(pets, monkeypatch):
    monkeypatch.setenv("PWD", str(pets.parent))
    assert _load("pets").name == "pets"


def test_nested_images_count_and_clutter_does_not(pets):
    _fill(pets / "cat" / "more" / "deep", 2, seed=9)
    (pets / "cat" / ".DS_Store").write_bytes(b"x")
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / "readme.md").write_text("x")
    (pets / ".git").mkdir()
    data = _load(pets)
    assert len(data.train) + len(data.val) + len(data.test) == 42
    assert data.report.ignored_files == 2 and data.classes == ["cat", "dog"]


def test_a_class_may_be_called_train(tmp_path):
    _fill(tmp_path / "train", 8, seed=1)
    _fill(tmp_path / "plane", 8, seed=2)
    assert _load(tmp_path).classes == ["plane", "train"]


def test_auto_size_is_the_images_own_below_the_weights(pets):
    assert _load(pets, image_size="auto").image_size == 30


def test_auto_size_is_the_weights_below_the_images(tmp_path):
    for seed, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        _photo(seed, (200, 100)).save(tmp_path / name / "0.png")
    assert _load(tmp_path, image_size="auto").image_size == 64


def test_large_folders_are_read_when_indexed(pets, monkeypatch):
    at_once = _load(pets)
    monkeypatch.setattr(files, "fits_in_memory", lambda count, size: False)
    lazy = _load(pets)
    assert isinstance(lazy.train.images, images.LazyImages)
    assert lazy.train.images.shape == at_once.train.images.shape
    assert np.array_equal(lazy.train.images[[0, 5]], at_once.train.images[[0, 5]])
    assert torch.equal(lazy.train[3][0], at_once.train[3][0])
    assert np.asarray(lazy.test.sample_per_class(1).images).shape == (2, 16, 16, 3)
    assert lazy.train.fingerprint == _load(pets).train.fingerprint


def test_pixels_keep_their_places_beside_broken_files(pets):
    expected = _load(pets, image_size=8).test
    for name in ("00.png", "7b.png", "zz.png"):
        (pets / "cat" / name).write_bytes(b"broken")
    found = _load(pets, image_size=8)
    assert len(found.report.broken) == 3
    assert np.array_equal(found.test.images, expected.images)
    hashes = [images.pixel_hash(pixels) for pixels in found.train.images]
    assert hashes == found.train.hashes.tolist()


def test_a_file_that_vanishes_later_is_named(pets, monkeypatch):
    monkeypatch.setattr(files, "fits_in_memory", lambda count, size: False)
    train = _load(pets).train
    train.images.paths[0].unlink()
    with pytest.raises(DatasetError, match="can no longer be read"):
        train[0]


# --- pixels


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_other_channels_become_rgb(mode):
    rgb = images.to_rgb(_photo(0).convert(mode))
    assert rgb.mode == "RGB"


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert images.to_rgb(clear).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((20, 20), 32896, np.uint16)).save(path)
    decoded = images.decode_file(path, 8)
    assert decoded.mode.startswith("I") and np.unique(decoded.pixels) == [128]


def test_floats_beyond_one_cannot_become_rgb(tmp_path):
    path = tmp_path / "float.tif"
    Image.fromarray(np.full((20, 20), 7.0, np.float32)).save(path)
    assert "outside 0..1" in images.decode_file(path, 8).problem


def test_a_turned_photo_is_set_upright(tmp_path):
    path = tmp_path / "turned.jpg"
    photo = Image.fromarray(
        np.repeat([[[0], [255]]], 16, 0).repeat(8, 1).repeat(3, 2).astype(np.uint8)
    )
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees to see it so
    photo.save(path, exif=exif, quality=95)
    pixels = images.decode_file(path, 16).pixels
    assert pixels[:4].mean() < 30 and pixels[-4:].mean() > 225


def test_a_long_strip_is_cut_to_its_middle():
    strip = np.zeros((10, 1000, 3), np.uint8)
    strip[:, 495:505] = 255
    assert images.fit_square(Image.fromarray(strip), 10).min() == 255


# --- bad input


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(DatasetError, match="did you mean 'flowers'"):
        load_dataset("flower")


def test_a_folder_without_its_prefix_is_recognised(pets):
    with pytest.raises(DatasetError, match="write 'folder:"):
        load_dataset(str(pets))


def test_a_missing_folder_says_where_it_was_looked_for(pets):
    with pytest.raises(DatasetError, match="looked for .*did you mean 'pets'"):
        _load(pets.parent / "pet")


def test_a_folder_without_a_path_is_refused():
    with pytest.raises(DatasetError, match="needs a path"):
        load_dataset("folder:")


def test_an_archive_must_be_unpacked(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match="unpack it"):
        _load(tmp_path / "photos.zip")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is empty: expected one folder a class"):
        _load(tmp_path)


def test_images_without_class_folders_are_refused(tmp_path):
    _fill(tmp_path, 3)
    with pytest.raises(DatasetError, match="3 images but no class folders"):
        _load(tmp_path)


def test_a_class_without_images_is_named(pets):
    (pets / "fish").mkdir()
    with pytest.raises(DatasetError, match="class 'fish' .* has no image"):
        _load(pets)


def test_one_class_is_refused(tmp_path):
    _fill(tmp_path / "only", 3)
    with pytest.raises(DatasetError, match="only one class, 'only'"):
        _load(tmp_path)


def test_a_class_that_train_lacks_is_named(tmp_path):
    for seed, part in enumerate(("train/a", "train/b", "test/c")):
        _fill(tmp_path / part, 3, seed=seed)
    with pytest.raises(
        DatasetError, match=r"'c' .* no image in train \(only in test\)"
    ):
        _load(tmp_path)


def test_a_test_set_alone_cannot_be_learnt_from(tmp_path):
    _fill(tmp_path / "test" / "a", 2)
    with pytest.raises(DatasetError, match="no train folder"):
        _load(tmp_path)


def test_two_folders_for_one_split_are_refused(tmp_path):
    for split in ("train", "val", "valid"):
        _fill(tmp_path / split / "a", 1)
    with pytest.raises(DatasetError, match="two folders for val"):
        _load(tmp_path)


def _truncated_jpeg(path):
    _photo(5, (200, 200)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])


BROKEN = {
    "corrupt": (lambda path: path.write_bytes(b"no image at all"), "not an image"),
    "empty": (lambda path: path.write_bytes(b""), "0 bytes"),
    "truncated": (_truncated_jpeg, "truncated"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_images_are_skipped_and_reported(pets, kind):
    make, reason = BROKEN[kind]
    make(pets / "cat" / "bad.jpg")
    data = _load(pets)
    [(name, problem)] = data.report.broken
    assert name == "cat/bad.jpg" and reason in problem
    assert len(data.train) + len(data.val) + len(data.test) == 40
    assert "cat/bad.jpg" in str(data.report)


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_images_raise_where_asked(pets, kind):
    make, reason = BROKEN[kind]
    make(pets / "cat" / "bad.jpg")
    with pytest.raises(DatasetError, match=f"bad.jpg: .*{reason}"):
        _load(pets, on_error="raise")


def test_a_class_of_broken_images_is_refused(pets):
    (pets / "fish").mkdir()
    (pets / "fish" / "bad.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match="'fish' .* no readable image.*fish/bad.png"):
        _load(pets)


@pytest.mark.parametrize("size", [7, 0, -64, 64.0, "64", True, 4096])
def test_an_impossible_image_size_is_refused(pets, size):
    with pytest.raises(DatasetError, match="image_size must be a whole number"):
        _load(pets, image_size=size)


def test_an_unknown_on_error_is_refused(pets):
    with pytest.raises(DatasetError, match="'skip' or 'raise'"):
        _load(pets, on_error="ignore")


# --- bundled sheets


@pytest.fixture
def sheets(tmp_path, monkeypatch):
    """A bundled dataset of noise: 10 train, 4 val and 4 test tiles, 3 in a row."""
    folder = tmp_path / "images" / "noise"
    folder.mkdir(parents=True)
    rows = []
    for seed, (split, count) in enumerate({"train": 10, "val": 4, "test": 4}.items()):
        tiles = np.random.default_rng(seed).integers(0, 256, (12, 64, 64, 3), np.uint8)
        sheet = tiles.reshape(4, 3, 64, 64, 3).swapaxes(1, 2).reshape(256, 192, 3)
        Image.fromarray(sheet).save(folder / f"{split}.png")
        rows += [(split, i, "ab"[i % 2], i % 5) for i in range(count)]
    table = pd.DataFrame(rows, columns=["split", "index", "label", "petals"])
    table.to_csv(folder / "labels.csv", index=False)
    monkeypatch.setattr(bundled, "images_dir", lambda: folder.parent)
    _write_sums(folder.parent)
    return folder


def _write_sums(root):
    lines = [
        f"{sha256_file(path)}  {path.relative_to(root).as_posix()}"
        for path in sorted(root.rglob("*.*"))
        if path.is_file()
    ]
    (root / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def test_tiles_and_attributes_come_in_order(sheets):
    data = load_dataset("noise")
    tiles = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), np.uint8)
    assert np.array_equal(data.train.images, tiles[:10])
    assert data.train.labels.tolist() == [0, 1] * 5
    assert data.train.attributes["petals"].tolist() == [0, 1, 2, 3, 4] * 2
    assert data.train.subset([3]).attributes["petals"].tolist() == [3]
    assert data.attributes["split"].value_counts().to_dict() == {
        "train": 10,
        "val": 4,
        "test": 4,
    }


def test_sheets_are_resized_on_request(sheets):
    assert load_dataset("noise", image_size=32).train.images.shape == (10, 32, 32, 3)


def test_a_test_set_alone_stays_whole(sheets):
    labels = pd.read_csv(sheets / "labels.csv").query("split == 'test'")
    labels.to_csv(sheets / "labels.csv", index=False)
    _write_sums(sheets.parent)
    data = load_dataset("noise")
    assert [len(s) for s in (data.train, data.val, data.test)] == [0, 0, 4]
    assert data.report.origins["train"] == "absent" and data.evaluation is data.test


def test_a_test_set_alone_has_nothing_per_class(sheets):
    labels = pd.read_csv(sheets / "labels.csv").query("split == 'test'")
    labels.to_csv(sheets / "labels.csv", index=False)
    _write_sums(sheets.parent)
    with pytest.raises(DatasetError, match="'noise' is a test set alone"):
        load_dataset("noise", per_class=2)


def test_a_changed_sheet_is_refused(sheets):
    with open(sheets / "test.png", "ab") as file:
        file.write(b"x")
    with pytest.raises(DatasetError, match="noise/test.png is not the file .* shipped"):
        load_dataset("noise")


def test_changed_labels_are_refused(sheets):
    (sheets / "labels.csv").write_text("split,index,label\ntest,0,a\n")
    with pytest.raises(DatasetError, match="labels.csv is not the file"):
        load_dataset("noise")


def test_a_missing_sheet_is_named(sheets):
    (sheets / "train.png").unlink()
    with pytest.raises(DatasetError, match="noise/train.png is missing: restore"):
        load_dataset("noise")


def test_a_file_that_no_checksum_covers_is_refused(sheets):
    (sheets.parent / "SHA256SUMS").write_text("")
    with pytest.raises(DatasetError, match="does not list noise/labels.csv"):
        load_dataset("noise")


def test_a_sheet_too_small_for_its_labels_is_refused(sheets):
    Image.new("RGB", (64, 64)).save(sheets / "train.png")
    _write_sums(sheets.parent)
    with pytest.raises(DatasetError, match="64 x 64 px, too small for 10 tiles"):
        load_dataset("noise")


def test_missing_bundled_images_say_how_to_get_them(sheets):
    with pytest.raises(DatasetError, match="cells/labels.csv is missing: restore"):
        load_dataset("cells")


@pytest.mark.parametrize("name", bundled.TARGETS)
def test_shipped_images_are_whole_and_without_copies(name):
    data, shifted = load_dataset(name), load_dataset(f"{name}_shifted")
    assert data.report.duplicates == [] and shifted.report.duplicates == []
    assert len(set(data.test.class_counts().values())) == 1
    assert shifted.classes == data.classes and len(shifted.train) == 0
    assert not data.attributes.isna().any(axis=None)


# --- what comes with the libraries


def test_digits_are_split_and_enlarged():
    data = load_dataset("digits", image_size=32)
    assert len(data.train) + len(data.val) + len(data.test) == 1797
    assert data.classes == [str(i) for i in range(10)]
    assert data.train.images.shape[1:] == (32, 32, 3)


# --- torchvision's sets


@pytest.mark.parametrize("name", datasets.REAL)
def test_a_set_that_is_not_there_names_the_command(name):
    with pytest.raises(DatasetError, match=f"fetch --data {name}"):
        load_dataset(name)


def test_a_home_that_cannot_be_made_hides_no_set(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    with pytest.raises(DatasetError, match="course fetch"):
        load_dataset("eurosat")
    assert len(load_dataset("digits", per_class=1).train) == 10


def _fake_eurosat(root):
    _fill(root / "eurosat" / "2750" / "Forest", 10, seed=1, ending="jpg")
    _fill(root / "eurosat" / "2750" / "River", 10, seed=2, ending="jpg")


def test_eurosat_is_split_by_us():
    _fake_eurosat(real._home_root("eurosat"))
    data = load_dataset("eurosat", image_size=16)
    assert data.classes == ["Forest", "River"]
    assert [len(s) for s in (data.train, data.val, data.test)] == [12, 4, 4]


def test_a_set_in_torchs_own_folder_is_found():
    _fake_eurosat(real._torch_root())
    assert len(load_dataset("eurosat", image_size=16).train) == 12


def test_imagenette_keeps_its_val():
    root = real._home_root("imagenette") / "imagenette2-320"
    for seed, part in enumerate(("train", "val")):
        for i, wnid in enumerate(("n01440764", "n02102040")):
            _fill(root / part / wnid, 10, seed=10 * seed + i, ending="jpeg")
            for path in (root / part / wnid).iterdir():
                path.rename(path.with_suffix(".JPEG"))
    data = load_dataset("imagenette", image_size=16)
    assert data.classes == ["tench", "English springer"]
    assert data.evaluation_name == "val" and len(data.val) == 20


def test_oxford_pet_reads_its_annotations():
    root = real._home_root("oxford_pet") / "oxford-iiit-pet"
    (root / "annotations").mkdir(parents=True)
    for seed, split in enumerate(("trainval", "test")):
        lines = []
        for label, breed in enumerate(("Abyssinian", "beagle"), start=1):
            for i in range(10 * seed, 10 * seed + 10):
                lines.append(f"{breed}_{i} {label} 1 1")
                (root / "images").mkdir(exist_ok=True)
                _photo(100 * label + i).save(root / "images" / f"{breed}_{i}.jpg")
        (root / "annotations" / f"{split}.txt").write_text("\n".join(lines))
    data = load_dataset("oxford_pet", image_size=16)
    assert data.classes == ["Abyssinian", "Beagle"]
    assert [len(s) for s in (data.train, data.val, data.test)] == [16, 4, 20]


def test_cifar10_comes_as_arrays(monkeypatch):
    def cifar(*, train, root):
        count = 40 if train else 10
        data = np.random.default_rng(train).integers(
            0, 256, (count, 32, 32, 3), np.uint8
        )
        labels = [i % 2 for i in range(count)]
        return SimpleNamespace(data=data, targets=labels, classes=["plane", "car"])

    monkeypatch.setattr(tv, "CIFAR10", cifar)
    real._home_root("cifar10").mkdir(parents=True)
    data = load_dataset("cifar10", image_size="auto")
    assert data.image_size == 32
    assert [len(s) for s in (data.train, data.val, data.test)] == [34, 6, 10]


def test_a_fetched_set_is_moved_in_when_whole(monkeypatch):
    calls = []

    def eurosat(*, root, download=False):
        if download:
            calls.append(root)
            _fake_eurosat(Path(root))
        return tv_eurosat(root)

    tv_eurosat = tv.EuroSAT
    monkeypatch.setattr(tv, "EuroSAT", eurosat)
    place = fetch_dataset("eurosat")
    assert fetch_dataset("eurosat") == place and len(calls) == 1
    assert [path.name for path in place.parent.iterdir()] == ["eurosat"]


def test_an_interrupted_fetch_leaves_nothing(monkeypatch):
    def eurosat(*, root, download=False):
        if not download:
            raise RuntimeError("not found")
        (Path(root) / "eurosat" / "2750").mkdir(parents=True)
        raise ConnectionResetError("connection reset")

    monkeypatch.setattr(tv, "EuroSAT", eurosat)
    with pytest.raises(
        DatasetError, match="could not download eurosat: connection reset"
    ):
        fetch_dataset("eurosat")
    assert list(real._home_root("eurosat").parent.iterdir()) == []


def test_an_unknown_set_cannot_be_fetched():
    with pytest.raises(DatasetError, match="cannot fetch 'mnist'; what can be"):
        fetch_dataset("mnist")


# --- defaults and transforms


def test_the_environment_names_the_default_dataset(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert default_dataset() == "flowers" and default_dataset("cells") == "cells"
    monkeypatch.setenv("COURSE_DATA", "folder:mine")
    assert default_dataset() == "folder:mine"


def test_all_sources_are_listed():
    assert {"flowers", "flowers_shifted", "digits", "cifar10"} <= set(dataset_names())


def test_training_augments_and_then_normalises():
    transform = training_transform(SimpleNamespace(normalize=NORMALIZE), 32)
    grey = torch.full((3, 64, 64), 128, dtype=torch.uint8)
    image = transform(grey)
    assert image.shape == (3, 32, 32) and image.dtype == torch.float32
    assert image.mean().abs() < 1.0
    assert is_random(transform)


def test_the_active_weights_normalise_by_default(pets, monkeypatch):
    monkeypatch.setattr(datasets, "default_weights_info", _active_weights_info)
    monkeypatch.setenv("COURSE_WEIGHTS", "random")
    monkeypatch.setenv("COURSE_BACKBONE", "test_resnet")
    train, info = _load(pets).train, _active_weights_info()
    assert torch.equal(train[0][0], train.with_transform(info.transform_for(16))[0][0])
    augmented = train.with_transform(training_transform(info, 16))[0][0]
    assert augmented.shape == (3, 16, 16) and augmented.dtype == torch.float32


@pytest.mark.parametrize("option", ["min_scale", "flip", "jitter"])
def test_augmentation_strengths_are_shares(option):
    with pytest.raises(ValueError, match=f"{option} must be a number"):
        training_transform(SimpleNamespace(normalize=NORMALIZE), 32, **{option: 1.5})


def test_inference_transforms_are_not_random():
    assert not is_random(_inference(32))
    assert not is_random(NORMALIZE)


@pytest.mark.parametrize(
    "step", [v2.RandomHorizontalFlip(), v1.ColorJitter(0.1), v2.TrivialAugmentWide()]
)
def test_random_steps_are_found_within(step):
    assert is_random(v2.Compose([v2.Identity(), v2.Compose([step])]))


@pytest.mark.parametrize("wrapped", [
    lambda data: data,
    lambda data: Subset(data, [0]),
    lambda data: ConcatDataset([data.with_transform(None), Subset(data, [0])]),
    lambda data: SimpleNamespace(transform=None, dataset=data),
    lambda data: SimpleNamespace(transforms=data.transform),
    lambda data: SimpleNamespace(augment=data.transform),
    lambda data: SimpleNamespace(base=data),
])  # fmt: skip
def test_chance_is_found_behind_every_wrapper(pets, wrapped):
    flipped = _load(pets).train.with_transform(v2.RandomHorizontalFlip())
    assert draws_views(wrapped(flipped))
    assert not draws_views(wrapped(flipped.with_transform(_inference(16))))


@pytest.mark.parametrize("wrapped", [
    lambda step: torch.nn.Sequential(v2.Identity(), step),
    lambda step: [step],
    lambda step: v2.RandomApply([step]),
    lambda step: partial(lambda image, aug: aug(image), aug=step),
    lambda step: lambda image: step(image),
    lambda step: SimpleNamespace(inner={"a": step}).inner["a"].forward,
    lambda step: type("Mine", (), {"__call__": lambda self, x: x, "__init__":
                                   lambda self: setattr(self, "step", step)})(),
    lambda step: torch.nn.Sequential(torch.nn.Dropout()),
    lambda step: type("Flip", (v2.RandomVerticalFlip,), {})(),
    lambda step: create_transform(64, is_training=True),
    lambda step: ResizeKeepRatio(64, random_aspect_prob=0.5),
])  # fmt: skip
def test_chance_is_found_in_every_container(wrapped):
    assert is_random(wrapped(v2.RandomHorizontalFlip()))


def test_what_only_holds_fixed_steps_is_not_random():
    fixed = v2.Normalize([0.5], [0.5])
    for step in (torch.nn.Sequential(fixed), lambda image: fixed(image), [fixed, np.flip],
                 create_transform(64), create_transform(64, crop_mode="border"),
                 torch.nn.Sequential(torch.nn.Dropout()).eval()):  # fmt: skip
        assert not is_random(step)


def test_attributes_have_the_values_of_all_splits():
    data = load_dataset("flowers", per_class=1)
    assert (
        len(data.train.attribute_values["colour"])
        > data.train.attributes["colour"].nunique()
    )
    assert data.train.attribute_values == data.test.attribute_values
    assert data.train.subset([0]).attribute_values == data.test.attribute_values


# --- real photographs


def _real(name):
    if not (REAL_PHOTOS / name).is_dir():
        pytest.skip(f"real photographs are not here ({name})")
    return REAL_PHOTOS / name


def test_ants_and_bees_are_reported_on_the_given_val():
    data = _load(_real("hymenoptera"), image_size=32)
    assert data.evaluation_name == "val" and len(data.evaluation) == 153
    assert len(data.train) + len(data.test) == 243
    assert not data.report.broken


def test_the_flowers_lose_one_copy_from_train_and_none_from_test():
    data = _load(_real("flowers"), image_size=32)
    assert data.test.class_counts() == dict.fromkeys(data.classes, 60)
    assert len(data.train) == 999 and len(data.report.duplicates) == 1


# -- all labels ----------------------------------------------------------------------------


class _Opened(torch.utils.data.Dataset):
    """Pictures that count how often they are opened."""

    def __init__(self):
        self.opened = 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        self.opened += 1
        return torch.zeros(3, 4, 4), index % 3


def test_labels_are_read_without_opening_pictures_where_that_can_be_helped():
    data = load_dataset("digits", per_class=2).train
    assert torch.equal(labels_of(data), data.labels)
    part = torch.utils.data.Subset(data, [3, 1])
    assert labels_of(part).tolist() == data.labels[[3, 1]].tolist()
    tensors = torch.utils.data.TensorDataset(torch.zeros(3, 1), torch.tensor([2, 0, 1]))
    assert labels_of(tensors).tolist() == [2, 0, 1]
    bare = _Opened()
    assert labels_of(bare).tolist() == [0, 1, 2, 0, 1, 2]
    assert labels_of(bare, most=2).tolist() == [0, 1] and bare.opened == 8


def test_one_view_of_pictures_that_come_differently_each_time_is_refused():
    data = load_dataset("digits", per_class=2).train
    check_views(data, 1)
    moving = data.with_transform(v2.RandomCrop(8))
    check_views(moving, 2)
    with pytest.raises(ValueError, match="take several views, or .* chance, or ask"):
        check_views(moving, 1, otherwise=", or ask each time")
    for views in (0, -1, 1.5):
        with pytest.raises(ValueError, match="views must be"):
            check_views(data, views)


# -- like a model ----------------------------------------------------------------------


@pytest.mark.parametrize("given", ["model", "its weights_info"])
def test_pictures_come_as_a_model_wants_them(pets, given, monkeypatch):
    monkeypatch.setenv("COURSE_BACKBONE", "test_vit")  # which decides nothing here
    model = load_backbone("resnet18", weights="random")
    like = model if given == "model" else model.weights_info
    data = load_dataset(f"folder:{pets}", like=like)
    assert data.train[0][0].shape == (3, 224, 224)
    small = load_dataset(f"folder:{pets}", like=like, image_size=32).train
    assert small[0][0].shape == (3, 32, 32)
    prepared = model.weights_info.transform_for(32)(small.images[0])
    assert torch.equal(small[0][0], prepared)


def test_what_has_no_weights_info_is_no_model_to_be_like(pets):
    for wrong in (torch.nn.Linear(2, 2), "resnet18", 224):
        with pytest.raises(
            DatasetError, match="without weights_info: hand over a model"
        ):
            load_dataset(f"folder:{pets}", like=wrong)


def test_a_dataset_says_its_size_in_a_line(pets):
    train = load_dataset(f"folder:{pets}", image_size=16).train
    assert repr(train) == f"ImageDataset({len(train)} images, 16 px, 2 classes)"


def test_a_part_knows_the_hashes_of_its_own_pictures():
    train = load_dataset("flowers", per_class=4).train
    assert train.hashes is not None and len(train.hashes) == len(train)
    part = train.subset([5, 2])
    assert list(part.hashes) == [train.hashes[5], train.hashes[2]]
