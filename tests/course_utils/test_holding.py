"""BatchNorm held in eval mode while the whole net learns."""

import copy

import pytest
import torch
from torch import nn

from course_utils.datasets import load_dataset
from course_utils.layer_groups import (
    UnfreezeSchedule,
    freeze,
    hold_batchnorm,
    unfreeze,
)
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone


@pytest.fixture
def model():
    torch.manual_seed(0)
    return load_backbone("test_resnet", weights="bundled", num_classes=5)


def statistics(model):
    return {k: v.clone() for k, v in model.state_dict().items() if "running" in k}


def drifted(model):
    """The layers whose statistics a pass in train mode moves."""
    before = statistics(model)
    model.train()(torch.randn(4, 3, 64, 64))
    after = statistics(model)
    return {
        k.rpartition(".")[0] for k in before if not torch.equal(before[k], after[k])
    }


def trained(model, **options):
    data = load_dataset("flowers", like=model, per_class=4)
    loader = make_loader(data.train, batch_size=10, shuffle=True, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    fit(model, loader, None, optimizer=optimizer, epochs=2, progress=False, **options)
    return model


def test_statistics_hold_still_while_scale_and_shift_learn(model):
    held, weight = statistics(model), model.layer1[0].bn1.weight.detach().clone()
    trained(hold_batchnorm(model))
    for name, value in statistics(model).items():
        assert torch.equal(value, held[name]), name
    assert not torch.equal(model.layer1[0].bn1.weight, weight)
    assert model.layer1[0].conv1.weight.requires_grad


def test_without_it_they_move(model):
    before = statistics(model)
    after = statistics(trained(model))
    assert all(not torch.equal(after[k], before[k]) for k in before)


def test_schedules_freezing_and_waking_keep_to_it(model):
    hold_batchnorm(model)
    schedule = UnfreezeSchedule.gradual(model, last="layer4")
    before = statistics(model)
    trained(model, callbacks=[schedule])
    after = statistics(unfreeze(freeze(model)))
    assert all(torch.equal(after[k], before[k]) for k in before)
    assert drifted(model) == set()


def test_a_copy_holds_too_and_lets_go_on_its_own(model):
    twin = copy.deepcopy(hold_batchnorm(model))
    assert drifted(twin) == set()
    assert drifted(hold_batchnorm(twin, hold=False))
    assert drifted(model) == set()


def test_layers_that_learn_are_let_go_and_frozen_ones_stay(model):
    freeze(hold_batchnorm(model), until="layer3")
    moved = drifted(hold_batchnorm(model, hold=False))
    assert {name.partition(".")[0] for name in moved} == {"layer3", "layer4"}
    assert len(drifted(unfreeze(model))) > len(moved)


def test_holding_twice_adds_one_hook(model):
    hold_batchnorm(hold_batchnorm(model))
    assert len(model.bn1._forward_pre_hooks) == 1


def test_a_net_without_batchnorm_is_left_as_it_is():
    vit = load_backbone("test_vit", weights="bundled")
    hold_batchnorm(vit).train()
    assert all(layer.training for layer in vit.modules())


@pytest.mark.parametrize("new", [
    lambda: load_backbone("test_resnet", weights="random"),
    lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
])  # fmt: skip
def test_a_new_nets_statistics_are_not_held(new):
    with pytest.raises(ValueError, match="those of a new net, mean 0 and variance 1"):
        hold_batchnorm(new())


def test_a_new_layer_beside_pretrained_ones_learns_its_statistics(model):
    model.fc = nn.Sequential(nn.Linear(96, 8), nn.BatchNorm1d(8), nn.Linear(8, 5))
    assert drifted(hold_batchnorm(model)) == {"fc.1"}


def test_the_hold_outlives_a_conversion_to_synchronised_batchnorm(model):
    hold_batchnorm(model)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert drifted(unfreeze(freeze(model))) == set()


def test_a_wrapped_model_is_held_within(model):
    wrapped = nn.DataParallel(model)
    hold_batchnorm(wrapped)
    assert drifted(model) == set()
