import copy

import pytest
import timm
import torch
from torch import nn
from torch.utils.data import DataLoader, StackDataset, TensorDataset

from course_utils.architectures import build
from course_utils.cut import CutModel, cached_activations
from course_utils.datasets import load_dataset, training_transform
from course_utils.errors import CannotCut
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze, layer_groups
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone

BUNDLED = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")


def _frozen(name, keep=2):
    """A bundled net whose last `keep` stages learn."""
    model = load_backbone(name, weights="random", num_classes=3)
    return freeze(model, until=[g.name for g in layer_groups(model)][-keep])


def _pictures(n=12):
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(n, 3, 64, 64, generator=generator),
                         torch.arange(n) % 3)  # fmt: skip


@pytest.mark.parametrize("keep", [1, 2, 3])
@pytest.mark.parametrize("name", BUNDLED)
def test_the_rest_answers_as_the_whole(name, keep):
    model = _frozen(name, keep)
    cut = CutModel(model)
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        whole, behind = model(images), cut(cut.activations(images))
    assert torch.allclose(whole, behind, atol=1e-5)
    assert cut.stage == [g.name for g in layer_groups(model)][-keep]


@pytest.mark.parametrize("name", ["densenet121", "swin_t", "vit_b_32", "googlenet"])
def test_other_families_can_be_cut(name):
    model = freeze(build(name).eval())
    assert CutModel(model, input_size=(3, 224, 224)).stage


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_training_behind_the_cut_is_training_the_whole(name):
    ordinary = _frozen(name)
    other = copy.deepcopy(ordinary)
    data = _pictures()

    def train(model, dataset, learner):
        optimizer = torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad], lr=0.05
        )
        loader = make_loader(dataset, batch_size=4, shuffle=True)
        fit(learner, loader, None, optimizer=optimizer, epochs=2, progress=False)

    train(ordinary, data, ordinary)
    cut = CutModel(other)
    train(other, cached_activations(cut, data), cut)
    found, expected = other.state_dict(), ordinary.state_dict()
    for key, value in expected.items():
        assert torch.allclose(found[key].float(), value.float(), atol=2e-4), key


def test_what_is_frozen_does_not_run_and_does_not_move():
    model = _frozen("test_resnet")
    cut = CutModel(model)
    data = cached_activations(cut, _pictures(4))
    before = {k: v.clone() for k, v in model.layer3.state_dict().items()}
    calls = []
    model.layer3[0].register_forward_hook(lambda *_: calls.append(1))
    cut.train()
    cut(data.tensors[0]).sum().backward()
    assert calls == []
    after = model.layer3.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    assert model.layer4[0].conv1.weight.grad is not None


def test_the_model_is_whole_again_after_each_pass_also_after_an_error():
    model = _frozen("test_resnet")
    cut = CutModel(model)
    images = torch.randn(2, 3, 64, 64)
    whole = model.eval()(images)
    with pytest.raises(RuntimeError):
        cut(torch.randn(2, 7, 3, 3))
    assert torch.equal(model(images), whole)
    assert not any("forward" in vars(module) for module in model.modules())


def test_activations_are_labelled_and_need_no_gradient():
    cut = CutModel(_frozen("test_resnet"))
    data = cached_activations(cut, _pictures(5), batch_size=2)
    maps, labels = data.tensors
    assert len(maps) == 5 and labels.tolist() == [0, 1, 2, 0, 1]
    assert not maps.requires_grad and not maps.is_inference()


def test_a_batch_of_activations_is_what_its_rows_are():
    data = cached_activations(CutModel(_frozen("test_resnet")), _pictures(7))
    whole = next(iter(make_loader(data, batch_size=5)))
    for found, expected in zip(whole, next(iter(DataLoader(data, 5))), strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(data[3][0], whole[0][3]) and data[3][1] == whole[1][3]
    assert whole[0].is_contiguous(memory_format=torch.channels_last)


def test_a_batch_of_activations_has_its_labels_by_task():
    images, labels = _pictures(7).tensors
    tasks = StackDataset(images, StackDataset(kind=labels, odd=labels % 2))
    data = cached_activations(CutModel(_frozen("test_resnet")), tasks)
    (maps, truth), (rows, expected) = (
        next(iter(loader)) for loader in (make_loader(data), DataLoader(data, 64))
    )
    assert torch.equal(maps, rows) and truth.keys() == expected.keys() == {
        "kind",
        "odd",
    }
    assert all(torch.equal(truth[task], expected[task]) for task in truth)


def test_maps_whose_channels_come_last_stay_as_they_are():
    model = build("swin_t").eval()
    freeze(model, until=[group.name for group in layer_groups(model)][-2])
    cut = CutModel(model, input_size=(3, 64, 64))
    maps, _ = cached_activations(cut, _pictures(2)).tensors
    assert maps.ndim == 4 and maps.shape[1] == maps.shape[2] and maps.is_contiguous()


def test_views_are_versions_of_each_picture():
    model = _frozen("test_resnet")
    cut = CutModel(model)
    flowers = load_dataset("flowers", per_class=2).train
    info = load_backbone("test_resnet", weights="bundled").weights_info
    augmented = flowers.with_transform(training_transform(info, 64))
    with pytest.raises(ValueError, match="several views"):
        cached_activations(cut, augmented)
    maps, labels = cached_activations(cut, augmented, views=3).tensors
    n = len(flowers)
    assert len(maps) == 3 * n and torch.equal(labels[:n], labels[n : 2 * n])
    assert not torch.allclose(maps[:n], maps[n : 2 * n])
    with pytest.raises(ValueError, match="at least 1"):
        cached_activations(cut, flowers, views=0)


def test_a_net_that_reads_around_the_cut_is_refused():
    model = timm.create_model("coat_lite_tiny", num_classes=3)
    names = [group.name for group in layer_groups(model)]
    freeze(model, until=names[-2])
    with pytest.raises(CannotCut, match="CoaT answers differently"):
        CutModel(model)


def test_where_nothing_or_everything_is_frozen_there_is_no_cut():
    model = timm.create_model("test_resnet")
    with pytest.raises(CannotCut, match="nothing is frozen at the start: conv1 learns"):
        CutModel(model)
    model.requires_grad_(False)
    with pytest.raises(CannotCut, match="every stage is frozen"):
        CutModel(model)


def test_a_new_head_alone_is_behind_the_cut_too():
    model = replace_head(timm.create_model("test_resnet"), 3, hidden=8, dropout=0.2)
    cut = CutModel(freeze(model), input_size=(3, 64, 64))
    assert cut.activations(torch.randn(2, 3, 64, 64)).shape[0] == 2
    assert isinstance(cut.model.fc, nn.Sequential)
