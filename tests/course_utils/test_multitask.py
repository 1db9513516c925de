import copy
import math
from functools import partial

import pandas as pd
import pytest
import timm
import torch
from torch import nn

from course_utils import features
from course_utils.checkpoints import load_checkpoint, save_checkpoint
from course_utils.cut import CutModel, cached_activations
from course_utils.datasets import MISSING, load_dataset, with_attributes
from course_utils.features import extract_features, fit_head
from course_utils.heads import feature_dim, find_heads, replace_head
from course_utils.inspection import inspect_model
from course_utils.layer_groups import UnfreezeSchedule, freeze, layer_groups
from course_utils.lr_finder import lr_range_test
from course_utils.meta_tensors import build_on_meta, default_input_size
from course_utils.multitask import (
    FixedWeights,
    MultiTaskModel,
    MultiTaskStep,
    UncertaintyWeights,
    gradient_cosine,
    task_losses,
)
from course_utils.param_groups import group_table, param_groups
from course_utils.probe import linear_probe
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone

TASKS = {"species": 5, "colour": 6}


@pytest.fixture(scope="module")
def flowers():
    return load_dataset("flowers", per_class=8)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MultiTaskModel(load_backbone("test_resnet", weights="bundled"), TASKS)


def _loader(flowers, **options):
    data = with_attributes(flowers.train, list(TASKS), **options)
    return make_loader(data, batch_size=16, shuffle=True)


def _batch(flowers, **options):
    return next(iter(_loader(flowers, **options)))


class _Tiny(nn.Module):
    """Two tasks on one linear layer, small enough to reckon by hand."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(4, 3, dtype=dtype)
        self.heads = nn.ModuleDict(
            {"a": nn.Linear(3, 2, dtype=dtype), "b": nn.Linear(3, 4, dtype=dtype)}
        )

    def forward(self, x):
        hidden = self.body(x).tanh()
        return {task: head(hidden) for task, head in self.heads.items()}


def _tiny_batch(a, b):
    torch.manual_seed(1)
    x = torch.randn(len(a), 4, dtype=torch.float64)
    return x, {"a": torch.tensor(a), "b": torch.tensor(b)}


# -- the model ---------------------------------------------------------------------------

FAMILIES = ["squeezenet1_0", "googlenet", "inception_v3", "vit_b_16", "swin_t",
            "maxvit_t", "convnext_tiny", "densenet121", "timm/test_vit",
            "timm/test_convnext", "timm/mobilenetv3_small_100",
            "timm/deit_tiny_distilled_patch16_224", "timm/volo_d1_224",
            "timm/crossvit_9_240"]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_any_architecture_carries_a_head_for_each_task(name):
    backbone = build_on_meta(name)
    size = default_input_size(backbone)
    model = MultiTaskModel(backbone, TASKS)
    for training in (False, True):
        logits = model.train(training)(torch.empty(2, *size, device="meta"))
        shapes = {task: tuple(values.shape) for task, values in logits.items()}
        assert shapes == {"species": (2, 5), "colour": (2, 6)}
    assert model.tasks == TASKS


def test_a_net_of_ones_own_is_a_backbone_too():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3))
    model = MultiTaskModel(net, {"a": 2}, input_size=(3, 2, 2))
    assert model(torch.zeros(5, 3, 2, 2))["a"].shape == (5, 2)


def test_an_encoder_without_a_head_is_pooled():
    model = MultiTaskModel(timm.create_model("test_resnet", num_classes=0,
                                             global_pool=""), TASKS)  # fmt: skip
    assert model.features(torch.zeros(2, 3, 64, 64)).shape == (2, 96)


def test_a_head_alone_answers_as_the_single_task_net_would():
    torch.manual_seed(0)
    alone = load_backbone("test_resnet", weights="bundled", num_classes=5)
    model = MultiTaskModel(copy.deepcopy(alone), {"species": 5})
    model.heads["species"].load_state_dict(alone.fc.state_dict())
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(alone(images), model(images)["species"])


def test_mode_dtype_and_weights_info_are_the_backbones():
    backbone = load_backbone("test_resnet", weights="bundled").double()
    before = copy.deepcopy(backbone.bn1.state_dict())
    model = MultiTaskModel(backbone, TASKS)
    assert not any(module.training for module in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert model.weights_info is backbone.weights_info
    assert default_input_size(model) == (3, 64, 64)
    after = model.backbone.bn1.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_side_classifiers_are_taken_off():
    model = MultiTaskModel(build_on_meta("googlenet"), TASKS)
    assert not [name for name, _ in model.named_parameters() if "aux" in name]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({}, "tasks must be such as"),
        (["species"], "tasks must be such as"),
        ({"a.b": 2}, "a word without dots, got 'a.b'"),
        ({"type": 2}, "a module has 'type' of its own"),
        ({"training": 2}, "a module has 'training' of its own"),
        ({"colour": 1}, "'colour' needs at least 2 classes, got 1"),
    ],
)
def test_tasks_that_cannot_be_are_named(tasks, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskModel(build_on_meta("timm/test_resnet"), tasks)


# -- the rest of the course takes it as it is --------------------------------------------


def test_all_heads_are_one_stage_the_last(model):
    groups = layer_groups(model)
    assert [group.name for group in groups] == [
        "backbone.conv1",
        "backbone.layer1",
        "backbone.layer2",
        "backbone.layer3",
        "backbone.layer4",
        "heads",
    ]
    assert set(find_heads(model)) == {"heads"} and feature_dim(model) == 96
    counted = [id(p) for group in groups for p in group.parameters]
    assert sorted(counted) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "timm/test_vit", "googlenet"])
def test_each_parameter_is_in_one_stage_of_any_architecture(name):
    bare = [g.name for g in layer_groups(build_on_meta(name))][:-1]
    model = MultiTaskModel(build_on_meta(name), TASKS)
    groups = layer_groups(model)
    names = [group.name for group in groups]
    expected = [f"backbone.{n}" for n in bare if not n.startswith("aux")]
    assert names == [*expected, "heads"]
    counted = [id(p) for group in groups for p in group.parameters]
    assert sorted(counted) == sorted(id(p) for p in model.parameters())


def test_freezing_leaves_all_heads_to_learn_and_batchnorm_still(model, flowers):
    freeze(model)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {
        f"heads.{t}.{kind}" for t in TASKS for kind in ("weight", "bias")
    }
    before = copy.deepcopy(model.backbone.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    fit(model, _loader(flowers), None, optimizer=optimizer, epochs=1,
        step=MultiTaskStep(), progress=False)  # fmt: skip
    after = model.backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_unfreezing_schedules_speak_of_its_stages(model):
    UnfreezeSchedule.gradual(model).apply(model, 2)
    learning = {name.split(".")[1] for name, p in model.named_parameters()
                if p.requires_grad}  # fmt: skip
    assert learning == {"layer4", *TASKS}


def test_parameter_groups_hold_every_parameter_once(model):
    table = group_table(param_groups(model, 1e-2, ratio=0.5, groups=3))
    assert table.index[-1] == "heads" and table["lr"].iloc[-1] == 1e-2
    assert table["parameters"].sum() == sum(p.numel() for p in model.parameters())
    assert param_groups(model, 1e-2, decay=0.8)[0]["lr"] < 1e-2


def test_what_a_timm_backbone_spares_from_weight_decay_stays_spared():
    model = MultiTaskModel(timm.create_model("test_vit"), TASKS)
    groups = param_groups(model, 1e-3, weight_decay=0.1)
    decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    assert id(model.backbone.pos_embed) not in decayed
    assert id(model.heads["colour"].weight) in decayed


def test_the_range_test_leaves_nothing_behind(model, flowers):
    weights = UncertaintyWeights(TASKS)
    parameters = [*model.parameters(), *weights.parameters()]
    before = copy.deepcopy(model.state_dict())
    curve = lr_range_test(model, _loader(flowers), torch.optim.SGD(parameters, lr=0.1),
                          step=MultiTaskStep(weights=weights), num_iter=6,
                          start_lr=1e-4, end_lr=1e-2)  # fmt: skip
    assert len(curve.losses) == 6
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert weights.weights == {"species": 1.0, "colour": 1.0}


def test_features_are_what_enters_the_heads(model, flowers):
    data = flowers.val.subset(range(4))
    found = extract_features(model, data)
    images = torch.stack([data[i][0] for i in range(4)])
    with torch.no_grad():
        assert torch.allclose(found.features, model.features(images), atol=1e-6)
    model.heads["colour"].weight.data.zero_()  # no part of the features, nor of the key
    assert torch.equal(extract_features(model, data).features, found.features)


def test_features_keep_the_labels_of_every_task(model, flowers, monkeypatch):
    data = with_attributes(flowers.val.subset(range(6)), ["species", "colour"],
                           hide={"colour": 0.5})  # fmt: skip
    first = extract_features(model, data, batch_size=4)
    monkeypatch.setattr(features, "_run", None)  # the second time: from the file
    for found in (first, extract_features(model, data)):
        assert list(found.labels) == ["species", "colour"]
        assert all(torch.equal(found.labels[t], data.labels[t]) for t in data.tasks)
        assert torch.equal(found.features, first.features)


def test_other_labels_are_other_features(model, flowers):
    few = flowers.val.subset(range(4))
    by_task = extract_features(model, with_attributes(few, ["colour"]))
    plain = extract_features(model, few)
    assert torch.equal(by_task.features, plain.features)
    assert isinstance(by_task.labels, dict) and isinstance(plain.labels, torch.Tensor)


def test_a_probe_is_of_one_task_and_of_known_labels(model, flowers):
    data = with_attributes(flowers.val, ["species", "colour"], hide={"colour": 0.5})
    rows, labels = extract_features(model, data)
    for learn in (linear_probe, partial(fit_head, num_classes=5)):
        with pytest.raises(ValueError, match=r"by task \(species, colour\).*'species'"):
            learn(rows, labels)
    with pytest.raises(ValueError, match="-1, which says that a label is missing"):
        linear_probe(rows, labels["colour"])
    known = labels["colour"] >= 0
    assert 0 < known.sum() < len(rows)
    assert linear_probe(rows[known], labels["colour"][known]).classes_.min() == 0


def test_a_run_is_taken_up_again_from_a_checkpoint(model, flowers, tmp_path):
    def parts_of(net):
        weights = UncertaintyWeights(net.tasks)
        learns = [*weights.parameters(), *net.parameters()]
        optimizer = torch.optim.SGD(learns, lr=0.01, momentum=0.9)
        return {"model": net, "optimizer": optimizer, "loader": _loader(flowers),
                "modules": {"weights": weights}}  # fmt: skip

    def trained(parts, epochs, history=None):
        step = MultiTaskStep(weights=parts["modules"]["weights"])
        return fit(parts["model"], parts["loader"], None, step=step, history=history,
                   optimizer=parts["optimizer"], epochs=epochs, progress=False)  # fmt: skip

    whole, other = copy.deepcopy(model), copy.deepcopy(model)
    never_stopped, first, resumed = map(parts_of, (whole, model, other))
    expected = trained(never_stopped, 2)
    save_checkpoint(tmp_path / "a.pt", epoch=1, history=trained(first, 1), **first)
    found = load_checkpoint(tmp_path / "a.pt", **resumed)["history"]
    found = trained(resumed, 2, history=found)
    times = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(
        found.drop(columns=times), expected.drop(columns=times)
    )
    state = whole.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in other.state_dict().items())
    weights = [
        parts["modules"]["weights"].weights for parts in (never_stopped, resumed)
    ]
    assert weights[0] == weights[1] != {"species": 1.0, "colour": 1.0}


def test_what_is_frozen_runs_once_where_it_is_cut(model, flowers):
    data = flowers.val.subset(range(6))
    tasks = with_attributes(data, ["species", "colour"], hide={"colour": 0.5})
    cut = CutModel(freeze(model, until="heads"))
    cached = cached_activations(cut, tasks, batch_size=4)
    images, labels = next(iter(make_loader(tasks, batch_size=6)))
    activations, kept = next(iter(make_loader(cached, batch_size=6)))
    with torch.no_grad():
        answers = cut(activations)
        assert all(torch.allclose(answers[t], a, atol=1e-5)
                   for t, a in model(images).items())  # fmt: skip
    assert all(torch.equal(kept[task], labels[task]) for task in tasks.tasks)
    optimizer = torch.optim.SGD(model.heads.parameters(), lr=0.1)
    history = fit(cut, make_loader(cached), None, optimizer=optimizer, epochs=2,
                  step=MultiTaskStep(), progress=False)  # fmt: skip
    assert history["train_loss"].is_monotonic_decreasing


def test_it_can_be_inspected(model):
    report = inspect_model(model)
    heads = report.layers[report.layers["stage"] == "heads"]
    assert {"heads.species", "heads.colour"} <= set(heads["path"])
    assert report.num_params == sum(p.numel() for p in model.parameters())


def test_new_heads_replace_those_of_all_tasks(model):
    replace_head(model, 3, hidden=8)
    assert model.tasks == {"species": 3, "colour": 3}
    assert replace_head(model, 0)(torch.zeros(1, 3, 64, 64)).shape == (1, 96)


# -- losses, and labels that are missing -------------------------------------------------


def test_losses_are_means_over_the_labelled_pictures():
    x, labels = _tiny_batch([0, 1, MISSING], [3, MISSING, MISSING])
    logits = _Tiny()(x)
    found = task_losses(logits, labels)
    by_hand = nn.functional.cross_entropy(logits["a"][:2], labels["a"][:2])
    assert torch.equal(found["a"], by_hand)
    assert torch.equal(found["b"], -logits["b"][0].log_softmax(0)[3])


def test_a_task_without_labels_adds_nothing_and_gets_no_gradient():
    net = _Tiny()
    batch = _tiny_batch([0, 1], [MISSING, MISSING])
    loss, logits, parts = MultiTaskStep()(net, batch)
    loss.backward()
    assert torch.equal(loss, nn.functional.cross_entropy(logits["a"], batch[1]["a"]))
    assert all(p.grad is None for p in net.heads["b"].parameters())
    alone = _Tiny()
    nn.functional.cross_entropy(alone(batch[0])["a"], batch[1]["a"]).backward()
    assert torch.equal(net.body.weight.grad, alone.body.weight.grad)
    assert parts["loss_b"][1] == 0


def test_a_batch_without_any_label_moves_nothing():
    net = _Tiny()
    loss, *_ = MultiTaskStep(weights=UncertaintyWeights("ab"))(
        net, _tiny_batch([MISSING] * 2, [MISSING] * 2)
    )
    loss.backward()
    assert loss.item() == 0
    assert all(not p.grad.any() for p in net.parameters())


def test_hidden_labels_do_not_count_in_the_history(model, flowers):
    loader = _loader(flowers, hide={"colour": 1.0})
    found = evaluate(model, loader, step=MultiTaskStep())
    assert math.isnan(found["accuracy_colour"]) and math.isnan(found["loss_colour"])
    assert found["accuracy"] == found["accuracy_species"]
    assert found["loss"] == pytest.approx(found["loss_species"], rel=1e-5)


def test_the_history_has_each_tasks_accuracy_and_loss(model, flowers):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    history = fit(model, _loader(flowers), _loader(flowers), optimizer=optimizer,
                  epochs=4, step=MultiTaskStep(), progress=False)  # fmt: skip
    for split in ("train", "val"):
        both = history[[f"{split}_accuracy_{task}" for task in TASKS]]
        assert history[f"{split}_accuracy"].tolist() == both.mean(axis=1).tolist()
        losses = history[[f"{split}_loss_{task}" for task in TASKS]].sum(axis=1)
        assert history[f"{split}_loss"].tolist() == pytest.approx(losses.tolist())
    assert (history.iloc[-1][both.columns] > history.iloc[0][both.columns]).all()


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(2, 3), {}, "gives a Tensor, not a dictionary"),
        ({"a": torch.zeros(2, 3)}, torch.zeros(2), "labels are a Tensor"),
        ({"a": torch.zeros(2, 3)}, {"b": torch.zeros(2)}, "no labels for task 'a'"),
        ({"a": torch.zeros(2, 3)}, {"a": torch.tensor([0, 3])}, "task 'a': labels run"),
        (
            {"a": torch.zeros(2, 3)},
            {"a": torch.tensor([0, -2])},
            "task 'a': labels run",
        ),
    ],
)
def test_what_does_not_fit_is_named(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        task_losses(logits, labels)


# -- weights -----------------------------------------------------------------------------


def test_fixed_weights_multiply_the_losses():
    x, labels = _tiny_batch([0, 1, 1], [3, 2, 0])
    losses = task_losses(_Tiny()(x), labels)
    total, *_ = MultiTaskStep(weights={"a": 0.25, "b": 3})(_Tiny(), (x, labels))
    assert total.item() == pytest.approx((losses["a"] / 4 + 3 * losses["b"]).item())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": -1}, "weight of 'a' must be at least 0: -1"),
        ({"a": math.nan}, "weight of 'a' must be at least 0: nan"),
        ({"a": 0, "b": 0}, "every weight is 0"),
    ],
)
def test_weights_that_cannot_be_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskStep(weights=weights)


@pytest.mark.parametrize("kind", [FixedWeights({"a": 1.0}), UncertaintyWeights(["a"])])
def test_a_task_without_a_weight_is_named(kind):
    with pytest.raises(ValueError, match="task 'b' has no weight; there are .* for a"):
        kind({"a": torch.ones(()), "b": torch.ones(())})
    with pytest.raises(ValueError, match="no task"):
        UncertaintyWeights([])


def test_uncertainty_weights_are_kendalls_formula_for_classification():
    weights = UncertaintyWeights("ab").double()
    with torch.no_grad():
        weights.log_variances[0].fill_(0.4)
        weights.log_variances[1].fill_(-1.2)
    losses = {"a": torch.tensor(2.0).double(), "b": torch.tensor(0.3).double()}
    sigma = {"a": math.exp(0.2), "b": math.exp(-0.6)}  # s = log σ²
    by_hand = sum(losses[t].item() / s**2 + math.log(s) for t, s in sigma.items())
    assert weights(losses).item() == pytest.approx(by_hand, rel=1e-12)
    assert weights.weights["a"] == pytest.approx(1 / sigma["a"] ** 2)
    values = [p.detach().clone().requires_grad_() for p in weights.log_variances]

    def total(a, b, *found):
        state = {f"log_variances.{i}": value for i, value in enumerate(found)}
        losses = ({"a": a, "b": b},)
        return torch.func.functional_call(weights, state, losses)

    inputs = [x.clone().requires_grad_() for x in losses.values()]
    assert torch.autograd.gradcheck(total, (*inputs, *values))


def test_the_learnt_weight_of_a_fixed_loss_is_one_over_twice_the_loss():
    weights = UncertaintyWeights("ab")
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(0.125)}
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        weights(losses).backward()
        optimizer.step()
    assert weights.weights == pytest.approx({"a": 0.25, "b": 4.0}, rel=1e-4)


def test_a_task_that_is_not_in_the_batch_leaves_its_uncertainty_alone():
    weights = UncertaintyWeights("ab")
    step, batch = MultiTaskStep(weights=weights), _tiny_batch([0, 1], [MISSING] * 2)
    step(_Tiny(), batch)[0].backward()
    assert weights.log_variances[0].grad is not None
    assert weights.log_variances[1].grad is None


def test_uncertainty_is_learnt_by_the_models_optimiser(model, flowers):
    weights = UncertaintyWeights(model.tasks)
    groups = [{"params": list(weights.parameters())}, *param_groups(model, 1e-3)]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    history = fit(model, _loader(flowers), None, optimizer=optimizer, epochs=1,
                  step=MultiTaskStep(weights=weights), progress=False)  # fmt: skip
    assert history["lr"].tolist() == [1e-3]
    assert all(weight != 1 for weight in weights.weights.values())


# -- gradients of two tasks --------------------------------------------------------------


def _stages_of_tiny():
    """The tiny net as a MultiTaskModel: a backbone of one stage."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.Tanh(),
                         nn.Dropout(0.5), nn.Linear(6, 2))  # fmt: skip
    return MultiTaskModel(body, {"a": 2, "b": 2}, input_size=(3, 2, 2))


def test_the_cosine_is_that_of_the_gradients():
    model = _stages_of_tiny().train()
    images = torch.randn(8, 3, 2, 2)
    labels = {"a": torch.arange(8) % 2, "b": torch.arange(8) // 4}
    torch.manual_seed(5)
    found = gradient_cosine(model, (images, labels))
    torch.manual_seed(5)  # the same dropout
    losses = task_losses(model(images), labels)
    vectors = []
    for loss in losses.values():
        parts = torch.autograd.grad(loss, list(model.backbone.parameters()),
                                    retain_graph=True)  # fmt: skip
        vectors.append(torch.cat([part.flatten() for part in parts]))
    expected = torch.nn.functional.cosine_similarity(*vectors, dim=0).item()
    assert found.columns.tolist() == ["a × b"]
    assert found.iloc[0, 0] == pytest.approx(expected, abs=1e-5)


def test_equal_tasks_agree_and_opposed_ones_do_not():
    model = _stages_of_tiny()
    model.heads["b"].load_state_dict(model.heads["a"].state_dict())
    images, truth = torch.randn(6, 3, 2, 2), torch.arange(6) % 2
    same = gradient_cosine(model, (images, {"a": truth, "b": truth}))
    assert same.to_numpy() == pytest.approx(1.0)

    def opposed(logits, labels):
        return {"a": logits["a"].sum(), "b": -logits["b"].sum()}

    against = gradient_cosine(model, (images, {"a": truth}), losses=opposed)
    assert against.to_numpy() == pytest.approx(-1.0)


@pytest.mark.parametrize(("tasks", "mean"), [(2, -1.0), (3, -0.5)])
def test_where_the_summed_loss_is_at_rest_gradients_cancel_whatever_the_tasks(
    tasks, mean
):
    model, names = _stages_of_tiny(), "abc"[:tasks]
    angles = math.tau * torch.arange(tasks) / tasks
    wanted = torch.stack([angles.cos(), angles.sin()], 1)  # each task's own best
    weight = next(model.backbone.parameters())
    with torch.no_grad():
        weight[0, :2] = wanted.mean(0)  # where the sum of the losses is least

    def pulling(logits, labels):
        own = (weight[0, :2] - wanted).square().sum(1)
        return dict(zip(names, own, strict=True))

    total = sum(pulling(None, None).values())
    assert torch.autograd.grad(total, weight)[0].abs().max() < 1e-6
    batch = torch.randn(4, 3, 2, 2), {"a": torch.zeros(4, dtype=torch.long)}
    found = gradient_cosine(model, batch, losses=pulling)
    assert found.mean(axis=1).to_numpy() == pytest.approx(mean)


def test_measuring_gradients_changes_nothing(model, flowers):
    model.backbone.bn1.train()
    model.heads["colour"].bias.grad = torch.ones(6)
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    draw = torch.get_rng_state()
    table = gradient_cosine(model, _batch(flowers))
    assert table.index.tolist() == [g.name for g in layer_groups(model)][:-1]
    assert table["species × colour"].between(-1, 1).all()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), draw)
    grads = {name for name, p in model.named_parameters() if p.grad is not None}
    assert grads == {"heads.colour.bias"}


def test_frozen_stages_have_no_cosine(model, flowers):
    freeze(model, until="backbone.layer4")
    table = gradient_cosine(model, _batch(flowers))
    assert table.iloc[:-1].isna().all().all() and table.iloc[-1].notna().all()
    with pytest.raises(ValueError, match="every stage before the heads is frozen"):
        gradient_cosine(freeze(model), _batch(flowers))


def test_a_cosine_needs_two_tasks_with_labels(model, flowers):
    modes = [module.training for module in model.modules()]
    with pytest.raises(ValueError, match="two tasks need labels .* there are: species"):
        gradient_cosine(model, _batch(flowers, hide={"colour": 1.0}))
    assert [module.training for module in model.modules()] == modes


def test_losses_of_your_own_take_the_place_of_cross_entropy(model, flowers):
    def squared(logits, labels):
        return {task: values.square().mean() for task, values in logits.items()}

    images, labels = _batch(flowers)
    step = MultiTaskStep(losses=squared, weights={"species": 1.0, "colour": 2.0})
    loss, logits, parts = step(model, (images, labels))
    found = squared(logits, labels)
    assert torch.allclose(loss, found["species"] + 2 * found["colour"])
    assert parts["loss_colour"][0] == found["colour"]
