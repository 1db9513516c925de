import copy
import io

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.heads import replace_head
from course_utils.layer_groups import (
    freeze,
    layer_groups,
    trainable_parameters,
    unfreeze,
)

MODELS = {
    "resnet18": models.resnet18,
    "squeezenet1_0": models.squeezenet1_0,
    "mobilenet_v3_small": models.mobilenet_v3_small,
    "efficientnet_b0": models.efficientnet_b0,
    "densenet121": models.densenet121,
    "convnext_tiny": models.convnext_tiny,
    "vit_b_32": models.vit_b_32,
    "swin_t": models.swin_t,
    "vgg11_bn": models.vgg11_bn,
} | {
    name: (lambda name=name: timm.create_model(name))
    for name in (
        "test_resnet",
        "test_efficientnet",
        "test_convnext",
        "test_vit",
        "test_nfnet",
        "test_byobnet",
        "deit_tiny_distilled_patch16_224",
        "swin_tiny_patch4_window7_224",
    )
}


class _Net(nn.Module):
    """A stem, two stages with BatchNorm, a head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.layer2 = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = self.layer2(self.layer1(self.bn(self.stem(x))))
        return self.fc(x.mean((2, 3)))


def _net():
    torch.manual_seed(0)
    return _Net()


def _trainable(model):
    return [name for name, p in model.named_parameters() if p.requires_grad]


def _drifted(model, name):
    """Tell whether one forward pass in train mode moves a BatchNorm's statistics."""
    layer = model.get_submodule(name)
    before = {k: v.clone() for k, v in layer.named_buffers()}
    model.train()(torch.randn(8, 3, 12, 12) + 5)
    return any(not torch.equal(v, before[k]) for k, v in layer.named_buffers())


@pytest.mark.parametrize("name", MODELS)
def test_each_parameter_is_in_exactly_one_group(name):
    with torch.device("meta"):
        model = MODELS[name]()
    grouped = [id(p) for group in layer_groups(model) for p in group.parameters]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("name", MODELS)
def test_each_group_lies_in_its_modules_and_names_are_unique(name):
    with torch.device("meta"):
        groups = layer_groups(MODELS[name]())
    names = [group.name for group in groups]
    assert len(set(names)) == len(names) >= 3
    loose = 0
    for group in groups:
        inside = {id(p) for module in group.modules for p in module.parameters()}
        loose += sum(id(p) not in inside for p in group.parameters)
    assert loose <= 4  # class and distillation tokens, position embeddings


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]),
        ("test_resnet", ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]),
        ("test_vit", [*(f"blocks.{i}" for i in range(6)), "head"]),
        ("test_convnext", [*(f"stages.{i}" for i in range(4)), "head.fc"]),
    ],
)
def test_stages_come_in_order_from_stem_to_head(name, stages):
    with torch.device("meta"):
        found = [group.name for group in layer_groups(MODELS[name]())]
    assert found[-len(stages) :] == stages


@pytest.mark.parametrize(
    ("name", "embedding"),
    [("test_vit", "pos_embed"), ("vit_b_32", "encoder.pos_embedding")],
)
def test_position_embeddings_are_in_the_first_group(name, embedding):
    with torch.device("meta"):
        model = MODELS[name]()
    parameter = model.get_parameter(embedding)
    assert any(p is parameter for p in layer_groups(model)[0].parameters)


def test_a_new_head_is_the_last_group_whole():
    model = replace_head(models.resnet18(), 3, hidden=5)
    group = layer_groups(model)[-1]
    assert group.name == "fc" and len(group.parameters) == 4


def test_the_stems_norm_joins_its_convolution():
    groups = layer_groups(_net())
    assert [group.name for group in groups] == ["stem", "layer1", "layer2", "fc"]
    assert len(groups[0].parameters) == 4


def test_freezing_leaves_the_head_alone_trainable():
    model = _net()
    assert freeze(model) is model
    assert _trainable(model) == ["fc.weight", "fc.bias"]


def test_freezing_until_a_stage_leaves_it_and_what_follows():
    names = _trainable(freeze(_net(), until="layer2"))
    assert names == [
        "layer2.0.weight",
        "layer2.0.bias",
        "layer2.1.weight",
        "layer2.1.bias",
        "fc.weight",
        "fc.bias",
    ]


def test_freezing_again_further_down_thaws_what_lies_above():
    model = freeze(freeze(_net()), until="layer1")
    assert _trainable(model)[0] == "layer1.0.weight"
    assert not _drifted(model, "bn") and _drifted(model, "layer1.1")


def test_unfreezing_since_a_stage():
    model = unfreeze(freeze(_net()), since="layer2")
    assert _trainable(model)[0] == "layer2.0.weight"
    assert not _drifted(model, "layer1.1") and _drifted(model, "layer2.1")


def test_unfreezing_all_makes_everything_trainable():
    model = unfreeze(freeze(_net()))
    assert len(_trainable(model)) == len(list(model.parameters()))
    assert _drifted(model, "bn")


@pytest.mark.parametrize("layer", ["bn", "layer1.1", "layer2.1"])
def test_frozen_batchnorm_keeps_its_statistics_through_train(layer):
    assert not _drifted(freeze(_net()), layer)


def test_frozen_batchnorm_uses_its_statistics_in_train_mode():
    model, images = freeze(_net()), torch.randn(8, 3, 12, 12)
    expected = model.eval()(images)
    assert torch.equal(model.train()(images), expected)


def test_batchnorm_train_lets_the_statistics_drift():
    model = freeze(_net(), batchnorm="train")
    assert _trainable(model) == ["fc.weight", "fc.bias"]
    assert _drifted(model, "layer1.1")


def test_freezing_in_another_mode_replaces_the_first():
    model = freeze(freeze(_net()), batchnorm="train")
    assert _drifted(model, "bn")


def _pickled(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("again", [copy.deepcopy, _pickled])
def test_freezing_survives_copies_which_can_be_unfrozen_on_their_own(again):
    model = freeze(_net())
    twin = again(model)
    assert _trainable(twin) == ["fc.weight", "fc.bias"]
    assert not _drifted(twin, "bn")
    unfreeze(twin)
    assert _drifted(twin, "bn")
    assert not _drifted(model, "bn")


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "test_efficientnet"])
def test_real_models_frozen_do_not_move(name):
    model = replace_head(MODELS[name](), 3)
    freeze(model).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(trainable_parameters(model), lr=0.1)
    model(torch.randn(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    changed = {
        k for k, v in model.state_dict().items() if not torch.equal(v, before[k])
    }
    head = layer_groups(model)[-1].name
    assert changed == {f"{head}.weight", f"{head}.bias"}


def test_trainable_parameters_are_those_of_the_head():
    model = freeze(_net())
    found = trainable_parameters(model)
    assert found[0] is model.fc.weight and found[1] is model.fc.bias and len(found) == 2


def test_nothing_trainable_is_an_error():
    with pytest.raises(ValueError, match="Net has no trainable parameter: unfreeze"):
        trainable_parameters(_net().requires_grad_(False))


@pytest.mark.parametrize("change", [freeze, unfreeze])
def test_an_unknown_stage_is_named_with_those_there_are(change):
    where = {"until" if change is freeze else "since": "layer9"}
    with pytest.raises(ValueError, match="no stage 'layer9'; stages are stem, layer1"):
        change(_net(), **where)


def test_an_unknown_batchnorm_mode_is_refused():
    with pytest.raises(ValueError, match="'eval' or 'train', got 'off'"):
        freeze(_net(), batchnorm="off")


def test_named_stages_are_frozen_and_the_others_learn():
    model = freeze(_net(), stages=["layer1"])
    assert not any("layer1" in name for name in _trainable(model))
    assert {name.split(".")[0] for name in _trainable(model)} == {
        "stem", "bn", "layer2", "fc",
    }  # fmt: skip
    assert not _drifted(model, "layer1.1") and _drifted(model, "layer2.1")


def test_named_stages_wake_and_the_others_stay():
    model = unfreeze(freeze(_net()), stages=["layer2"])
    assert {name.split(".")[0] for name in _trainable(model)} == {"layer2", "fc"}
    assert _drifted(model, "layer2.1") and not _drifted(model, "layer1.1")


def test_batchnorm_that_wakes_follows_its_model_at_once():
    for wake in (unfreeze, lambda model: freeze(model, stages=[])):
        model = freeze(_net().train())
        held = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        model(torch.randn(2, 3, 16, 16))  # the hook has put them into eval mode
        assert held and not any(layer.training for layer in held)
        wake(model)
        assert all(layer.training for layer in held)


def test_no_stage_frozen_is_all_learning():
    model = freeze(freeze(_net()), stages=[])
    assert _trainable(model) == [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize(("change", "other"), [(freeze, "until"), (unfreeze, "since")])
def test_two_ways_to_name_stages_at_once_are_refused(change, other):
    with pytest.raises(ValueError, match="not both"):
        change(_net(), stages=["layer1"], **{other: "layer1"})
    with pytest.raises(ValueError, match="no stage 'layer9'"):
        change(_net(), stages=["layer9"])


def test_stages_come_in_order_of_execution_not_of_registration():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.late = nn.Conv2d(4, 4, 3)
            self.early = nn.Conv2d(3, 4, 3)
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(self.late(self.early(x)).mean((2, 3)))

    assert [g.name for g in layer_groups(Turned())] == ["early", "late", "fc"]


def test_a_model_that_cannot_be_traced_keeps_the_order_of_registration():
    class Choosy(_Net):
        def forward(self, x):
            return super().forward(x if x.sum() > 0 else -x)

    names = [group.name for group in layer_groups(Choosy())]
    assert names == ["stem", "layer1", "layer2", "fc"]


def test_a_block_that_is_alone_is_not_cut_inside():
    model = timm.create_model("vit_tiny_patch16_224", depth=1)
    assert [g.name for g in layer_groups(model)] == ["patch_embed", "blocks.0", "head"]


def test_a_list_within_a_list_is_opened():
    class Nested(_Net):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Sequential(self.layer1, self.layer2))
            del self.layer1, self.layer2

        def forward(self, x):
            return self.fc(self.features(self.bn(self.stem(x))).mean((2, 3)))

    names = [group.name for group in layer_groups(Nested())]
    assert names == ["stem", "features.0", "features.1", "fc"]


@pytest.mark.parametrize("change", [freeze, unfreeze])
def test_one_name_may_stand_without_a_list(change):
    model = change(_net().requires_grad_(change is freeze), stages="layer1")
    learns = {name.split(".")[0] for name in _trainable(model)}
    assert ("layer1" in learns) == (change is unfreeze)
    with pytest.raises(ValueError, match="stages are names, such as .*got 5"):
        change(model, stages=5)


def test_a_model_without_a_head_is_frozen_whole():
    model = models.resnet18()
    model.fc = nn.Identity()
    assert [g.name for g in layer_groups(model)][-1] == "layer4"
    assert _trainable(freeze(model)) == []
    assert _trainable(freeze(model, until="layer4"))[0] == "layer4.0.conv1.weight"
    encoder = timm.create_model("qwen3_vit_88m_enc", depth=2)
    assert _trainable(freeze(encoder)) == []


@pytest.mark.parametrize("wrap", [
    nn.DataParallel, torch.optim.swa_utils.AveragedModel,
    lambda m: torch.compile(m, backend="eager"),
])  # fmt: skip
def test_a_wrapped_model_has_the_stages_of_the_net_within(wrap):
    model = wrap(_net())
    assert [g.name for g in layer_groups(model)] == ["stem", "layer1", "layer2", "fc"]
    freeze(model, until="layer2").train()
    before = {k: v.clone() for k, v in model.named_buffers() if "layer1" in k}
    model(torch.randn(8, 3, 12, 12) + 5)
    after = dict(model.named_buffers())
    assert before and all(torch.equal(after[k], v) for k, v in before.items())
    assert sorted(n.split(".")[1] for n in _trainable(model))[-1] == "layer2"


def test_parameters_alone_are_one_stage():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, x):
            return x * self.scale

    (group,) = layer_groups(Bare())
    assert group.name == "Bare" and len(group.parameters) == 1 and not group.is_head
    assert layer_groups(nn.ReLU()) == []


def test_the_hold_outlives_a_conversion_to_synchronised_batchnorm():
    model = nn.SyncBatchNorm.convert_sync_batchnorm(freeze(_net()))
    assert not _drifted(model, "bn") and not _drifted(copy.deepcopy(model), "layer1.1")
    unfreeze(model, since="layer2")
    assert model.layer2[1].training and not model.layer2[1]._forward_pre_hooks
    assert model.bn._forward_pre_hooks


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_frozen_model_can_be_scripted():
    model, images = freeze(_net()).eval(), torch.rand(2, 3, 12, 12)
    assert torch.equal(torch.jit.script(model)(images), model(images))
