import copy
from dataclasses import replace

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)
from torchvision.transforms import v2

from course_utils.datasets import (
    load_dataset,
    preprocessing,
    training_transform,
    with_attributes,
)
from course_utils.distillation import (
    CachedDistillationStep,
    DistillationStep,
    FeatureDistillation,
    Teacher,
    cached_logits,
    distillation_loss,
    distillation_parts,
    entropy_bits,
    odds_against,
    soft_gradient,
    soft_targets,
)
from course_utils.heads import replace_head
from course_utils.meta_tensors import build_on_meta
from course_utils.multitask import MultiTaskModel
from course_utils.training import classification_step, evaluate, fit, make_loader
from course_utils.weights import load_backbone

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)


def _logits(batch=6, classes=5, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, batch, classes)
    student, teacher = scale * torch.randn(*shape, generator=generator).double()
    return student.requires_grad_(), teacher, torch.arange(batch) % classes


def _by_hand(student, teacher, labels, T, alpha):
    """The loss of the paper, written out with sums over pictures and classes."""
    total = 0.0
    for s, t, label in zip(student.tolist(), teacher.tolist(), labels.tolist(),
                           strict=True):  # fmt: skip
        q = torch.tensor(t).double().div(T).exp()
        p = torch.tensor(s).double().div(T).exp()
        q, p = q / q.sum(), p / p.sum()
        soft = (q * (q / p).log()).sum().item()
        hard = -torch.tensor(s).double().softmax(0)[label].log().item()
        total += alpha * T**2 * soft + (1 - alpha) * hard
    return total / len(student)


def _net(classes=3, width=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(width, classes),
    )


def _data(n=20, classes=3):
    generator = torch.Generator().manual_seed(n)
    images = torch.randn(n, 3, 6, 6, generator=generator)
    return TensorDataset(images, torch.arange(n) % classes)


def _loader(data, seed=0):
    return make_loader(data, batch_size=8, shuffle=True, seed=seed)


def _sgd(*modules):
    return torch.optim.SGD([p for m in modules for p in m.parameters()], lr=0.05)


@pytest.fixture(scope="module")
def flowers():
    return load_dataset("flowers", per_class=4)


# -- the loss ----------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("T", TEMPERATURES)
def test_the_loss_is_the_papers(T, alpha):
    student, teacher, labels = _logits()
    found = distillation_loss(student, teacher, labels, T=T, alpha=alpha)
    assert found.item() == pytest.approx(_by_hand(student, teacher, labels, T, alpha))


def test_four_and_seven_tenths_are_the_defaults():
    given = _logits()
    explicit = distillation_loss(*given, T=4.0, alpha=0.7)
    assert torch.equal(distillation_loss(*given), explicit)


def test_parts_are_returned_apart_and_the_soft_one_has_its_t_squared():
    student, teacher, labels = _logits()
    parts = distillation_parts(student, teacher, labels, T=3.0, alpha=0.25)
    assert torch.equal(parts.hard, functional.cross_entropy(student, labels))
    assert parts.soft.item() == pytest.approx(_by_hand(student, teacher, labels, 3, 1))
    assert torch.equal(parts.total, 0.25 * parts.soft + 0.75 * parts.hard)
    assert torch.equal(parts.total, distillation_loss(*_logits(), T=3.0, alpha=0.25))


def test_the_mean_is_over_the_batch_and_not_over_the_classes():
    student, teacher, labels = _logits(batch=4)
    twice = [torch.cat([x, x]) for x in (student, teacher, labels)]
    once = distillation_loss(student, teacher, labels)
    assert distillation_loss(*twice).item() == pytest.approx(once.item())
    single = [
        distillation_loss(student[i : i + 1], teacher[i : i + 1], labels[i : i + 1])
        for i in range(4)
    ]
    assert torch.stack(single).mean().item() == pytest.approx(once.item())


@pytest.mark.parametrize("T", TEMPERATURES)
def test_gradients_are_right_by_differences(T):
    student, teacher, labels = _logits()

    def loss(logits):
        return distillation_loss(logits, teacher, labels, T=T, alpha=0.6)

    assert torch.autograd.gradcheck(loss, (student,))


@pytest.mark.parametrize("T", TEMPERATURES)
def test_the_soft_gradient_has_its_closed_form(T):
    student, teacher, labels = _logits()
    loss = distillation_loss(student, teacher, labels, T=T, alpha=0.6)
    (found,) = torch.autograd.grad(loss, student)
    soft = 0.6 * T * ((student / T).softmax(1) - (teacher / T).softmax(1)) / 6
    hard = 0.4 * (student.softmax(1) - functional.one_hot(labels, 5)) / 6
    assert torch.allclose(found, soft + hard, atol=1e-12)


def _soft_gradient(T, squared):
    """Norm of the soft part's gradient for small logits, with or without T²."""
    student, teacher, labels = _logits(batch=64, scale=0.1)
    loss = distillation_loss(student, teacher, labels, T=T, alpha=1.0)
    (gradient,) = torch.autograd.grad(loss if squared else loss / T**2, student)
    return gradient.norm().item()


def test_without_t_squared_the_soft_gradient_shrinks_like_one_over_t_squared():
    without = [_soft_gradient(T, squared=False) for T in TEMPERATURES]
    assert [x / without[0] for x in without] == pytest.approx(
        [1, 1 / 4, 1 / 16, 1 / 64], rel=0.05
    )
    kept = [_soft_gradient(T, squared=True) for T in TEMPERATURES]
    assert kept == pytest.approx([kept[0]] * 4, rel=0.05)


def test_no_gradient_reaches_the_teacher():
    student, teacher, labels = _logits()
    teacher.requires_grad_()
    distillation_loss(student, teacher, labels).backward()
    assert teacher.grad is None and student.grad.abs().sum() > 0


def test_a_student_that_answers_as_the_teacher_has_no_soft_loss():
    student, _, labels = _logits()
    parts = distillation_parts(student, student.detach(), labels)
    assert parts.soft.item() == pytest.approx(0, abs=1e-12)


def test_logits_far_apart_stay_finite():
    student = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 0.0]])
    loss = distillation_loss(student, teacher, torch.tensor([1]), T=1.0)
    loss.backward()
    assert loss.isfinite() and student.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T": 0}, "T must be a number above 0, got 0"),
        ({"T": -2.0}, "T must be a number above 0"),
        ({"T": float("inf")}, "T must be a number above 0"),
        ({"alpha": 1.2}, "alpha must be a number from 0 to 1, got 1.2"),
        ({"alpha": -0.1}, "alpha must be a number from 0 to 1"),
    ],
)
def test_temperature_and_share_have_ranges(options, message):
    with pytest.raises(ValueError, match=message):
        distillation_loss(*_logits(), **options)
    for step in (CachedDistillationStep, lambda **o: DistillationStep(_net(), **o)):
        with pytest.raises(ValueError, match=message):
            step(**options)


@pytest.mark.parametrize(
    ("student", "teacher", "labels", "message"),
    [
        ((4, 3), (4, 5), (4,), r"student gives logits \(4, 3\), the teacher \(4, 5\)"),
        ((4, 3), (2, 3), (4,), "both must know the same classes"),
        ((4, 3), (4, 3), (3,), r"labels must be \(4,\) .* got \(3,\)"),
        ((4, 3), (4, 3), (4, 3), r"labels must be \(4,\) .* got \(4, 3\)"),
        ((3,), (3,), (3,), r"logits must be \(B, C\), got shape \(3,\)"),
        ((0, 3), (0, 3), (0,), r"logits must be \(B, C\), got shape \(0, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(student, teacher, labels, message):
    with pytest.raises(ValueError, match=message):
        distillation_loss(torch.zeros(student), torch.zeros(teacher),
                          torch.zeros(labels, dtype=torch.long))  # fmt: skip


def test_labels_that_no_class_has_are_named():
    student, teacher, labels = _logits()
    with pytest.raises(ValueError, match="labels run from 1 to 5"):
        distillation_loss(student, teacher, labels + 1)


# -- the teacher -------------------------------------------------------------------------


def test_a_teacher_left_in_train_mode_answers_in_eval_mode_and_does_not_move():
    net, images = _net(), _data().tensors[0]
    with torch.no_grad():
        expected = net.eval()(images)
    before = copy.deepcopy(net.state_dict())
    teacher = Teacher(net.train())
    assert torch.equal(teacher(images), expected)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(module.training for module in net.modules())


def test_its_answers_may_enter_a_loss():
    answers = Teacher(_net())(_data().tensors[0])
    assert not answers.is_inference() and not answers.requires_grad
    weight = torch.ones(3, requires_grad=True)
    (answers * weight).sum().backward()
    assert torch.allclose(weight.grad, answers.sum(0))


def _info(name, **changes):
    info = load_backbone(name, weights="bundled").weights_info
    return replace(info, **changes)


def test_a_teacher_with_other_preprocessing_sees_what_it_expects():
    student = _info("test_resnet", mean=(0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7))
    teacher = _info("test_resnet", mean=(0.5,) * 3, std=(0.25,) * 3, image_size=32)
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    prepare = Teacher(_net(), student_transform=student.transform_for(64),
                      transform=teacher).prepared  # fmt: skip
    found = prepare(student.transform_for(64)(pixels))
    smaller = v2.functional.resize(pixels / 255, [32, 32], antialias=True)
    assert found.shape == (2, 3, 32, 32)
    assert torch.allclose(found, (smaller - 0.5) / 0.25, atol=1e-5)


def test_the_same_preprocessing_leaves_the_pictures_as_they_are():
    info = _info("test_resnet")
    images = torch.randn(2, 3, 64, 64)
    augmented = training_transform(info, 64)
    for given in (info, info.transform, augmented):
        teacher = Teacher(_net(), student_transform=given, transform=info)
        assert teacher.prepared(images) is images
    assert Teacher(_net()).prepared(images) is images


def test_what_the_teacher_expects_is_in_its_weights_info():
    model = load_backbone("test_resnet", weights="bundled")
    teacher = Teacher(model, student_transform=v2.Identity())  # plain floats, 0 to 1
    images = torch.rand(2, 3, 64, 64)
    expected = model.weights_info.normalize(images)
    assert torch.allclose(teacher.prepared(images), expected, atol=1e-6)


def test_preprocessing_is_read_off_transforms():
    info = _info("test_resnet")
    assert preprocessing(info.transform) == preprocessing(info)
    timms = timm.data.create_transform((3, 96, 96), crop_pct=0.9,
                                       mean=(0.1, 0.2, 0.3), std=(1, 2, 3))  # fmt: skip
    found = preprocessing(timms)
    assert found.mean == pytest.approx((0.1, 0.2, 0.3)) and found.size == (96, 96)


@pytest.mark.parametrize("step", [lambda x: x, v2.Lambda(lambda x: x)])
def test_a_transform_that_cannot_be_read_is_refused(step):
    with pytest.raises(ValueError, match="cannot read what .* does to a picture"):
        Teacher(_net(), student_transform=v2.Compose([step]), transform=v2.Identity())


def test_half_of_the_preprocessing_is_refused():
    with pytest.raises(ValueError, match="Sequential has no weights_info"):
        Teacher(_net(), student_transform=v2.Identity())
    with pytest.raises(ValueError, match="give student_transform too"):
        Teacher(_net(), transform=v2.Identity())


# -- steps -------------------------------------------------------------------------------


def _fitted(step, train, val, teacher=None, epochs=2):
    student = _net(seed=1)
    torch.manual_seed(2)  # of the dropout
    history = fit(student, _loader(train), make_loader(val), optimizer=_sgd(student),
                  epochs=epochs, step=step, progress=False)  # fmt: skip
    return student, history


def test_fit_distils_as_a_loop_written_by_hand():
    teacher, expected = _net(width=8).eval(), _net(seed=1).train()
    student, history = _fitted(DistillationStep(teacher, T=2.0, alpha=0.4), _data(),
                               _data(9))  # fmt: skip
    torch.manual_seed(2)
    optimizer, loader = _sgd(expected), _loader(_data())
    for _ in range(2):
        for images, labels in loader:
            with torch.no_grad():
                answers = teacher(images)
            loss = distillation_loss(
                expected(images), answers, labels, T=2.0, alpha=0.4
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    state = student.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in expected.state_dict().items())
    assert {"train_hard", "train_soft", "val_hard", "val_soft"} < set(history.columns)
    mixed = 0.4 * history["train_soft"] + 0.6 * history["train_hard"]
    assert history["train_loss"].tolist() == pytest.approx(mixed.tolist(), rel=1e-5)


def test_the_students_batchnorm_moves_and_the_teachers_does_not():
    teacher = _net().train()
    before = copy.deepcopy(teacher.state_dict())
    student, _ = _fitted(DistillationStep(teacher), _data(), _data(9))
    assert student[1].num_batches_tracked == 6
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    assert all(p.grad is None for p in teacher.parameters())


def test_cached_answers_train_the_same_student():
    teacher = _net(width=8)
    live, one = _fitted(DistillationStep(teacher), _data(), _data(9))
    train, val = cached_logits(teacher, _data()), cached_logits(teacher, _data(9))
    cached, two = _fitted(CachedDistillationStep(), train, val)
    state = live.state_dict()
    for name, value in cached.state_dict().items():
        assert torch.allclose(value.float(), state[name].float(), atol=1e-5), name
    assert one["val_loss"].tolist() == pytest.approx(two["val_loss"].tolist(), rel=1e-4)


def test_a_step_runs_under_autocast():
    inner = DistillationStep(_net(width=8))

    def step(model, batch):
        with torch.autocast("cpu", torch.bfloat16):
            return inner(model, batch)

    student, history = _fitted(step, _data(), _data(9))
    assert student[0].weight.dtype == torch.float32
    half = evaluate(student, _loader(_data(9)), step=step)["loss"]
    exact = evaluate(student, _loader(_data(9)), step=inner)["loss"]
    assert half == pytest.approx(exact, rel=0.01) == history["val_loss"].iloc[-1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_reckoned_with_in_full(dtype):
    student, teacher, labels = _logits()
    halves = [x.detach().to(dtype) for x in (student, teacher)]
    found = distillation_loss(*halves, labels, T=8.0)
    expected = distillation_loss(*(x.float() for x in halves), labels, T=8.0)
    assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_a_batch_without_cached_answers_is_named():
    with pytest.raises(ValueError, match="no answers of a teacher: make train and val"):
        evaluate(_net(), DataLoader(_data()), step=CachedDistillationStep())


def test_the_teacher_is_asked_once_a_picture():
    teacher, calls = _net(), []
    teacher.register_forward_hook(lambda m, i, out: calls.append(len(out)))
    data = cached_logits(teacher, _data(), batch_size=8)
    assert calls == [8, 8, 4] and len(data) == 20
    image, label, answer = data[3]
    assert torch.equal(image, _data()[3][0]) and label == 0
    assert torch.allclose(answer, teacher.eval()(image[None])[0], atol=1e-6)
    assert not data.logits.requires_grad and not data.logits.is_inference()


def test_augmentation_is_cached_only_with_its_views(flowers):
    teacher = load_backbone("test_resnet", weights="bundled", num_classes=5)
    info = teacher.weights_info
    augmented = flowers.train.with_transform(training_transform(info, 64))
    for data in (
        augmented,
        Subset(augmented, range(8)),
        ConcatDataset([flowers.train, augmented]),
        _Wrapper(augmented),
    ):
        with pytest.raises(ValueError, match="random .* DistillationStep, which asks"):
            cached_logits(teacher, data)
    found = cached_logits(teacher, augmented, views=2)
    n = len(flowers.train)
    assert len(found) == 2 * n
    image, label, answer = found[n + 1]
    assert torch.allclose(answer, teacher(image[None])[0], atol=1e-4)
    assert not torch.equal(image, found[1][0]) and label == found[1][1]
    batch = next(iter(DataLoader(found, 4)))
    assert [tuple(part.shape) for part in batch] == [(4, 3, 64, 64), (4,), (4, 5)]


class _Wrapper(Dataset):
    """A dataset around another, whose own transform says nothing."""

    transform = None

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


def test_answers_are_not_cached_twice():
    with pytest.raises(ValueError, match="holds answers already.*its .dataset"):
        cached_logits(_net(), cached_logits(_net(), _data()))


@pytest.mark.parametrize("make", [
    lambda image, label: (image, label, 7),
    lambda image, label: {"pixel_values": image, "labels": label},
])  # fmt: skip
def test_answers_belong_to_items_of_other_kinds(make):
    plain, net = _data(), _net()
    expected = cached_logits(net, plain)
    found = cached_logits(net, [make(*item) for item in plain])
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found[3][0], expected[3][0]) and len(found[3]) == 3
    assert found.__getitems__([1])[0][1] == expected[1][1]


def test_a_stream_has_no_places_to_keep_answers_for():
    class Stream(IterableDataset):
        def __iter__(self):
            yield from _data()

    with pytest.raises(ValueError, match="a stream has none: take several views"):
        cached_logits(_net(), Stream())
    assert len(cached_logits(_net(), Stream(), views=2)) == 2 * len(_data())


def test_chance_in_any_container_is_refused_with_one_view(flowers):
    flipped = torch.nn.Sequential(v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32))
    with pytest.raises(ValueError, match="the transform is random"):
        cached_logits(_net(), flowers.train.with_transform(flipped))


def test_distillation_is_for_one_task(flowers):
    backbone = load_backbone("test_resnet", weights="bundled")
    several = MultiTaskModel(backbone, {"species": 5, "colour": 6})
    tasks = with_attributes(flowers.train, ["species", "colour"])
    with pytest.raises(ValueError, match="the teacher gives a dict, not logits"):
        Teacher(several)(torch.zeros(2, 3, 64, 64))
    with pytest.raises(ValueError, match="the student gives a dict, not logits"):
        distillation_loss({"a": torch.zeros(2, 3)}, torch.zeros(2, 3), torch.zeros(2))
    student = load_backbone("test_resnet", weights="bundled", num_classes=5)
    for views in (1, 2):
        with pytest.raises(ValueError, match=r"labels are by task \(species, colour\)"):
            cached_logits(student, tasks, views=views)


def test_there_must_be_something_to_cache():
    with pytest.raises(ValueError, match="views must be .* of at least 1, got 0"):
        cached_logits(_net(), _data(), views=0)
    with pytest.raises(ValueError, match="dataset is empty"):
        cached_logits(_net(), _data(0))


# -- features ----------------------------------------------------------------------------


def _loss_and_parts(step, student, batch):
    loss, _, parts = step(student, batch)
    return loss, {name: value for name, (value, _) in parts.items()}


def test_features_of_another_width_and_size_go_through_a_projector():
    student = load_backbone("test_resnet", weights="random", num_classes=3)
    teacher = replace_head(timm.create_model("test_efficientnet"), 3).train()
    step = FeatureDistillation(student, teacher, layers=("layer3", "blocks.3"))
    assert isinstance(step.projector, nn.Conv2d)
    batch = (torch.randn(4, 3, 64, 64), torch.arange(4) % 3)
    before = copy.deepcopy(teacher.state_dict())
    loss, parts = _loss_and_parts(step, student.train(), batch)
    hard = classification_step(student, batch)[0]
    assert loss.item() == pytest.approx((hard + parts["features"]).item(), rel=1e-4)
    assert 0 < parts["features"].item() < 4
    parts["features"].backward()
    assert step.projector.weight.grad.abs().sum() > 0
    assert student.conv1[0].weight.grad.abs().sum() > 0
    assert all(
        p.grad is None for p in [*student.layer4.parameters(), student.fc.weight]
    )
    assert all(p.grad is None for p in teacher.parameters())
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())


def test_only_the_projector_is_the_steps_own():
    step = FeatureDistillation(_net(), _net(width=8), layers=("2", "2"))
    assert [name for name, _ in step.named_parameters()] == [
        "projector.weight",
        "projector.bias",
    ]
    same = FeatureDistillation(_net(), _net(), layers=("2", "2"))
    assert not list(same.parameters())


def test_the_distance_is_two_minus_two_cosines():
    step = FeatureDistillation(_net(), _net(), layers=("4", "4"))
    a, b = torch.randn(2, 6, 4).unbind()
    expected = (2 - 2 * functional.cosine_similarity(a, b)).mean()
    assert step.distance(a, b).item() == pytest.approx(expected.item(), abs=1e-6)
    assert step.distance(a, 3 * a).item() == pytest.approx(0, abs=1e-6)
    assert step.distance(a, -a).item() == pytest.approx(4, abs=1e-5)


def test_fit_brings_the_features_nearer_and_leaves_no_hooks():
    student, teacher = _net(), _net(width=8, seed=3)
    step = FeatureDistillation(student, teacher, layers=("2", "2"), weight=5.0)
    history = fit(student, _loader(_data()), _loader(_data(9)), epochs=6, step=step,
                  optimizer=_sgd(student, step), progress=False)  # fmt: skip
    assert history["train_features"].iloc[-1] < 0.8 * history["train_features"].iloc[0]
    assert "val_features" in history
    nets = (*student.modules(), *teacher.modules())
    assert not any(module._forward_hooks for module in nets)


def test_with_a_distillation_step_the_teacher_runs_once():
    student, teacher, calls = _net(), _net(width=8), []
    handle = teacher.register_forward_hook(lambda m, i, out: calls.append(1))
    step = FeatureDistillation(student, teacher, layers=("2", "2"),
                               step=DistillationStep(teacher))  # fmt: skip
    batch = next(iter(_loader(_data())))
    loss, parts = _loss_and_parts(step, student.eval(), batch)
    handle.remove()
    assert calls == [1] and set(parts) == {"hard", "soft", "features"}
    soft = DistillationStep(teacher)(student, batch)[0]
    assert loss.item() == pytest.approx((soft + parts["features"]).item(), rel=1e-5)


PAIRS = [
    ("timm/test_vit", "blocks.1", "timm/test_resnet", "layer3", nn.Conv2d),
    (
        "swin_t",
        "features.7",
        "vit_b_16",
        "encoder.layers.encoder_layer_11",
        nn.Identity,
    ),
    ("timm/test_resnet", "layer4", "swin_t", "features.5", nn.Conv2d),
    ("timm/test_resnet", "global_pool", "timm/resnet18", "global_pool", nn.Linear),
]


@pytest.mark.parametrize(("one", "layer", "other", "its", "kind"), PAIRS)
def test_maps_and_tokens_of_any_architecture_match(one, layer, other, its, kind):
    student, teacher = build_on_meta(one), build_on_meta(other)
    step = FeatureDistillation(student, teacher, layers=(layer, its))
    assert isinstance(step.projector, kind)


def test_layers_that_cannot_be_matched_are_named():
    with pytest.raises(
        ValueError, match="has no layer 'layer9'; its children are 0, 1"
    ):
        FeatureDistillation(_net(), _net(), layers=("layer9", "2"))
    with pytest.raises(ValueError, match="match maps with maps"):
        FeatureDistillation(_net(), _net(), layers=("2", "4"))
    with pytest.raises(ValueError, match="weight must be a number above 0, got 0"):
        FeatureDistillation(_net(), _net(), layers=("2", "2"), weight=0)


# -- what the student is told ------------------------------------------------------------


def test_soft_targets_are_the_softmax_of_logits_over_t():
    logits = torch.tensor([4.0, 2.0, 0.0], dtype=torch.float64)
    weights = torch.tensor([4.0, 2.0, 0.0]).double().div(2).exp()
    assert torch.allclose(soft_targets(logits, 2), weights / weights.sum())
    assert (
        soft_targets(logits.expand(2, 3, 3), 1)
        .sum(-1)
        .allclose(torch.ones(2, 3).double())
    )


def test_entropy_is_counted_in_bits():
    certain = torch.tensor([1.0, 0.0, 0.0, 0.0])
    found = entropy_bits(torch.stack([certain, torch.full((4,), 0.25)]))
    assert found.tolist() == pytest.approx([0.0, 2.0])
    assert entropy_bits(torch.tensor([0.5, 0.25, 0.25])).item() == pytest.approx(1.5)


def test_odds_are_those_of_the_probabilities_and_outlive_their_rounding():
    logits = torch.tensor([[5.0, 1.0, 2.0]], dtype=torch.float64)
    told = soft_targets(logits, 3)
    assert odds_against(logits, 3).allclose(told.max() / told)
    assert odds_against(logits, 3).min() == 1
    far = torch.tensor([0.0, -200.0], dtype=torch.float64)
    assert soft_targets(far.float(), 1)[1] == 0
    assert odds_against(far, 100).tolist() == pytest.approx([1, 7.389056])


@pytest.mark.parametrize("T", [1, 4, 20])
def test_the_soft_gradient_is_what_the_loss_adds_over_t_squared(T):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 1, 6, generator=generator, dtype=torch.float64)
    student.requires_grad_()
    labels = torch.tensor([2])
    distillation_parts(student, teacher, labels, T=T).soft.backward()
    found = soft_gradient(student.detach(), teacher, T)
    assert torch.allclose(T**2 * found, student.grad)


@pytest.mark.parametrize("T", [0, -1, float("inf"), float("nan")])
def test_a_temperature_that_cannot_be_is_refused(T):
    for ask in (soft_targets, odds_against):
        with pytest.raises(ValueError, match="T must be a number above 0"):
            ask(torch.zeros(3), T)


@pytest.mark.parametrize("value", [float("nan"), "4", None, True])
def test_temperature_and_share_are_numbers(value):
    logits, labels = torch.randn(4, 3), torch.arange(4) % 3
    for name in ("T", "alpha"):
        with pytest.raises(ValueError, match=f"{name} must be"):
            distillation_loss(logits, logits, labels, **{name: value})
        with pytest.raises(ValueError, match=f"{name} must be"):
            DistillationStep(nn.Linear(1, 1), **{name: value})


def test_labels_of_another_integer_kind_are_right():
    logits, labels = torch.randn(4, 3), torch.arange(4) % 3
    expected = distillation_loss(logits, -logits, labels)
    assert torch.equal(distillation_loss(logits, -logits, labels.int()), expected)
    with pytest.raises(TypeError, match="labels, class indices .* must be a Tensor"):
        distillation_loss(logits, logits, None)
    with pytest.raises(TypeError, match="teacher must be a Teacher or a Module"):
        DistillationStep("resnet18")


class _Named(nn.Module):
    """A net whose logits are named, as Hugging Face's are."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))

    def forward(self, images):
        return {"logits": self.net(images), "more": None}


def test_nets_with_named_logits_and_in_half_precision_teach_and_learn():
    torch.manual_seed(0)
    net = _Named()
    rows = [{"image": torch.randn(3, 2, 2), "label": i % 3} for i in range(6)]
    plain = DataLoader([(row["image"], row["label"]) for row in rows], 3)
    expected = evaluate(net.net, plain, step=DistillationStep(net.net))
    assert evaluate(net, DataLoader(rows, 3), step=DistillationStep(net)) == expected
    low = evaluate(net, plain, step=DistillationStep(copy.deepcopy(net).bfloat16()))
    assert low["loss"] == pytest.approx(expected["loss"], rel=0.02)
    taught = cached_logits(net, rows)
    assert torch.allclose(
        taught.logits, net.net(torch.stack([r["image"] for r in rows]))
    )
