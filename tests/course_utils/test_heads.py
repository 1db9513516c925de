import copy
import io

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.errors import CannotInspect
from course_utils.heads import check_head, feature_dim, find_heads, replace_head
from course_utils.inspection import inspect_model
from course_utils.layer_groups import freeze
from course_utils.meta_tensors import build_on_meta
from course_utils.tracing import trace

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


@pytest.mark.parametrize(
    "name", ["resnet18", "squeezenet1_0", "vgg11", "convnext_tiny"]
)
def test_a_head_that_was_taken_off_can_be_put_back(name):
    model = replace_head(_torchvision(name), 0)
    width = feature_dim(model)
    check_head(replace_head(model, 3), 3)
    assert feature_dim(model) == width
    check_head(replace_head(model, 4, hidden=8), 4)


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
        *(
            ({"num_classes": n}, f"num_classes must be a whole number .* 0, got {n!r}")
            for n in (-1, 2.5, True, "3", None, float("nan"))
        ),
        ({"num_classes": 3, "dropout": 1.0}, "dropout must be from 0 up to 1, got 1.0"),
        *(
            ({"num_classes": 3, "dropout": p}, "dropout must be a number from 0 to 1")
            for p in (-1, float("nan"), "0.5", None)
        ),
        *(
            (
                {"num_classes": 3, "hidden": n},
                "hidden must be a whole number of at least",
            )
            for n in (0, -3, 2.5, "8")
        ),
    ],
)
def test_impossible_heads_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        replace_head(_resnet18(), **options)


HEADLESS = {
    "resnet18": ("fc", 512),
    "densenet121": ("classifier", 1024),
    "mobilenet_v2": ("classifier", 1280),
    "mobilenet_v3_small": ("classifier.3", 1024),
    "vgg11": ("classifier.6", 4096),
    "maxvit_t": ("classifier.5", 512),
    "convnext_tiny": ("classifier", 768),
    "swin_t": ("head", 768),
    "vit_b_32": ("heads", 768),
    "googlenet": ("fc", 1024),
    "squeezenet1_0": ("classifier", 512 * 13 * 13),
}


@pytest.mark.parametrize("name", HEADLESS)
def test_an_identity_in_the_heads_place_is_no_head_and_can_be_filled(name):
    place, width = HEADLESS[name]
    with torch.device("meta"):
        model = _torchvision(name).eval()
        model.set_submodule(place, nn.Identity())
        assert find_heads(model) == {} and feature_dim(model) == width
        assert replace_head(model, 0) is model and find_heads(model) == {}
        check_head(replace_head(model, 3, dropout=0.1), 3)
        assert feature_dim(model) == width


def test_a_new_head_stands_where_the_identity_was():
    model = models.resnet18()
    model.fc = nn.Identity()
    assert list(find_heads(replace_head(model, 3))) == ["fc"]
    assert isinstance(model.fc, nn.Linear) and "forward" not in vars(model)


def _own(*layers):
    return nn.Sequential(nn.Conv2d(3, 8, 3), *layers)


@pytest.mark.parametrize(
    ("model", "heads"),
    [
        (_own(nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), []),
        (_own(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), []),
        (_own(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), ["1"]),
        (_own(nn.Conv2d(8, 4, 1)), ["1"]),  # a mask
        (_own(nn.Flatten(2), nn.Conv1d(8, 4, 1), nn.AdaptiveAvgPool1d(1)), []),
        (_own(nn.ConvTranspose2d(8, 4, 2)), []),
        (_own(nn.AvgPool2d(222), nn.Flatten(), nn.Linear(8, 4), nn.Softmax(1)), ["3"]),
        (nn.ReLU(), []),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 4), nn.GELU()), []),
        (nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(
            nn.Linear(3 * 224 * 224, 4, bias=False))), ["1"]),
    ],
)  # fmt: skip
def test_the_head_of_ones_own_net_is_what_the_output_comes_from(model, heads):
    assert list(find_heads(model)) == heads
    check = replace_head(model, 5)
    assert [s[:2] for s in trace(check).output_shapes] == [(2, 5)]


class _Turned(nn.Module):
    """The head is registered first, the body behind it; it ends in a residual sum."""

    def __init__(self, head=True):
        super().__init__()
        self.fc = nn.Linear(8, 4) if head else nn.Identity()
        self.stem, self.block = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        return self.fc((x + self.block(x)).mean((2, 3)))


def test_a_net_that_keeps_no_graph_has_its_last_layer_as_its_head():
    class Still(nn.Sequential):
        def forward(self, x):
            return super().forward(x).detach()

    model = Still(nn.Conv2d(3, 8, 1), nn.AvgPool2d(224), nn.Flatten(), nn.Linear(8, 2))
    assert list(find_heads(model)) == ["3"]


def test_a_compiled_model_runs_with_its_new_head():
    model = torch.compile(_resnet18(), backend="eager")
    images = torch.rand(2, 3, 64, 64)
    assert model(images).shape == (2, 1000)
    assert replace_head(model, 3)(images).shape == (2, 3)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_heads_are_found_within_no_gradients(mode):
    with mode():
        assert list(find_heads(models.resnet18())) == ["fc"]
        assert [name for name, _ in find_heads(_Turned()).items()] == ["fc"]


def test_registration_does_not_make_a_head():
    assert list(find_heads(_Turned())) == ["fc"]
    assert find_heads(_Turned(head=False)) == {}


class _Two(nn.Module):
    def __init__(self, classes=(4, 4), join=False):
        super().__init__()
        self.body, self.join = nn.Conv2d(3, 8, 3), join
        self.one, self.two = (nn.Linear(8, n) for n in classes)

    def forward(self, x):
        x = self.body(x).mean((2, 3))
        one, two = self.one(x), self.two(x)
        return {"logits": (one + two) / 2, "two": two} if self.join else (one, two)


@pytest.mark.parametrize("join", [True, False])
def test_both_of_two_heads_are_replaced(join):
    model = _Two(join=join)
    assert list(find_heads(model)) == ["one", "two"]
    check_head(replace_head(model, 3), 3)


def test_heads_of_different_widths_are_refused():
    with pytest.raises(ValueError, match=r"different widths, one \(4\), two \(3\)"):
        replace_head(_Two((4, 3)), 3)


@pytest.mark.parametrize("aux", [True, False])
@pytest.mark.parametrize(
    "name",
    ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "fcn_resnet50"],
)
def test_segmentation_nets_get_masks_of_so_many_classes(name, aux):
    options = {"weights": None, "weights_backbone": None}
    if aux and name[0] != "l":
        options["aux_loss"] = True
    with torch.device("meta"):
        model = replace_head(models.get_model(name, **options), 3)
    assert {s[:2] for s in trace(model).output_shapes} == {(2, 3)}


@pytest.mark.parametrize(
    "name",
    ["fasterrcnn_mobilenet_v3_large_fpn", "ssdlite320_mobilenet_v3_large",
     "retinanet_resnet50_fpn", "keypointrcnn_resnet50_fpn"],
)  # fmt: skip
def test_detectors_are_refused_by_name(name):
    with torch.device("meta"):
        model = models.get_model(name, weights=None, weights_backbone=None)
    for change in (find_heads, freeze, lambda m: replace_head(m, 3)):
        with pytest.raises(ValueError, match="is a detector: its heads give boxes"):
            change(model)


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_no_rectifier_stands_behind_a_new_head(name):
    torch.manual_seed(0)
    untouched = models.get_model(name, weights=None).eval()
    model = replace_head(copy.deepcopy(untouched), 4)
    images, labels = torch.rand(8, 3, 64, 64), torch.arange(8) % 4
    optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-2)
    for _ in range(10):
        loss = nn.functional.cross_entropy(model.train()(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logits = model.eval()(images)
    assert (logits < 0).any() and not (logits == 0).any()
    assert (untouched(images) >= 0).all()  # torchvision's own, as it was


def test_a_rectifier_in_forward_is_named():
    class Squeeze(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            return self.out(self.body(x)).relu().mean((2, 3))

    assert list(find_heads(Squeeze())) == ["out"]
    with pytest.raises(ValueError, match="Squeeze.forward puts an activation .* out"):
        replace_head(Squeeze(), 3)


def test_wrapped_models_have_the_heads_of_the_net_within():
    net = _resnet18()
    compiled, parallel = torch.compile(net, backend="eager"), nn.DataParallel(net)
    assert list(find_heads(compiled)) == ["_orig_mod.fc"]
    assert list(find_heads(parallel)) == ["module.fc"] and feature_dim(parallel) == 512
    for wrapper in (compiled, parallel):
        assert replace_head(wrapper, 3) is wrapper and net.fc.out_features == 3
    averaged = torch.optim.swa_utils.AveragedModel(net)
    assert list(find_heads(averaged)) == ["module.fc"]
    with pytest.raises(ValueError, match="AveragedModel keeps account"):
        replace_head(averaged, 3)


@pytest.mark.filterwarnings("ignore")  # torch: both are to go
def test_scripted_quantised_and_lazy_models_are_refused_by_name():
    small = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    scripted = torch.jit.trace(small, torch.rand(1, 3, 2, 2))
    quantised = torch.ao.quantization.quantize_dynamic(models.resnet18(), {nn.Linear})
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    for model, words in (
        (scripted, "TorchScript"), (quantised, "in fc is quantised"),
        (lazy, "in 1 has no shape yet"),
    ):  # fmt: skip
        for change in (find_heads, freeze, lambda m: replace_head(m, 3), inspect_model):
            with pytest.raises(CannotInspect, match=words):
                change(model)


@pytest.mark.parametrize("change", [find_heads, feature_dim, freeze])
@pytest.mark.parametrize("wrong", [None, "resnet18", {}])
def test_what_is_no_model_is_refused(change, wrong):
    with pytest.raises(
        TypeError,
        match="model must be a (torch.nn.)?Module",
    ):
        change(wrong)


def test_a_pyramid_of_features_has_no_one_vector():
    with torch.device("meta"):
        model = timm.create_model("test_resnet", features_only=True)
    with pytest.raises(ValueError, match="FeatureListNet gives .* no one vector"):
        feature_dim(model)


def test_a_timm_head_that_was_cut_off_whole():
    model = timm.create_model("test_convnext").eval()
    model.head = nn.Identity()
    assert find_heads(model) == {}
    check_head(replace_head(model, 3), 3)
    check_head(replace_head(model, 4), 4)


def test_check_head_says_what_came_out():
    model = _resnet18().train()
    with pytest.raises(ValueError, match=r"\(2, 1000\) instead of \(2, 5\)"):
        check_head(model, 5, input_size=(3, 32, 32))
    assert model.training
