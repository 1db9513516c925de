import copy
import threading

import pytest
import timm
import torch
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from course_utils import fast_inference
from course_utils.fast_inference import difference, fast_copy, prepared
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze


def _noisy(model, px=64):
    """Give BatchNorm statistics, factors and offsets that do something."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(4, 3, px, px))
    return model.eval()


def _pictures(n=2, px=64):
    return torch.randn(n, 3, px, px, generator=torch.Generator().manual_seed(1))


def _logits(model, images):
    return model(images)


def _gave(model, images):
    with torch.inference_mode():
        return model(images)


def _folded(model):
    """Names of the BatchNorms that do nothing any more."""
    return [name for name, m in model.named_modules() if "forward" in vars(m)]


class _Net(nn.Module):
    """A net of a convolution, a BatchNorm, and a forward pass to be given."""

    def __init__(self, forward, conv=None, norm=None):
        super().__init__()
        self.conv = conv or nn.Conv2d(3, 4, 3, padding=1)
        self.norm = norm or nn.BatchNorm2d(4)
        self.other = nn.BatchNorm2d(4)
        self.steps = forward

    def forward(self, x):
        return self.steps(self, x)


class Stubborn(nn.BatchNorm2d):
    def train(self, mode=True):
        return super().train(True)


def _usual(net, x):
    return net.norm(net.conv(x)).relu()


def test_a_net_that_was_measured_to_be_slower_as_a_copy_has_none():
    model = _noisy(models.get_model("shufflenet_v2_x0_5", weights=None))
    assert fast_copy(model, _pictures(), _logits) is None


@pytest.mark.parametrize(("name", "folded"), [
    ("resnet18", 20), ("mobilenet_v3_small", 34), ("mnasnet0_5", 52),
    ("densenet121", 59), ("googlenet", 57),
])  # fmt: skip
def test_torchvisions_nets_give_the_same(name, folded):
    options = {"init_weights": False} if name == "googlenet" else {}
    model = _noisy(models.get_model(name, weights=None, **options))
    images = _pictures()
    quick = fast_copy(model, images, _logits)
    assert len(_folded(quick)) == folded and not _folded(model)
    assert difference(_gave(quick, images), _gave(model, images)) < 1e-4


@pytest.mark.parametrize("name", [
    "test_resnet", "test_efficientnet", "tf_efficientnet_lite0", "resnetv2_18", "repvgg_a0"
])  # fmt: skip
def test_timms_nets_keep_their_activations(name):
    model = _noisy(timm.create_model(name))
    images = _pictures()
    quick = fast_copy(model, images, _logits)
    assert _folded(quick)
    assert difference(_gave(quick, images), _gave(model, images)) < 1e-4


def test_the_model_is_not_touched_and_shares_what_does_not_change():
    model = _noisy(models.resnet18()).train()
    model.layer1.eval().requires_grad_(False)
    before = copy.deepcopy(model)
    quick = fast_copy(model, _pictures(), _logits)
    for (name, own), (_, old) in zip(
        model.state_dict().items(), before.state_dict().items(), strict=True
    ):
        assert torch.equal(own, old) and own.stride() == old.stride(), name
    assert [m.training for m in model.modules()] == [
        m.training for m in before.modules()
    ]
    learn = [[p.requires_grad for p in m.parameters()] for m in (model, before)]
    assert learn[0] == learn[1]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert quick.fc.weight.data_ptr() == model.fc.weight.data_ptr()


@pytest.mark.parametrize("steps", [
    lambda net, x: net.norm(y := net.conv(x)) + y,  # read elsewhere
    lambda net, x: net.norm(net.conv(x)) + net.other(net.conv(x)),  # run twice
    lambda net, x: net.norm(net.norm(net.conv(x))),  # a norm run twice
    lambda net, x: net.norm(net.conv(x).relu()),
    lambda net, x: net.norm(net.conv(x).relu_()),
    lambda net, x: net.norm(net.conv(x)[:]),
    lambda net, x: net.norm(x.mean(1, keepdim=True).expand(-1, 4, -1, -1)) + net.conv(x),
])  # fmt: skip
def test_what_a_batchnorm_does_not_read_alone_is_not_folded(steps):
    model = _noisy(_Net(steps))
    quick = fast_copy(model, _pictures(), _logits)
    assert _folded(quick) == []
    assert difference(_gave(quick, _pictures(5)), _gave(model, _pictures(5))) < 1e-5


def _wanted_too(net, x):
    net.norm(y := net.conv(x))
    return y


def test_what_is_wanted_itself_is_not_folded():
    quick = fast_copy(_noisy(_Net(_wanted_too)), _pictures(), _logits)
    assert _folded(quick) == []


@pytest.mark.parametrize("conv", [
    nn.Conv2d(3, 4, 3, bias=False),
    nn.Conv2d(3, 4, 3, stride=2, padding=1),
    nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"),
    nn.Conv2d(3, 6, 3, groups=3),
    timm.layers.Conv2dSame(3, 4, 3, stride=2),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("norm", [
    nn.BatchNorm2d, lambda n: nn.BatchNorm2d(n, affine=False), nn.SyncBatchNorm,
    FrozenBatchNorm2d, timm.layers.BatchNormAct2d, timm.layers.FrozenBatchNormAct2d,
])  # fmt: skip
def test_convolutions_and_batchnorms_of_all_kinds_are_folded(conv, norm):
    norm = norm(conv.out_channels)
    for name, value in [*norm.named_buffers(), *norm.named_parameters()]:
        if value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1.5) if "var" in name else nn.init.normal_(
                value
            )
    model = _Net(_usual, conv, norm).eval()
    quick = fast_copy(model, _pictures(), _logits)
    assert _folded(quick) == ["norm"]
    assert difference(_gave(quick, _pictures(3)), _gave(model, _pictures(3))) < 1e-5


@pytest.mark.parametrize(("conv", "norm"), [
    (nn.ConvTranspose2d(3, 4, 3), None),
    (timm.layers.StdConv2d(3, 4, 3), None),
    (None, nn.InstanceNorm2d(4)),
])  # fmt: skip
def test_layers_that_do_something_else_are_not_folded(conv, norm):
    model = _noisy(_Net(_usual, conv, norm))
    quick = fast_copy(model, _pictures(), _logits)
    assert _folded(quick) == []
    assert difference(_gave(quick, _pictures(3)), _gave(model, _pictures(3))) < 1e-5


def test_tied_weights_are_folded_apart():
    model = _noisy(nn.Sequential(
        nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
    ))  # fmt: skip
    model[2].weight = model[0].weight
    quick = fast_copy(model, _pictures(), _logits)
    assert _folded(quick) == ["1", "3"]
    assert difference(_gave(quick, _pictures(3)), _gave(model, _pictures(3))) < 1e-5


def _hooked(model):
    model.conv.register_forward_hook(lambda *_: None)
    return model


def _entered(model):
    model.norm.register_forward_pre_hook(lambda *_: None)
    return model


def _replaced(model):
    model.conv.forward = model.conv.forward
    return model


def _compiled_layer(model):
    model.conv.compile()
    return model


@pytest.mark.parametrize("change", [
    _hooked, _entered, _replaced, _compiled_layer,
    lambda m: nn.utils.parametrizations.weight_norm(m.conv) and m,
    lambda m: nn.utils.parametrizations.spectral_norm(m.conv) and m,
    lambda m: m.double(), lambda m: m.half(), lambda m: m.bfloat16(),
    nn.DataParallel, torch.compile, lambda m: torch.jit.trace(m, _pictures()),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_models_for_which_a_copy_would_be_noticed_have_none(change):
    assert fast_copy(change(_Net(_usual).eval()), _pictures(), _logits) is None


def test_a_frozen_net_and_one_with_a_head_added_have_a_copy():
    model = freeze(_noisy(models.resnet18()), until="layer4")
    headless = _noisy(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    for net in (model, replace_head(headless, 2).eval()):
        quick = fast_copy(net, _pictures(), _logits)
        assert len(_folded(quick)) > len(_folded(net))
        found = _gave(quick, _pictures(3))
        assert difference(found, _gave(net, _pictures(3))) < 1e-5


def test_a_net_that_remembers_its_passes_has_no_copy():
    def remember(net, x):
        net.last = _usual(net, x)
        return net.last

    model = _Net(remember).eval()
    assert fast_copy(model, _pictures(), _logits) is None
    assert not hasattr(model, "last")


@pytest.mark.parametrize("norm", [
    nn.BatchNorm2d(4, track_running_stats=False), Stubborn(4)
], ids=["no statistics", "in train mode"])  # fmt: skip
def test_nets_that_look_at_the_whole_batch_have_no_copy(norm):
    model = _Net(_usual, norm=norm).eval()
    assert fast_copy(model, _pictures(), _logits) is None


@pytest.mark.parametrize("steps", [
    lambda net, x: _usual(net, x) - x.mean(),
    lambda net, x: torch.rand_like(_usual(net, x)),
    lambda net, x: _usual(net, x) * float("nan"),
    lambda net, x: 1 / 0 if "forward" in vars(net.norm) else _usual(net, x),
    lambda net, x: _usual(net, x) * net.conv.weight.sum(),
])  # fmt: skip
def test_a_copy_that_does_not_prove_itself_is_not_taken(steps):
    model = _noisy(_Net(_usual))
    model.steps = steps
    assert fast_copy(model, _pictures(), _logits) is None


@pytest.mark.parametrize("model", [
    nn.Sequential(nn.Flatten(), nn.Linear(12288, 2)), timm.create_model("test_vit")
], ids=["linear", "test_vit"])  # fmt: skip
def test_nets_without_batchnorm_have_no_copy(model):
    assert fast_copy(model.eval(), _pictures(), _logits) is None


def test_what_cannot_be_copied_runs_as_it_is():
    model = _Net(_usual).eval()
    model.kept = [threading.Lock()]
    assert fast_copy(model, _pictures(), _logits) is None
    call = prepared(model, _pictures(), _logits, precision="float32", few=False)
    assert torch.equal(call(_pictures()), _gave(model, _pictures()))


# -- bfloat16 ------------------------------------------------------------------------


def _in_bfloat16(model, images=None, few=False):
    images = _pictures(4) if images is None else images
    return prepared(model, images, _logits, precision="bfloat16", few=few)(images)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_bfloat16_gives_nearly_the_same_and_says_how_nearly(name, few, capsys):
    model = timm.create_model(name).eval()
    images = _pictures(2, 160)
    found = _in_bfloat16(model, images, few)
    assert found.dtype == torch.bfloat16
    assert 0 < difference(found, _gave(model, images)) < 0.05
    assert "bfloat16: values differ from float32's by 0." in capsys.readouterr().out
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_model_that_is_not_copied_runs_in_bfloat16_by_autocast(capsys):
    seen = []
    model = _noisy(_Net(_usual))
    model.conv.register_forward_hook(lambda m, i, out: seen.append(out.dtype))
    _in_bfloat16(model)
    assert seen[-1] == torch.bfloat16 and seen[0] == torch.float32


def test_a_net_that_is_not_float32_has_no_bfloat16():
    with pytest.raises(ValueError, match="this one works in float64"):
        _in_bfloat16(_Net(_usual).double().eval())


def test_a_processor_without_bfloat16_is_named_once(monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(fast_inference.feature_cache, "_said", set())
    for _ in range(2):
        _in_bfloat16(_noisy(_Net(_usual)))
    assert capsys.readouterr().out.count("not faster on this processor") == 1
