"""Weights as their makers load them: torchvision's members and timm's tags."""

import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from course_utils.architectures import torchvision_names
from course_utils.datasets import preprocessing
from course_utils.errors import (
    CheckpointError,
    DamagedCheckpoint,
    UnknownModel,
    WeightsUnavailable,
)
from course_utils.meta_tensors import default_input_size
from course_utils.weights import (
    find_weights,
    load_backbone,
    loading,
    torchvision_path,
)
from course_utils.weights.released import timm_info

MEMBERS = {
    f"{name}.{member.name}": (name, member)
    for name in torchvision_names()
    for member in models.get_model_weights(name)
}
# Each differs from the others in what its builder does to the file or to the net.
TELLING = (
    "densenet121.IMAGENET1K_V1",  # keys as before torch 0.4
    "googlenet.IMAGENET1K_V1",  # transform_input, auxiliary classifiers
    "inception_v3.IMAGENET1K_V1",
    "mnasnet0_5.IMAGENET1K_V1",  # a version that it asks for
    "resnet18.IMAGENET1K_V1",  # here without num_batches_tracked
    "vit_b_32.IMAGENET1K_V1",  # keys of another class of layers
    "vit_b_16.IMAGENET1K_SWAG_E2E_V1",  # another size
)
GFLOPS = 3  # of a net that is run in the quick tests; the others' states are compared


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Empty caches, and no network: a download is an error of its own."""

    def refuse(url, *_, **__):
        raise AssertionError(f"asked the network for {url}")

    for name in ("COURSE_WEIGHTS", "COURSE_BACKBONE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr(loading, "_said", set())


def _random(name, tensor, generator):
    """Numbers under which each layer matters; large ones repeat along their rows."""
    if not tensor.is_floating_point():
        return torch.ones(tensor.shape, dtype=tensor.dtype)
    large = tensor.ndim > 1 and tensor.numel() > 1_000_000
    shape = (1, *tensor.shape[1:]) if large else tensor.shape
    values = torch.rand(shape, generator=generator)
    if tensor.ndim < 2:  # biases and means around 0, variances and scales above it
        values = values - 0.5 if name.endswith(("bias", "mean")) else values + 0.5
    else:
        values = (values - 0.5) * math.sqrt(24 / values[0].numel())
    return values.expand(tensor.shape)


def _made_up(name, member):
    """A state for a torchvision member, under the names that the released file has."""
    options = {}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    if name.startswith("vit_"):
        options["image_size"] = member.meta["min_size"][0]
    generator = torch.Generator().manual_seed(len(name))
    with torch.device("meta" if not name.startswith("regnet") else "cpu"):
        state = models.get_model(name, **options).state_dict()
    made = OrderedDict((k, _random(k, v, generator)) for k, v in state.items())
    made._metadata = state._metadata
    return _as_released(name, made)


def _as_released(name, state):
    if name.startswith("vit_"):
        pairs = (("mlp.0.", "mlp.linear_1."), ("mlp.3.", "mlp.linear_2."))
    elif name.startswith("densenet"):
        pairs = tuple((f"{w}{i}.", f"{w}.{i}.") for w in ("norm", "conv") for i in "12")
    elif name.startswith("resnet"):
        pairs = ()
    else:
        return state
    renamed = {}
    for key, tensor in state.items():
        if not key.startswith("features.norm") and "transition" not in key:
            for new, old in pairs:
                key = key.replace(new, old)
        if "num_batches" not in key:
            renamed[key] = tensor
    return renamed


def _put(name, member):
    path = torchvision_path(member)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(_made_up(name, member), path)
    return path


def _assert_same(ours, theirs, member, *, gflops):
    """The same layers, numbers and, where it does not take long, the same answers."""
    assert str(ours) == str(theirs)
    assert getattr(ours, "transform_input", None) == getattr(
        theirs, "transform_input", None
    )
    state = theirs.state_dict()
    for key, tensor in ours.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    if member.meta["_ops"] < gflops:
        side = member.transforms().crop_size[0]
        images = torch.randn(
            2, 3, side, side, generator=torch.Generator().manual_seed(1)
        )
        with torch.inference_mode():
            found, expected = ours(images), theirs.eval()(images)
        assert expected.std() > 1e-4 and torch.equal(found, expected)


@pytest.mark.parametrize("full", TELLING)
def test_a_members_file_gives_the_net_that_torchvision_gives(full):
    name, member = MEMBERS[full]
    _put(name, member)
    ours = load_backbone(name, weights=member)
    theirs = models.get_model(name, weights=member)
    _assert_same(ours, theirs, member, gflops=GFLOPS)
    assert ours.weights_info.tag == member.name


@pytest.mark.slow  # 6 minutes
@pytest.mark.parametrize("full", MEMBERS)
def test_every_members_file_gives_the_net_that_torchvision_gives(full):
    name, member = MEMBERS[full]
    path = _put(name, member)
    ours = load_backbone(full)
    _assert_same(ours, models.get_model(name, weights=member), member, gflops=GFLOPS)
    path.unlink()


@pytest.mark.parametrize("full", TELLING)
def test_a_file_by_path_gives_the_same_answers_and_preprocessing(full, tmp_path):
    name, member = MEMBERS[full]
    theirs_file = _put(name, member)
    path = tmp_path / theirs_file.name
    theirs_file.rename(path)
    ours = load_backbone(name, weights=path).weights_info
    preset = member.transforms()
    assert (ours.kind, ours.mean) == ("file", tuple(preset.mean))
    assert (ours.image_size, ours.resize_size) == (
        preset.crop_size[0],
        preset.resize_size[0],
    )
    assert ours.interpolation == preset.interpolation.value


@pytest.mark.parametrize("full", TELLING[:-1])
def test_a_file_of_any_name_answers_as_torchvisions_net_does(full, tmp_path):
    name, member = MEMBERS[full]
    path = _put(name, member)
    theirs = models.get_model(name, weights=member).eval()
    mine = path.rename(tmp_path / "mine.pth")
    side = member.transforms().crop_size[0]
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        assert torch.equal(load_backbone(name, weights=mine)(images), theirs(images))


def test_a_file_for_another_side_builds_the_net_at_it(tmp_path):
    name, member = MEMBERS["vit_b_16.IMAGENET1K_SWAG_E2E_V1"]
    path = _put(name, member).rename(tmp_path / "mine.pth")
    model = load_backbone(name, weights=path)
    assert model.image_size == model.weights_info.image_size == 384
    assert model.weights_info.interpolation == "bicubic"
    assert "made for 384 px" in model.weights_info.source


def test_a_member_without_classes_is_pretrained_and_taken_by_its_tag_only():
    _put(*MEMBERS["vgg16.IMAGENET1K_FEATURES"])
    with pytest.raises(WeightsUnavailable):
        find_weights("vgg16", weights="imagenet")
    info = find_weights("vgg16.IMAGENET1K_FEATURES")
    assert (info.kind, info.classes) == ("pretrained", ())
    with pytest.raises(WeightsUnavailable, match="IMAGENET1K_FEATURES. are not"):
        find_weights("vgg16.IMAGENET1K_FEATURES", weights="imagenet")


def test_a_members_file_of_another_net_is_refused():
    member = models.ResNet18_Weights.DEFAULT
    path = torchvision_path(member)
    path.parent.mkdir(parents=True)
    torch.save(models.squeezenet1_1().state_dict(), path)
    with pytest.raises(
        CheckpointError, match="does not fit resnet18: 122 keys missing"
    ):
        load_backbone("resnet18", weights="imagenet")


class _Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_code_under_torchvisions_file_name_does_not_run(capsys):
    path = torchvision_path(models.ResNet18_Weights.DEFAULT)
    path.parent.mkdir(parents=True)
    torch.save({"w": _Evil()}, path)
    with pytest.raises(CheckpointError, match="pickled code"):
        load_backbone("resnet18", weights="imagenet")
    assert "ran" not in capsys.readouterr().out


def test_a_member_of_another_net_is_refused_by_name():
    member = models.ResNet18_Weights.DEFAULT
    for name, own in (("resnet50", "ResNet50_Weights"), ("timm/resnet18", "by a tag")):
        with pytest.raises(ValueError, match=rf"ResNet18_Weights.*not.*{name}.*{own}"):
            load_backbone(name, weights=member)


@pytest.mark.parametrize(
    "given", ["IMAGENET1K_V1", "ResNet18_Weights.DEFAULT", "DEFAULT"]
)
def test_a_member_may_be_named_by_a_text(given):
    _put("resnet18", models.ResNet18_Weights.DEFAULT)
    assert find_weights("resnet18", weights=given).tag == "IMAGENET1K_V1"


def test_a_member_that_is_not_here_is_fetched_by_its_name():
    with pytest.raises(WeightsUnavailable, match="fetch resnet50.IMAGENET1K_V1`"):
        load_backbone("resnet50", weights=models.ResNet50_Weights.IMAGENET1K_V1)


# -- timm's tags -----------------------------------------------------------------------

TAGS = timm.list_models(pretrained=True)
CONFIGS = {tag: timm.get_pretrained_cfg(tag) for tag in TAGS}


def _info(tag):
    return timm_info(tag.partition(".")[0], CONFIGS[tag], None)


def _distinct():
    """One tag for each way to preprocess."""
    return {
        str(sorted(resolve_data_config(pretrained_cfg=config.to_dict()).items())): tag
        for tag, config in CONFIGS.items()
    }.values()


def _picture(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).resize((width * 3, height * 3))


@pytest.mark.parametrize("size", [(60, 35), (31, 70)])
def test_every_tags_preprocessing_is_timms(size):
    picture, tried = _picture(*size), 0
    for tag in _distinct():
        config = resolve_data_config(pretrained_cfg=CONFIGS[tag].to_dict())
        expected = create_transform(**config)(picture)
        found = _info(tag).transform(picture)
        assert found.shape == expected.shape, tag
        assert torch.allclose(found, expected, atol=1e-5), tag
        tried += 1
    assert tried > 100


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
def test_a_tensor_is_cropped_as_a_picture_is(mode):
    tag = next(tag for tag in TAGS if CONFIGS[tag].crop_mode == mode)
    picture = _picture(40, 30)
    tensor = v2.functional.pil_to_tensor(picture)
    info = _info(tag)
    assert (info.transform(tensor) - info.transform(picture)).abs().mean() < 0.02
    assert info.transform_for(32)(tensor).shape == (3, 32, 32)


def test_imagenet_is_what_was_trained_on_its_classes_only():
    for tag, config in CONFIGS.items():
        info = _info(tag)
        if info.kind == "imagenet":
            assert config.num_classes == 1000 == len(info.classes), tag
            assert "in1k" in config.tag and info.data.endswith("ImageNet-1k"), tag
        else:
            assert info.kind == "pretrained" and info.classes == ()
            assert "imagenet weights" not in info.describe()
            assert info.data in info.describe()
    kinds = [_info(tag).kind for tag in TAGS]
    assert kinds.count("pretrained") >= 505


@pytest.mark.parametrize(
    ("tag", "kind", "data"),
    [
        ("vit_small_patch14_dinov2.lvd142m", "pretrained", "LVD-142M"),
        ("vit_base_patch16_clip_224.openai", "pretrained", "OpenAI's pictures"),
        ("vit_base_patch16_clip_224.laion2b", "pretrained", "LAION-2B"),
        ("vit_small_patch16_224.dino", "pretrained", "ImageNet-1k without labels"),
        ("resmlp_12_224.fb_dino", "pretrained", "ImageNet-1k without labels"),
        ("convnext_tiny.fb_in22k", "pretrained", "ImageNet-22k"),
        ("convnext_tiny.in12k", "pretrained", "ImageNet-12k"),
        (
            "convnext_tiny.fb_in22k_ft_in1k",
            "imagenet",
            "ImageNet-22k, then ImageNet-1k",
        ),
        (
            "convnext_tiny.in12k_ft_in1k_384",
            "imagenet",
            "ImageNet-12k, then ImageNet-1k",
        ),
        ("resnet18.a1_in1k", "imagenet", "ImageNet-1k"),
    ],
)
def test_the_data_is_named_from_the_tag(tag, kind, data):
    info = _info(tag)
    assert (info.kind, info.data[: len(data)]) == (kind, data)


def test_every_tag_has_a_licence_or_says_that_it_is_unknown():
    for tag, config in CONFIGS.items():
        info = _info(tag)
        assert info.licence == (config.license or "unknown")
        common = info.licence.startswith(("apache", "mit", "bsd")) or (
            info.licence == "cc-by-4.0"
        )
        assert (info.licence in info.describe().rpartition("; ")[2]) != common, tag


@pytest.mark.parametrize(
    ("tag", "word"),
    [
        ("convnextv2_atto.fcmae_ft_in1k", "cc-by-nc-4.0: not for commercial use"),
        ("regnety_320.seer", "seer-license: not for commercial use"),
        ("vit_small_patch16_dinov3.lvd1689m", "dinov3-license: it has terms"),
        ("resnet50.bamboo", "licence unknown"),
    ],
)
def test_a_licence_that_forbids_or_asks_something_is_said(tag, word):
    assert word in _info(tag).describe()


def _cached(tag):
    """An empty file where huggingface_hub keeps a tag's weights."""
    folder = f"models--{CONFIGS[tag].hf_hub_id.replace('/', '--')}"
    place = Path(constants.HF_HUB_CACHE) / folder
    commit = "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    path = place / "snapshots" / commit / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_weights_of_other_data_are_not_given_for_imagenets():
    name = "vit_small_patch14_dinov2"
    _cached(f"{name}.lvd142m")
    for weights in ("auto", "pretrained"):
        assert find_weights(name, weights=weights).kind == "pretrained"
    with pytest.raises(
        WeightsUnavailable, match='ImageNet-1k\'s: weights="pretrained"'
    ):
        find_weights(name, weights="imagenet")


def _fill_cache(tag, content):
    path = _cached(tag)
    content(path) if callable(content) else path.write_bytes(content)
    return path


@pytest.mark.parametrize("tag", ["flexivit_small.300ep_in1k", "test_vit.r160_in1k"])
def test_what_the_hub_holds_is_loaded_by_timm(tag):
    saved = timm.create_model(tag)
    _fill_cache(tag, lambda path: save_file(saved.state_dict(), path))
    state = load_backbone(tag, weights="imagenet").state_dict()
    assert all(torch.equal(state[k], v) for k, v in saved.state_dict().items())


def test_a_damaged_or_foreign_file_in_the_hubs_cache_is_named():
    path = _fill_cache("test_vit.r160_in1k", b"<html>login</html>")
    with pytest.raises(DamagedCheckpoint, match="model.safetensors is a web page"):
        load_backbone("test_vit", weights="imagenet")
    save_file(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(CheckpointError, match="does not fit test_vit.r160_in1k"):
        load_backbone("test_vit", weights="imagenet")


def test_code_in_the_hubs_cache_does_not_run(capsys):
    path = _cached("test_vit.r160_in1k")
    torch.save({"w": _Evil()}, path.with_name("pytorch_model.bin"))
    path.unlink()
    with pytest.raises(CheckpointError, match="pickled code"):
        load_backbone("test_vit", weights="imagenet")
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("tag", ["test_vit.r160_in1k"])
def test_diverged_weights_in_the_cache_are_refused(tag):
    state = timm.create_model(tag).state_dict()
    state["cls_token"][:] = float("nan")
    _fill_cache(tag, lambda path: save_file(state, path))
    with pytest.raises(CheckpointError, match="NaN .*cls_token"):
        load_backbone(tag)


def test_a_side_that_is_not_square_is_told_to_all_who_ask():
    info = _info("vit_base_patch16_sapiens2.fb")
    assert info.input_size == (1024, 768) == preprocessing(info).size
    model = nn.Linear(1, 1)
    model.weights_info = info
    assert default_input_size(model) == (3, 1024, 768)


def test_tags_with_imagenets_weights_are_named_where_the_default_has_others():
    with pytest.raises(WeightsUnavailable, match="those of convnext_small.fb_in1k"):
        find_weights("convnext_small.fb_in22k", weights="imagenet")


def test_a_name_that_both_libraries_have_stays_timms():
    model = load_backbone("timm/resnet18", weights="random")
    assert type(model).__module__.startswith("timm.")
    assert model.weights_info.model_name == "timm/resnet18"


@pytest.mark.parametrize("weights", ["random", "auto"])
def test_a_tag_that_timm_has_not_is_refused(weights):
    with pytest.raises(UnknownModel, match="'a1_in2k'.*Nearest: a1_in1k"):
        load_backbone("resnet18.a1_in2k", weights=weights)
