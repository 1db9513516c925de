import copy
import io

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.heads import check_head, feature_dim, find_heads, replace_head
from course_utils.meta_tensors import build_on_meta

TORCHVISION = {
    "alexnet": ["classifier.6"],
    "convnext_tiny": ["classifier.2"],
    "densenet121": ["classifier"],
    "efficientnet_b0": ["classifier.1"],
    "googlenet": ["fc", "aux1.fc2", "aux2.fc2"],
    "inception_v3": ["fc", "AuxLogits.fc"],
    "mnasnet0_5": ["classifier.1"],
    "mobilenet_v2": ["classifier.1"],
    "mobilenet_v3_small": ["classifier.3"],
    "resnet18": ["fc"],
    "shufflenet_v2_x0_5": ["fc"],
    "squeezenet1_0": ["classifier.1"],
    "swin_t": ["head"],
    "vgg11": ["classifier.6"],
    "vit_b_32": ["heads.head"],
    "maxvit_t": ["classifier.5"],
}
TIMM = {
    "test_resnet": ["fc"],
    "test_efficientnet": ["classifier"],
    "test_convnext": ["head.fc"],
    "test_vit": ["head"],
    "test_byobnet": ["head.fc"],
    "test_nfnet": ["head.fc"],
    "test_mambaout": ["head.fc"],
    "deit_tiny_distilled_patch16_224": ["head", "head_dist"],
    "levit_128s": ["head.linear", "head_dist.linear"],
    "mixer_s32_224": ["head"],
    "densenet121": ["classifier"],
    "swin_tiny_patch4_window7_224": ["head.fc"],
    "vgg11": ["head.fc"],
}
SMALL = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"]


def _torchvision(name):
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, **extra)


def _resnet18():
    torch.manual_seed(0)
    return models.resnet18().eval()


@pytest.mark.parametrize("name", TORCHVISION)
def test_heads_of_torchvision_models(name):
    with torch.device("meta"):
        model = _torchvision(name)
        assert list(find_heads(model)) == TORCHVISION[name]
        width = feature_dim(model)
        replace_head(model, 5)
        assert list(find_heads(model)) == TORCHVISION[name]
        assert feature_dim(model) == width
        size = 299 if name == "inception_v3" else 224
        logits = model.eval()(torch.zeros(2, 3, size, size))
    assert logits.shape == (2, 5)


@pytest.mark.parametrize("name", TIMM)
def test_heads_of_timm_models(name):
    with torch.device("meta"):
        model = timm.create_model(name)
        assert list(find_heads(model)) == TIMM[name]
        width = feature_dim(model)
        replace_head(model, 5)
        assert feature_dim(model) == width
        size = model.pretrained_cfg["input_size"][-1]
        logits = model.eval()(torch.zeros(2, 3, size, size))
    assert logits.shape == (2, 5)


@pytest.mark.parametrize("name", [*SMALL, "deit_tiny_distilled_patch16_224"])
@pytest.mark.parametrize("hidden", [None, 6])
def test_timm_heads_take_dropout_and_a_hidden_layer(name, hidden):
    model = timm.create_model(name)
    replace_head(model, 3, dropout=0.2, hidden=hidden)
    for head in find_heads(model).values():
        kinds = [type(layer).__name__ for layer in head]
        first = ["Linear", "ReLU"] if hidden else []
        assert kinds == [*first, "Dropout", "Linear"]
    check_head(model, 3)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "regnet_y_400mf"])
def test_torchvision_heads_take_dropout_and_a_hidden_layer(name):
    model = replace_head(_torchvision(name), 3, dropout=0.2, hidden=6)
    check_head(model, 3, input_size=(3, 64, 64))


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "test_convnext"])
@pytest.mark.parametrize("hidden", [None, 6])
def test_a_head_can_be_replaced_twice(name, hidden):
    model = models.resnet18() if name == "resnet18" else timm.create_model(name)
    width = feature_dim(model)
    replace_head(model, 3, hidden=hidden)
    replace_head(model, 4)
    if hidden is None:
        assert feature_dim(model) == width
    check_head(model, 4, input_size=(3, 64, 64))


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "test_convnext"])
def test_a_hidden_layer_does_not_outlive_its_head(name):
    model = models.resnet18() if name == "resnet18" else timm.create_model(name)
    width = feature_dim(model)
    replace_head(model, 3, hidden=6)
    replace_head(model, 4)
    assert feature_dim(model) == width
    assert [type(head) for head in find_heads(model).values()] == [nn.Linear]


def test_only_the_head_changes():
    model = _resnet18()
    before = copy.deepcopy(model.state_dict())
    assert replace_head(model, 3) is model
    changed = {
        name
        for name, tensor in model.state_dict().items()
        if tensor.shape != before[name].shape or not torch.equal(tensor, before[name])
    }
    assert changed == {"fc.weight", "fc.bias"}


def test_the_same_seed_draws_the_same_head():
    heads = []
    for _ in range(2):
        model = models.resnet18()
        torch.manual_seed(7)
        heads.append(replace_head(model, 3).fc.weight)
    assert torch.equal(*heads)


@pytest.mark.parametrize("name", ["resnet18", "test_resnet"])
@pytest.mark.parametrize("hidden", [None, 6])
@pytest.mark.parametrize("training", [True, False])
def test_device_dtype_and_mode_are_kept(name, hidden, training):
    with torch.device("meta"):
        model = models.resnet18() if name == "resnet18" else timm.create_model(name)
    model.to(torch.float64).train(training)
    replace_head(model, 3, hidden=hidden, dropout=0.1)
    for parameter in model.parameters():
        assert parameter.device.type == "meta" and parameter.dtype == torch.float64
    assert all(module.training == training for module in model.modules())


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "shufflenet_v2_x0_5"])
def test_zero_classes_leave_torchvisions_pooled_features(name):
    model = _torchvision(name).eval()
    width = feature_dim(model)
    replace_head(model, 0)
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, width)
    assert feature_dim(model) == width


@pytest.mark.parametrize("name", SMALL)
def test_zero_classes_leave_timms_pooled_features(name):
    model = timm.create_model(name).eval()
    images = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(images), pre_logits=True)
        assert torch.equal(replace_head(model, 0)(images), expected)


def test_squeezenets_features_are_its_pooled_maps():
    model = models.squeezenet1_0().eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = model.features(images).mean((2, 3))
        found = replace_head(model, 0)(images)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["qwen3_vit_88m_enc", "mobilenetv5_300m_enc", "deepseek_vit_412m_enc"]
)
def test_an_encoder_without_a_classifier_is_given_one(name):
    model = build_on_meta(f"timm/{name}")
    assert find_heads(model) == {} and replace_head(model, 0) is model
    width = feature_dim(model)
    replace_head(model, 3, dropout=0.1)
    assert list(find_heads(model)) == ["head"] and feature_dim(model) == width
    check_head(model, 3)
    check_head(copy.deepcopy(model), 3)
    check_head(replace_head(model, 4, hidden=8), 4)


def test_heads_of_stages_and_an_added_one_are_all_found():
    efficientvim = build_on_meta("timm/efficientvim_m1_dist")
    assert len(find_heads(efficientvim)) == 8
    assert list(find_heads(build_on_meta("timm/volo_d1_224"))) == ["head", "aux_head"]


def test_timm_knows_how_to_put_a_head_back():
    model = timm.create_model("test_resnet", num_classes=0)
    check_head(replace_head(model, 3, dropout=0.2), 3)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0"])
def test_a_torchvision_model_without_a_head_takes_no_new_one(name):
    model = replace_head(_torchvision(name), 0)
    with pytest.raises(ValueError, match="without a head"):
        replace_head(model, 3)


def test_a_new_head_survives_copy_and_file():
    model = replace_head(models.resnet18(), 3, hidden=6)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for again in (copy.deepcopy(model), torch.load(file, weights_only=False)):
        assert list(find_heads(again)) == ["fc"]
        assert [type(layer) for layer in again.fc] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_classes": -1}, "num_classes must be 0 or more, got -1"),
        ({"num_classes": 3, "dropout": 1.0}, "dropout must be from 0 up to 1, got 1.0"),
        ({"num_classes": 3, "hidden": 0}, "hidden must be a width of at least 1"),
    ],
)
def test_impossible_heads_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        replace_head(_resnet18(), **options)


def test_a_model_without_layers_has_no_head():
    with pytest.raises(ValueError, match="ReLU has no Linear or Conv2d"):
        find_heads(nn.ReLU())


def test_check_head_says_what_came_out():
    model = _resnet18().train()
    with pytest.raises(ValueError, match=r"\(2, 1000\) instead of \(2, 5\)"):
        check_head(model, 5, input_size=(3, 32, 32))
    assert model.training
