import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn
from torchvision import models

from course_utils.heads import replace_head
from course_utils.layer_groups import freeze, layer_groups
from course_utils.meta_tensors import build_on_meta, unwrapped
from course_utils.param_groups import check_groups, group_table, param_groups

NAMES = ["resnet18", "densenet121", "swin_t", "vit_b_32", "timm/test_efficientnet",
         "timm/test_convnext", "timm/coat_lite_tiny", "timm/levit_128s"]  # fmt: skip


def _rates(groups):
    return {g["name"]: g["lr"] for g in groups}


@pytest.mark.parametrize("options", [{}, {"ratio": 0.5}, {"decay": 0.8}, {"groups": 3}])
@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_in_exactly_one_group(name, options):
    model = build_on_meta(name)
    groups = param_groups(model, 0.1, weight_decay=0.01, **options)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    names = [group["name"] for group in groups]
    assert len(set(names)) == len(names)


def test_each_stage_has_a_tenth_of_the_one_behind_it():
    groups = param_groups(models.resnet18(), 1e-2, ratio=0.1)
    assert _rates(groups) == pytest.approx(
        {"conv1": 1e-7, "layer1": 1e-6, "layer2": 1e-5, "layer3": 1e-4,
         "layer4": 1e-3, "fc": 1e-2}
    )  # fmt: skip


def test_five_and_three_groups_keep_the_head_alone():
    five = param_groups(models.resnet18(), 1.0, ratio=0.5, groups=5)
    assert list(_rates(five)) == [
        "conv1 to layer1", "layer2", "layer3", "layer4", "fc",
    ]  # fmt: skip
    three = param_groups(models.resnet18(), 1.0, ratio=0.1, groups=3)
    assert _rates(three) == pytest.approx(
        {"conv1 to layer2": 0.01, "layer3 to layer4": 0.1, "fc": 1.0}
    )


def test_groups_can_be_named():
    model = models.resnet18()
    names = [["conv1", "layer1", "layer2", "layer3"], ["layer4"], ["fc"]]
    assert list(_rates(param_groups(model, 1.0, ratio=0.1, groups=names))) == [
        "conv1 to layer3", "layer4", "fc",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="each stage once; look at layer4"):
        param_groups(model, 1.0, groups=[*names[:1], ["fc"]])


def test_least_share_holds():
    groups = param_groups(models.resnet18(), 1.0, ratio=0.1, min_scale=0.01)
    assert min(_rates(groups).values()) == 0.01


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_patch16_224", "test_vit"]
)
def test_layer_decay_has_timm_s_scales(name):
    model = timm.create_model(name)
    ours = {
        id(p): group["lr"]
        for group in param_groups(model, 1.0, decay=0.75)
        for p in group["params"]
    }
    theirs = {
        id(p): group["lr_scale"]
        for group in param_groups_layer_decay(model, layer_decay=0.75)
        for p in group["params"]
    }
    assert ours == pytest.approx(theirs)


def test_a_torch_scheduler_reaches_our_rates_and_not_timm_s():
    def last_rates(groups):
        optimizer = torch.optim.SGD(groups, lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        optimizer.step()
        scheduler.step()
        return {group["lr"] for group in optimizer.param_groups}

    model = timm.create_model("test_vit")
    assert len(last_rates(param_groups(model, 0.1, decay=0.75))) > 5
    assert last_rates(param_groups_layer_decay(model, layer_decay=0.75)) == {0.05}


def test_vectors_and_what_timm_names_get_no_weight_decay():
    model = timm.create_model("test_vit")
    groups = param_groups(model, 0.1, weight_decay=0.05)
    decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in decayed}
    assert "blocks.0.attn.qkv.weight" in names
    assert not any(n.endswith("bias") or "norm" in n for n in names)
    assert not names & {"pos_embed", "cls_token"}
    assert {g["weight_decay"] for g in groups} == {0.0, 0.05}


def test_frozen_parameters_stay_in_and_do_not_shift_depth():
    free = _rates(param_groups(models.resnet18(), 1.0, ratio=0.1))
    frozen = freeze(models.resnet18(), until="layer3")
    groups = param_groups(frozen, 1.0, ratio=0.1)
    assert _rates(groups) == free
    table = group_table(groups)
    assert table.loc["layer2", "learning"] == 0 < table.loc["layer2", "parameters"]
    assert table.loc["layer3", "learning"] == table.loc["layer3", "parameters"]


def test_the_model_is_not_changed():
    model = freeze(models.resnet18())
    flags = [p.requires_grad for p in model.parameters()]
    param_groups(model, 0.1, decay=0.5, weight_decay=0.1)
    assert flags == [p.requires_grad for p in model.parameters()]


def test_the_head_listed_twice_is_named():
    model = models.resnet18()
    groups = [{"params": list(model.parameters()), "name": "all"},
              {"params": list(model.fc.parameters()), "name": "head"}]  # fmt: skip
    with pytest.raises(ValueError, match="fc.weight is in two groups, all and head"):
        check_groups(model, groups)


def test_a_parameter_of_an_old_head_is_named():
    model = models.resnet18()
    groups = param_groups(model, 0.1)
    replace_head(model, 3)
    with pytest.raises(ValueError, match=r"\(1000, 512\).*after replacing the head"):
        check_groups(model, groups)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": 0}, "lr must be a number above 0"),
        ({"ratio": 0}, "ratio must be a number above 0"),
        ({"decay": 1.5}, "decay must be a number above 0 to 1 or None, got 1.5"),
        ({"ratio": 0.1, "decay": 0.9}, "not both"), ({"min_scale": -1}, "min_scale"),
        ({"weight_decay": -0.1}, "weight_decay"), ({"groups": 1}, "from 2 to"),
        ({"groups": 9}, "from 2 to 6, got 9"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        param_groups(models.resnet18(), **{"lr": 0.1, **options})


def test_blocks_are_finer_than_stages():
    model = models.resnet18()
    names = list(_rates(param_groups(model, 1.0, decay=0.5)))
    assert names[:4] == ["conv1", "layer1.0", "layer1.1", "layer2.0"]
    assert len(names) == 10 > len(layer_groups(model))


def test_an_optimiser_takes_the_groups():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(4, 2))  # fmt: skip
    optimizer = torch.optim.AdamW(param_groups(model, 0.1, ratio=0.1))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.01, 0.1])


# -- cases that other tools get wrong ----------------------------------------------------


def test_parameters_of_equal_value_are_both_kept():
    """Lightning's finetuning callback compares parameters by value and loses one."""
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Flatten(),
                          nn.Linear(3 * 8 * 8, 2))  # fmt: skip
    model[1].load_state_dict(model[0].state_dict())
    grouped = [id(p) for g in param_groups(model, 0.1, ratio=0.5) for p in g["params"]]
    assert {id(p) for p in model.parameters()} == set(grouped)


def test_freezing_leaves_the_kind_of_batchnorm_alone():
    """Lightning's callback sets track_running_stats to False for good."""
    model = freeze(models.resnet18())
    assert model.bn1.track_running_stats and not model.bn1.weight.requires_grad


def test_shufflenet_is_not_cut_to_its_stem():
    """fastai's rule, "the first child from the end that pools", keeps two children."""
    stages = [group.name for group in layer_groups(build_on_meta("shufflenet_v2_x0_5"))]
    assert stages == ["conv1", "stage2", "stage3", "stage4", "conv5", "fc"]


@pytest.mark.parametrize("order", [1, -1])
def test_named_groups_get_their_rate_by_depth_whatever_their_order(order):
    model = build_on_meta("resnet18")
    stages = [group.name for group in layer_groups(model)]
    named = [stages[:2], list(reversed(stages[2:-1])), stages[-1]][::order]
    groups = param_groups(model, 1e-3, ratio=0.1, groups=named)
    assert [group["lr"] for group in groups] == pytest.approx([1e-5, 1e-4, 1e-3])
    assert groups[-1]["name"] == stages[-1]
    with pytest.raises(ValueError, match="must each be neighbouring stages"):
        param_groups(model, 1e-3, groups=[[stages[0], stages[-1]], stages[1:-1]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, True])
@pytest.mark.parametrize("name", ["lr", "weight_decay", "min_scale"])
def test_rates_are_finite_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        param_groups(nn.Sequential(nn.Linear(4, 2)), **{"lr": 1e-3, name: value})


def test_a_model_without_a_head_has_a_rate_for_each_block_too():
    model = models.resnet18()
    model.fc = nn.Identity()
    last = param_groups(model, 1.0, decay=0.5)[-2:]
    assert [(g["name"], g["lr"]) for g in last] == [
        ("layer4.0", 0.5),
        ("layer4.1", 1.0),
    ]
    (only,) = param_groups(nn.Conv1d(3, 4, 1), 1.0)
    assert len(only["params"]) == 2
    with pytest.raises(ValueError, match="ReLU has no parameters to make groups of"):
        param_groups(nn.ReLU(), 1.0)


def test_a_string_among_the_groups_is_one_stage():
    names = ["conv1", ["layer1", "layer2"], ["layer3", "layer4"], "fc"]
    found = param_groups(models.resnet18(), 1.0, ratio=0.5, groups=names)
    assert [g["lr"] for g in found] == [0.125, 0.25, 0.5, 1.0]


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: m])
def test_a_wrapper_hides_nothing_from_weight_decay(wrap):
    model = wrap(timm.create_model("test_vit"))
    spared = [
        g for g in param_groups(model, 1.0, weight_decay=0.1) if not g["weight_decay"]
    ]
    inside = {id(p) for g in spared for p in g["params"]}
    assert id(unwrapped(model).pos_embed) in inside
