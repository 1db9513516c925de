import json
import os
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from course_utils import weights
from course_utils.architectures import parse_name
from course_utils.errors import (
    CheckpointError,
    DamagedCheckpoint,
    UnknownModel,
    WeightsUnavailable,
)
from course_utils.heads import feature_dim, replace_head
from course_utils.state_files import read_state_dict
from course_utils.storage import sha256_file
from course_utils.weights import bundled as bundled_weights
from course_utils.weights import find_weights, load_backbone, loading, released

CLASSES = ["disc", "star", "ring"]
REAL_WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "real" / "torch_home"


@pytest.fixture(autouse=True)
def _empty_machine(monkeypatch, tmp_path):
    for name in ("COURSE_WEIGHTS", "COURSE_BACKBONE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(bundled_weights, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setattr(loading, "_said", set())


@pytest.fixture
def bundled(tmp_path):
    """A test_resnet with three classes, as the course bundles it."""
    model = timm.create_model("test_resnet", num_classes=3)
    path = tmp_path / "data" / "weights" / "test_resnet.safetensors"
    path.parent.mkdir(parents=True)
    save_file(model.state_dict(), path)
    card = {
        "model": "test_resnet",
        "role": "backbone",
        "create_kwargs": {},
        "seed": 0,
        "licence": "CC BY 4.0",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "image_size": 64,
        "interpolation": "bilinear",
        "classes": CLASSES,
        "sha256": sha256_file(path),
    }
    path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    return model.eval()


def _equal(a: nn.Module, b: nn.Module) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


# -- names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", ("torchvision", "resnet18", "")),
        ("torchvision/resnet18", ("torchvision", "resnet18", "")),
        ("timm/resnet18", ("timm", "resnet18", "")),
        ("resnet18.a1_in1k", ("timm", "resnet18", "a1_in1k")),
        ("test_vit", ("timm", "test_vit", "")),
        ("test_vit.r160_in1k", ("timm", "test_vit", "r160_in1k")),
    ],
)
def test_a_name_says_its_library(name, expected):
    assert parse_name(name) == expected


@pytest.mark.parametrize(
    "name", ["resnet188", "torchvision/test_vit", "other/resnet18"]
)
def test_an_unknown_name_is_refused(name):
    with pytest.raises(UnknownModel, match=name):
        load_backbone(name, weights="random")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownModel, match="Nearest: .*squeezenet1_0"):
        find_weights("squeezenet10")


# -- which weights -------------------------------------------------------------------


def test_auto_takes_bundled_weights_where_no_others_are(bundled):
    model = load_backbone("test_resnet")
    assert _equal(model, bundled) and not model.training
    info = model.weights_info
    assert (info.kind, info.classes) == ("bundled", tuple(CLASSES))
    assert info.licence == "CC BY 4.0" and info.mean == (0.5, 0.5, 0.5)
    assert info.sha256 == sha256_file(info.path)


def test_the_weights_are_named_once(bundled, capsys):
    load_backbone("test_resnet")
    load_backbone("test_resnet")
    said = capsys.readouterr().out
    assert said.count("test_resnet: bundled weights (test_resnet.safetensors") == 1
    assert "not on ImageNet" in said


def test_environment_chooses_for_auto_only(bundled, monkeypatch):
    monkeypatch.setenv("COURSE_WEIGHTS", "random")
    assert find_weights("test_resnet").kind == "random"
    assert find_weights("test_resnet", weights="bundled").kind == "bundled"


def test_environment_chooses_the_backbone(bundled, monkeypatch):
    assert weights.default_weights_info().model_name == "test_resnet"
    monkeypatch.setenv("COURSE_BACKBONE", "resnet18")
    monkeypatch.setenv("COURSE_WEIGHTS", "random")
    assert weights.default_backbone() == "resnet18"
    assert weights.default_weights_info().image_size == 224


def test_a_lesson_s_backbone_serves_where_its_weights_are(monkeypatch, capsys):
    lite = "tf_efficientnet_lite0"
    assert weights.default_backbone(lite) == lite
    monkeypatch.setenv("COURSE_WEIGHTS", "bundled")
    assert weights.default_backbone(lite) == "test_resnet"
    monkeypatch.delenv("COURSE_WEIGHTS", raising=False)
    monkeypatch.setattr(loading, "imagenet_is_cached", lambda name: False)
    monkeypatch.setattr(loading, "_said", set())
    assert {weights.default_backbone(lite) for _ in range(2)} == {"test_resnet"}
    said = capsys.readouterr().out
    assert said.count("Until then test_resnet serves") == 1 and "pip install" in said
    monkeypatch.setenv("COURSE_BACKBONE", "resnet18")
    assert weights.default_backbone(lite) == "resnet18"


def test_bundled_names_come_from_the_cards(bundled):
    assert weights.bundled_names() == ["test_resnet"]
    assert weights.bundled_card("test_resnet")["seed"] == 0


def test_random_weights_are_drawn_from_torchs_generator():
    torch.manual_seed(3)
    first = load_backbone("test_vit", weights="random", num_classes=4)
    torch.manual_seed(3)
    second = load_backbone("test_vit", weights="random", num_classes=4)
    assert _equal(first, second)
    assert first.weights_info.sha256 is None


def test_a_bundled_file_that_was_changed_is_refused(bundled, tmp_path):
    path = tmp_path / "data" / "weights" / "test_resnet.safetensors"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(DamagedCheckpoint, match="not what its card says.*data/weights"):
        load_backbone("test_resnet", weights="bundled")


def test_random_weights_share_the_bundled_preprocessing(bundled):
    assert find_weights("test_resnet", weights="random").image_size == 64


@pytest.mark.parametrize("kind", ["auto", "imagenet", "bundled"])
def test_missing_weights_are_said_with_the_ways_out(kind):
    with pytest.raises(WeightsUnavailable) as error:
        load_backbone("resnet18", weights=kind)
    what = {"auto": "no weights", "imagenet": "no ImageNet weights"}
    assert str(error.value) == (
        f"{what.get(kind, 'no bundled weights')} for 'resnet18' on this machine. Ways "
        "out: fetch ImageNet weights once, with a connection: `course fetch resnet18`; "
        'or use weights="random".'
    )


def test_missing_weights_name_the_models_that_came_with_the_course(bundled):
    with pytest.raises(WeightsUnavailable, match=r"with the course \(test_resnet\)"):
        load_backbone("resnet18")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="weights='imagnet': use one of auto, bundled"):
        load_backbone("resnet18", weights="imagnet")


def test_none_is_not_guessed_at():
    with pytest.raises(ValueError, match='weights=None is random.*weights="random"'):
        load_backbone("resnet18", weights=None)


@pytest.mark.parametrize("weights", [3, True, {"w": torch.ones(1)}, [1], b"a.pth"])
def test_weights_of_another_type_are_refused(weights):
    with pytest.raises(ValueError, match=f"weights=a {type(weights).__name__}"):
        load_backbone("resnet18", weights=weights)


@pytest.mark.parametrize("name", [None, 3, nn.Linear(1, 1), ["resnet18"]])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(TypeError, match='a name is a text, such as "resnet18", not'):
        load_backbone(name)


def test_the_nearest_names_are_named_once():
    with pytest.raises(UnknownModel) as error:
        load_backbone("ResNet_18")
    near = str(error.value).partition("Nearest: ")[2].rstrip(".").split(", ")
    assert "resnet18" in near and len(set(near)) == len(near) == 3


def test_a_name_that_timm_has_changed_is_followed():
    assert parse_name("tf_efficientnet_b0_ns")[1:] == (
        "tf_efficientnet_b0",
        "ns_jft_in1k",
    )


def test_a_torchvision_name_can_have_a_tag():
    assert parse_name("resnet50.IMAGENET1K_V2") == (
        "torchvision",
        "resnet50",
        "IMAGENET1K_V2",
    )


def test_a_tag_is_not_given_the_bundled_weights(bundled):
    with pytest.raises(
        WeightsUnavailable, match="no weights for 'test_resnet.r160_in1k'"
    ):
        load_backbone("test_resnet.r160_in1k")


# -- torch's own defaults ------------------------------------------------------------


def test_no_weights_are_lost_on_meta(bundled):
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match="default device is meta"),
    ):
        load_backbone("test_resnet")


def test_a_net_loaded_in_inference_mode_can_learn(bundled):
    with torch.inference_mode():
        model = load_backbone("test_resnet", num_classes=2)
    model(torch.zeros(1, 3, 64, 64)).sum().backward()
    assert model.fc.weight.grad is not None


def test_another_default_dtype_is_said(bundled):
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ValueError, match="default dtype is torch.float64"):
            load_backbone("test_resnet")
    finally:
        torch.set_default_dtype(torch.float32)


# -- heads ---------------------------------------------------------------------------


def test_the_head_that_the_weights_came_with_is_kept(bundled):
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found, expected = load_backbone("test_resnet")(images), bundled(images)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("num_classes", "width"), [(0, None), (7, 7)])
def test_another_head_can_be_asked_for(bundled, num_classes, width):
    model = load_backbone("test_resnet", num_classes=num_classes)
    out = model(torch.zeros(1, 3, 64, 64))
    assert out.shape == (1, width or feature_dim(bundled))


@pytest.mark.parametrize("num_classes", [2.5, -1, True, False, "5", float("nan"), [2]])
def test_a_number_of_classes_that_is_none_is_refused(bundled, num_classes):
    with pytest.raises(ValueError, match="num_classes=.*a whole number of classes"):
        load_backbone("test_resnet", num_classes=num_classes)


def test_one_class_needs_no_classifier(bundled):
    with pytest.raises(ValueError, match="one class needs no classifier"):
        load_backbone("test_resnet", num_classes=1)


# -- files ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".pt"])
def test_a_file_loads_with_the_head_it_holds(tmp_path, ending):
    saved = timm.create_model("test_resnet", num_classes=6)
    path = tmp_path / f"mine{ending}"
    write = save_file if ending == ".safetensors" else torch.save
    write(saved.state_dict(), path)
    model = load_backbone("test_resnet", weights=path)
    assert _equal(model, saved)
    assert (model.weights_info.kind, model.weights_info.path) == ("file", path)
    assert _equal(load_backbone("test_resnet", weights=str(path)), saved)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_the_wrapping_of_training_scripts_is_taken_off(tmp_path, key):
    path = tmp_path / "a.pth"
    torch.save({key: {"w": torch.ones(2).half()}, "epoch": 3}, path)
    assert read_state_dict(path)["w"].dtype == torch.float32


@pytest.mark.parametrize("ending", [".bin", ".ckpt", ".pth.tar", ".PTH"])
def test_a_path_may_start_at_home_and_end_otherwise(tmp_path, monkeypatch, ending):
    monkeypatch.setenv("HOME", str(tmp_path))
    saved = timm.create_model("test_resnet", num_classes=6)
    torch.save(saved.state_dict(), tmp_path / f"a{ending}")
    assert _equal(load_backbone("test_resnet", weights=f"~/a{ending}"), saved)
    assert _equal(load_backbone("test_resnet", weights=Path(f"~/a{ending}")), saved)


def test_an_address_is_not_downloaded():
    with pytest.raises(
        ValueError, match="nothing is downloaded here. Download the file"
    ):
        load_backbone("resnet18", weights="https://example.org/resnet18.pth")


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(WeightsUnavailable, match="is a folder: name the file"):
        load_backbone("test_resnet", weights=tmp_path)


def test_a_file_keeps_the_preprocessing_of_its_net(tmp_path):
    name = "tf_efficientnet_lite0"
    path = tmp_path / "a.safetensors"
    save_file(timm.create_model(name).state_dict(), path)
    info = load_backbone(name, weights=path).weights_info
    assert info.mean == info.std == (0.5, 0.5, 0.5)
    assert (info.interpolation, info.image_size, info.resize_size) == (
        "bicubic",
        224,
        256,
    )


def test_a_file_of_a_bundled_net_keeps_the_cards_unless_a_tag_is_named(
    bundled, tmp_path
):
    path = _saved(tmp_path / "a.pth", bundled.state_dict())
    assert find_weights("test_resnet", weights=path).image_size == 64
    tagged = find_weights("test_resnet.r160_in1k", weights=path)
    assert (tagged.image_size, tagged.mean) == (160, (0.5, 0.5, 0.5))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsUnavailable, match="no file of weights at .*gone.pth"):
        load_backbone("test_resnet", weights=tmp_path / "gone.pth")


def _saved(path, state):
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.parametrize("keep", [0, 9, 700])
def test_a_truncated_file_is_said_to_be_damaged(tmp_path, ending, keep):
    path = _saved(tmp_path / f"a{ending}", {"w": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedCheckpoint, match=rf"damaged or cut short \({keep} byt"):
        read_state_dict(path)


def test_a_file_that_is_no_weights_is_refused(tmp_path):
    path = tmp_path / "page.pth"
    path.write_text("<html>Not found</html>" * 20)
    with pytest.raises(CheckpointError, match="page.pth"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [torch.ones(2), [1, 2], {"epoch": 3}])
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    with pytest.raises(CheckpointError, match="not a state_dict"):
        read_state_dict(_saved(tmp_path / "a.pth", content))


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_pickled_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = _saved(tmp_path / "a.pth", {"w": _Evil()})
    with pytest.raises(CheckpointError, match="pickled code"):
        load_backbone("test_resnet", weights=path)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_model_is_refused(tmp_path):
    path = _saved(tmp_path / "a.pth", nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="Ask for a state_dict"):
        read_state_dict(path)


def test_weights_of_another_architecture_are_refused_by_key(tmp_path):
    other = timm.create_model("test_vit").state_dict()
    path = _saved(tmp_path / "a.safetensors", other)
    with pytest.raises(CheckpointError) as error:
        load_backbone("test_resnet", weights=path)
    for words in ("a.safetensors does not fit ResNet", "blocks.0.attn", "architecture"):
        assert words in str(error.value)


def test_a_head_saved_as_a_sequence_is_named(tmp_path):
    saved = replace_head(models.resnet18(), 5, hidden=8)
    path = _saved(tmp_path / "a.pth", saved.state_dict())
    with pytest.raises(CheckpointError) as error:
        load_backbone("resnet18", weights=path)
    for words in ("missing, such as fc.bias", "fc.0.bias", "replace_head"):
        assert words in str(error.value)


# -- ImageNet ------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_WEIGHTS.is_dir(), reason="no real weights on this machine")
def test_cached_imagenet_weights_come_first(bundled, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(REAL_WEIGHTS))
    info = load_backbone("squeezenet1_0").weights_info
    assert (info.kind, info.tag) == ("imagenet", "IMAGENET1K_V1")
    assert len(info.classes) == 1000 and info.image_size == 224
    assert weights.cached_imagenet() == ["tf_efficientnet_lite0", "squeezenet1_0"]


def test_a_file_that_only_has_torchvisions_name_is_told(tmp_path):
    path = weights.torchvision_path(models.SqueezeNet1_1_Weights.DEFAULT)
    path.parent.mkdir(parents=True)
    torch.save(models.squeezenet1_1().state_dict(), path)
    assert "but with other contents" in find_weights("squeezenet1_1").source


# -- preprocessing -------------------------------------------------------------------


def _picture(width=300, height=250):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "member",
    [
        models.ResNet18_Weights.IMAGENET1K_V1,
        models.EfficientNet_B0_Weights.IMAGENET1K_V1,
        models.Inception_V3_Weights.IMAGENET1K_V1,
    ],
)
def test_the_transform_gives_what_torchvisions_preset_gives(member, monkeypatch):
    name = member.url.split("/")[-1].split("-")[0].split("_google")[0]
    name = name.replace("_rwightman", "")
    path = weights.torchvision_path(member)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    monkeypatch.setattr(released, "torchvision_weights", lambda *_: [member])
    found = find_weights(name, weights="imagenet").transform(_picture())
    expected = member.transforms()(_picture())
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_transform_takes_pictures_and_uint8_tensors_alike(bundled):
    transform = find_weights("test_resnet").transform
    tensor = torch.from_numpy(np.asarray(_picture(80, 80)).copy()).permute(2, 0, 1)
    found = transform(tensor)
    assert found.shape == (3, 64, 64) and found.dtype == torch.float32
    two_levels = 2 / 255 / 0.25  # PIL and torch round differently
    assert (found - transform(_picture(80, 80))).abs().max() <= two_levels + 1e-6


def test_the_transform_normalises_by_the_card(bundled):
    white = torch.full((3, 64, 64), 255, dtype=torch.uint8)
    assert torch.allclose(
        find_weights("test_resnet").transform(white), torch.tensor(2.0)
    )


def test_another_size_is_resized_without_a_margin(bundled):
    transform = find_weights("test_resnet").transform_for(32)
    assert transform(_picture(100, 50)).shape == (3, 32, 32)


@pytest.mark.parametrize("size", [0, -1, 2.5, None, True, float("nan"), "64"])
def test_a_side_that_is_none_is_refused(bundled, size):
    with pytest.raises(ValueError, match="image_size must be a whole number of pixels"):
        find_weights("test_resnet").transform_for(size)
