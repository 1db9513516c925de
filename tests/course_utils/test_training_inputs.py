"""Optimisers, callbacks, batches, labels and outputs of other kinds: right, or named."""

import re
from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course_utils.features import fit_head
from course_utils.layer_groups import UnfreezeSchedule, freeze, unfreeze
from course_utils.lr_finder import lr_range_test
from course_utils.multitask import MultiTaskStep, UncertaintyWeights
from course_utils.training import (
    BestWeights,
    EarlyStopping,
    classification_step,
    evaluate,
    fit,
    images_and_labels,
    logits_of,
    make_loader,
    soft_label_step,
    train_one_epoch,
)
from course_utils.training.learning import check_learns
from course_utils.training.outputs import tells_nothing_apart


class _Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4, classes)

    def forward(self, images):
        return self.fc(self.stem(images).mean((2, 3)))


def _net(classes=3):
    torch.manual_seed(0)
    return _Net(classes)


IMAGES = torch.randn(12, 3, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 3


def _loader(labels=LABELS, images=IMAGES, batch_size=6):
    return make_loader(TensorDataset(images, labels), batch_size=batch_size)


class Unread:
    """Batches that must not be asked for: no time may be spent before an error."""

    def __iter__(self):
        raise AssertionError("an epoch has begun")


def _fit(model=None, train=None, val=None, *, parameters=None, epochs=1, **options):
    model = model or _net()
    if "optimizer" not in options:
        own = model.parameters() if parameters is None else parameters
        options["optimizer"] = torch.optim.SGD(own, lr=0.05)
    return fit(model, _loader() if train is None else train, val, epochs=epochs,
               progress=False, **options)  # fmt: skip


# -- what learns -----------------------------------------------------------------------


def _head_replaced(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc = nn.Linear(4, 3)
    return optimizer


def _woken_too_late(model):
    optimizer = torch.optim.SGD(freeze(model).fc.parameters(), lr=0.1)
    unfreeze(model)
    return optimizer


LACKING = {
    "head replaced": (_head_replaced, r"2 of 6 .*fc\.weight, fc\.bias.* holds 2 that"),
    "woken too late": (_woken_too_late, r"4 of 6 .*stem\.0\.weight.* param_groups\("),
    "another model's": (lambda m: torch.optim.SGD(_Net().parameters(), lr=0.1), "6 of 6"),
    "frozen": (lambda m: torch.optim.SGD(m.requires_grad_(False).parameters(), lr=0.1),
               "nothing is trainable: every parameter is frozen"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), LACKING.values(), ids=LACKING.keys())
def test_an_optimizer_that_lacks_what_learns_is_refused_at_once(make, words):
    model = _net()
    optimizer = make(model)
    with pytest.raises(ValueError, match=words):
        _fit(model, Unread(), optimizer=optimizer)
    with pytest.raises(ValueError, match=words):
        lr_range_test(model, Unread(), optimizer)


def test_a_stage_that_will_wake_must_be_in_the_optimizer():
    model = _net()
    schedule = UnfreezeSchedule({1: "fc", 3: "stem"})
    head = torch.optim.SGD(model.fc.parameters(), lr=0.1)
    with pytest.raises(
        ValueError, match="lacks parameters of stem, which the schedule"
    ):
        _fit(model, Unread(), optimizer=head, epochs=3, callbacks=[schedule])
    # It is enough for as long as only the head learns, whatever is awake before.
    assert len(_fit(model, optimizer=head, epochs=2, callbacks=[schedule])) == 2


def test_a_frozen_model_may_be_woken_by_a_schedule():
    model = _net().requires_grad_(False)
    assert len(_fit(model, callbacks=[UnfreezeSchedule({1: "fc"})])) == 1


def test_one_epoch_alone_asks_only_that_something_learns():
    model = _net()
    head = torch.optim.SGD(model.fc.parameters(), lr=0.1)
    train_one_epoch(model, _loader(), head, progress=False)
    with pytest.raises(ValueError, match="lacks 6 of 6"):
        other = torch.optim.SGD(_Net().parameters(), lr=0.1)
        train_one_epoch(model, Unread(), other)


class _Tasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x):
        return {"a": self.a(x), "b": self.b(x)}


def test_weights_of_the_loss_that_the_optimizer_lacks_are_refused():
    model, weights = _Tasks(), UncertaintyWeights(["a", "b"])
    data = [(torch.ones(2), {"a": 0, "b": 1})] * 4
    step, batches = MultiTaskStep(weights=weights), DataLoader(data, 2)
    with pytest.raises(
        ValueError, match=r"UncertaintyWeights\.log_variances\.\d learns"
    ):
        _fit(model, batches, step=step)
    assert not [p for p in weights.parameters() if p._backward_hooks]
    _fit(
        model,
        batches,
        step=step,
        parameters=[*model.parameters(), *weights.parameters()],
    )
    assert weights.weights["a"] != 1


def test_a_teacher_that_the_step_keeps_need_not_be_in_the_optimizer():
    class Taught:
        def __init__(self):
            self.teacher = _net()

        def __call__(self, model, batch):
            with torch.no_grad():
                answers = self.teacher(batch[0])
            logits = model(batch[0])
            return (logits - answers).square().mean(), logits

    assert len(_fit(step=Taught())) == 1


def test_a_scheduler_of_another_optimizer_is_refused():
    other = torch.optim.SGD(_net().parameters(), lr=0.1)
    stale = torch.optim.lr_scheduler.StepLR(other, 1)
    for name in ("scheduler", "batch_scheduler"):
        with pytest.raises(ValueError, match=f"^{name} steers another optimizer"):
            _fit(train=Unread(), **{name: stale})


# -- callbacks and numbers -------------------------------------------------------------


class _Misspelt:
    def on_epoch_ends(self, state):
        pass


CALLBACKS = {
    "lambda": ([lambda state: None], "callback function has none of on_fit_start"),
    "dict": ([{1: ["fc"]}], "callback dict has none"),
    "misspelt": ([_Misspelt()], "has on_epoch_ends, .* did you mean on_epoch_end?"),
    "class": ([EarlyStopping], "EarlyStopping is a class"),
    "number": (3, "callbacks is a int"),
}


@pytest.mark.parametrize(
    ("callbacks", "words"), CALLBACKS.values(), ids=CALLBACKS.keys()
)
def test_a_callback_that_would_never_be_called_is_refused(callbacks, words):
    with pytest.raises(TypeError, match=words):
        _fit(train=Unread(), callbacks=callbacks)


def test_one_callback_alone_is_a_list_of_one():
    stopping = EarlyStopping(patience=1, monitor="train_loss")
    assert len(_fit(callbacks=stopping)) == len(_fit(callbacks=None)) == 1
    model = _net()
    _fit(model, callbacks=UnfreezeSchedule({1: "fc"}))
    assert not model.stem[0].weight.requires_grad


@pytest.mark.parametrize("make", [EarlyStopping, BestWeights])
def test_a_column_that_there_will_not_be_is_refused_at_once(make):
    with pytest.raises(ValueError, match="no column 'val_loss' for .*hand over val"):
        _fit(train=Unread(), callbacks=[make()])
    callback = make(monitor="val_accuracy_a")
    with pytest.raises(
        ValueError, match="There will be epoch, train_loss, .*, val_accu"
    ):
        _fit(train=Unread(), val=Unread(), callbacks=[callback])


def test_a_column_of_a_step_of_ones_own_is_known_after_the_first_batch():
    seen = []

    def step(model, batch):
        seen.append(1)
        return *classification_step(model, batch), {"extra": (torch.zeros(()), 1)}

    with pytest.raises(ValueError, match="no column 'val_acc' .*train_extra"):
        _fit(
            val=Unread(),
            step=step,
            callbacks=[BestWeights(monitor="val_acc", mode="max")],
        )
    assert len(seen) == 1
    best = BestWeights(monitor="val_extra", mode="min")
    _fit(val=_loader(), step=step, callbacks=[best])
    assert best.epoch == 1


def test_what_is_better_is_said_where_the_name_does_not():
    with pytest.raises(ValueError, match="less of 'val_soft' is better"):
        BestWeights(monitor="val_soft")
    with pytest.raises(ValueError, match="'min' or 'max' or None, got"):
        EarlyStopping(mode="less")


@pytest.mark.parametrize("epochs", [-3, 0, 2.5, True, "2", None, float("nan")])
def test_epochs_are_a_whole_number(epochs):
    with pytest.raises(ValueError, match="epochs must be"):
        _fit(train=Unread(), epochs=epochs)


@pytest.mark.parametrize("clip_norm", [0, -1, float("nan"), "1"])
def test_norms_are_numbers(clip_norm):
    with pytest.raises(ValueError, match="clip_norm must be a number above 0"):
        _fit(train=Unread(), clip_norm=clip_norm)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (
            TensorDataset(IMAGES, LABELS),
            r"a dataset \(TensorDataset\), not batches: make",
        ),
        (iter(_loader()), "which can be gone through only once"),
        (7, "(train|val|loader) must be an iterable.*, got 7"),
        (IMAGES, "a Tensor, not batches"),
        ({"images": IMAGES}, "a dict, not batches"),
    ],
)
def test_what_is_no_loader_is_refused(train, words):
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for run in (
        lambda: _fit(train=train),
        lambda: _fit(train=Unread(), val=train),
        lambda: evaluate(model, train),
        lambda: train_one_epoch(model, train, optimizer),
        lambda: lr_range_test(model, train, optimizer),
    ):
        with pytest.raises(TypeError, match=words):
            run()


def test_a_validation_without_a_batch_is_known_at_once():
    with pytest.raises(ValueError, match="val: the loader is empty"):
        _fit(train=Unread(), val=DataLoader(TensorDataset(IMAGES), 99, drop_last=True))


def test_arguments_of_another_type_are_named():
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for arguments, options, words in (
        ((model, None, None), {}, "train must be an iterable, got None"),
        (("net", _loader(), None), {}, "model must be a Module, got 'net'"),
        (
            (model, _loader(), None),
            {"optimizer": 0.1},
            "optimizer must be an Optimizer, got 0.1",
        ),
        (
            (model, _loader(), None),
            {"scheduler": 3},
            "scheduler must be a Scheduler or None, got 3",
        ),
        ((model, _loader(), None), {"history": [1]}, "history must be a DataFrame"),
    ):
        with pytest.raises(TypeError, match=words):
            fit(*arguments, epochs=1, **{"optimizer": optimizer, **options})


# -- stopped, and NaN ------------------------------------------------------------------


class _At:
    def __init__(self, epoch, act):
        self.epoch, self.act = epoch, act

    def on_epoch_end(self, state):
        return self.act(state.model) if state.epoch == self.epoch else None


def _broken(model):
    with torch.no_grad():
        model.fc.weight.fill_(float("nan"))


def test_a_loss_that_breaks_leaves_the_history_of_whole_epochs():
    with pytest.raises(ValueError, match="loss is nan in epoch 3, batch 1") as caught:
        _fit(epochs=5, callbacks=[_At(2, _broken)])
    assert caught.value.history["epoch"].tolist() == [1, 2]
    assert "after 2 whole epochs" in caught.value.__notes__[0]


def test_a_loop_of_runs_ends_with_ctrl_c():
    def stop(model):
        raise KeyboardInterrupt

    runs = []
    with pytest.raises(KeyboardInterrupt) as stopped:
        for _ in range(3):
            runs.append(1)
            _fit(epochs=3, callbacks=[_At(2, stop)])
    assert len(runs) == 1 and len(stopped.value.history) == 2


class _NaNs:
    """Validation scores that are NaN from an epoch on."""

    def __init__(self, epoch):
        self.epoch, self.now = epoch, 0

    def on_epoch_start(self, state):
        self.now = state.epoch

    def __call__(self, model, batch):
        loss, logits = classification_step(model, batch)
        broken = not model.training and self.now >= self.epoch
        return (loss * float("nan") if broken else loss), logits


@pytest.mark.parametrize(("since", "best_epoch"), [(3, 2), (1, None)])
def test_nan_in_validation_is_worse_than_any_number(since, best_epoch):
    model, nans, best = _net(), _NaNs(since), BestWeights()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    stopping = EarlyStopping(patience=3)
    history = _fit(model, val=_loader(), epochs=9, optimizer=optimizer, step=nans,
                   scheduler=plateau, callbacks=[nans, best, stopping])  # fmt: skip
    assert best.epoch == best_epoch and stopping.stopped == len(history) == since + 2
    assert optimizer.param_groups[0]["lr"] < 0.01
    if best_epoch is None:
        with pytest.raises(ValueError, match="no epoch has ended with a val_loss"):
            best.restore(model)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_reduce_on_plateau_sees_the_score_of_its_mode(mode):
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)  # nothing ever improves
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, patience=1)
    for val in (None, _loader()):
        history = _fit(model, val=val, optimizer=optimizer, scheduler=plateau)
        name = ("val" if val else "train") + ("_loss" if mode == "min" else "_accuracy")
        assert plateau.best == pytest.approx(history[name].iloc[-1], rel=0.2)
        plateau._reset()
    with pytest.raises(ValueError, match="hand it over as scheduler"):
        _fit(model, optimizer=optimizer, batch_scheduler=plateau)


def test_a_second_run_of_best_weights_begins_anew():
    model, best = _net(), BestWeights()
    _fit(model, val=_loader(), epochs=2, callbacks=[best])
    first = best.epoch
    _fit(model, val=_loader(), callbacks=[_NaNs(1), best], step=(nans := _NaNs(0)))
    assert nans.now == 0 and first and best.epoch is None


def test_early_stopping_stops_a_history_that_is_over():
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_loss": [1.0, 2.0, 2.0]})
    found = _fit(train=Unread(), val=Unread(), epochs=9, history=history,
                 callbacks=[EarlyStopping(patience=2)])  # fmt: skip
    assert len(found) == 3


# -- labels ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_whole_labels_of_any_kind_are_right(dtype, shape):
    expected = evaluate(_net(), _loader())
    assert evaluate(_net(), _loader(LABELS.to(dtype).reshape(shape))) == expected


ROWS = one_hot(LABELS, 3)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS.float(), r"labels are float32 of shape \(6,\): .*labels\.long\(\)"),
        (LABELS[:, None].float(), r"labels are float32 of shape \(6,\)"),
        (ROWS, r"labels are int64 of shape \(6, 3\): .*argmax\(1\)"),
        (ROWS.float(), r"labels are float32 of shape \(6, 3\): .*soft_label_step"),
    ],
)
def test_labels_that_are_no_indices_are_refused_in_the_first_batch(labels, words):
    for run in (_fit, lambda **o: evaluate(_net(), o["train"])):
        with pytest.raises(ValueError, match=words):
            run(train=_loader(labels))
    with pytest.raises(ValueError, match="labels are"):
        lr_range_test(
            m := _net(), _loader(labels), torch.optim.SGD(m.parameters(), 0.1)
        )


@pytest.mark.parametrize("size", [3, 6])  # 3 is the number of classes too
@pytest.mark.parametrize("rows", [ROWS, ROWS.float(), ROWS.half()])
def test_one_hot_rows_are_right_with_soft_labels(rows, size):
    expected = evaluate(_net(), _loader(batch_size=size))
    soft = evaluate(_net(), _loader(rows, batch_size=size), step=soft_label_step)
    assert soft == pytest.approx(expected)
    assert evaluate(_net(), _loader(), step=soft_label_step)["loss"] == expected["loss"]


def test_mixed_up_labels_count_by_their_largest():
    mixed = 0.7 * ROWS.float() + 0.3 * ROWS.roll(1, 0).float()
    model = _net().eval()
    found = evaluate(model, _loader(mixed, batch_size=3), step=soft_label_step)
    with torch.inference_mode():
        logits = model(IMAGES)
    assert found["loss"] == pytest.approx(
        nn.functional.cross_entropy(logits, mixed).item(), rel=1e-5
    )
    assert found["accuracy"] == (logits.argmax(1) == LABELS).double().mean().item()
    with pytest.raises(ValueError, match="rows of probabilities"):
        evaluate(model, _loader(2 * mixed), step=soft_label_step)


def test_an_accuracy_is_not_made_up_where_there_are_no_classes():
    def binary(model, batch):
        logits = model(batch[0])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, batch[1])
        return loss, logits

    several = (
        torch.rand(12, 3, generator=torch.Generator().manual_seed(1)) > 0.3
    ).float()
    found = evaluate(_net(), _loader(several[:, :1]), step=lambda m, b: (
        m(b[0])[:, :1].square().mean(), m(b[0])[:, :1]))  # fmt: skip
    assert found["accuracy"] != found["accuracy"]
    several[0] = 1
    found = evaluate(_net(), _loader(several), step=binary)
    one = several.sum(1) == 1  # only rows with one right class have an answer
    right = (_net().eval()(IMAGES).argmax(1) == several.argmax(1))[one]
    assert found["accuracy"] == pytest.approx(right.float().mean().item())


def test_one_class_teaches_nothing():
    with pytest.raises(ValueError, match="head has 1 classes.*replace_head"):
        _fit(_net(1), _loader(torch.zeros(12, dtype=torch.long)))


def test_a_head_on_features_takes_whole_labels_only():
    features = torch.randn(12, 4)
    fit_head(features, LABELS.int(), 3, epochs=1)
    for labels, epochs, words in (
        (LABELS.float(), 1, "labels are float32"), (LABELS, 0, "epochs must be"),
        (LABELS, -3, "epochs must be .* at least 1, got -3"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            fit_head(features, labels, 3, epochs=epochs)


# -- batches ---------------------------------------------------------------------------


def _batches(make):
    return DataLoader([make(IMAGES[i], int(LABELS[i]), i) for i in range(12)], 6)


@pytest.mark.parametrize("names", [("pixel_values", "labels"), ("image", "label")])
def test_batches_may_be_dictionaries(names):
    batches = _batches(lambda x, y, i: dict(zip(names, (x, y), strict=True)))
    one, other = _fit(model := _net(), batches), _fit(_net())
    assert one["train_loss"].equals(other["train_loss"])
    assert evaluate(model, batches) == evaluate(model, _loader())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda x, y, i: (x, y, i),
            r"\(images, labels\).* this one is \(Tensor \(6, 3, 6",
        ),
        (
            lambda x, y, i: {"image": x, "label": y, "id": i},
            "a dictionary of image, label",
        ),
        (lambda x, y, i: {"a": x, "b": y}, "one of labels, label, "),
        (lambda x, y, i: x, r"this one is Tensor \(6, 3, 6, 6\)"),
        (
            lambda x, y, i: (x, f"class {y}"),
            r"\(Tensor .*, (tuple|list)\).*number of its",
        ),
    ],
)
def test_other_batches_are_described(make, words):
    for run in (_fit, lambda **o: evaluate(_net(), o["train"])):
        with pytest.raises(ValueError, match=words):
            run(train=_batches(make))


def test_pictures_that_are_not_batched_are_named():
    with pytest.raises(ValueError, match="batch the dataset with make_loader"):
        evaluate(_net(), [(IMAGES[0], 1)])
    with pytest.raises(ValueError, match="pictures first"):
        images_and_labels((IMAGES, 3))


def test_parts_that_the_step_takes_are_its_own_affair():
    def weighed(model, batch):
        images, labels, rows = batch
        return classification_step(model, (images, labels))

    assert len(_fit(train=_batches(lambda x, y, i: (x, y, i)), step=weighed)) == 1


def test_a_stream_without_a_length_is_trained_on():
    class Stream(IterableDataset):
        def __iter__(self):
            yield from zip(IMAGES, LABELS, strict=True)

    stream = DataLoader(Stream(), 6)
    one, other = _fit(train=stream, val=stream), _fit(val=_loader())
    assert one["val_loss"].equals(other["val_loss"])


def test_a_last_batch_of_one_is_refused_in_the_first():
    def lonely(last):
        torch.manual_seed(0)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), *last, nn.Linear(3, 3))

    vectors, maps = (
        [nn.Flatten(), nn.BatchNorm1d(3)],
        [nn.BatchNorm2d(3), nn.Flatten()],
    )
    data, seen = TensorDataset(IMAGES[:7], LABELS[:7]), []

    def step(model, batch):
        seen.append(len(batch[1]))
        return classification_step(model, batch)

    for last in (vectors, maps):
        seen.clear()
        with pytest.raises(
            ValueError, match="last batch has one picture.*drop_last=True"
        ):
            _fit(lonely(last), make_loader(data, batch_size=3), step=step)
        assert seen == [3]
        dropped = make_loader(data, batch_size=3, drop_last=True)
        assert len(_fit(lonely(last), dropped)) == 1
        with pytest.raises(
            ValueError, match="BatchNorm cannot train on a batch of one"
        ):
            _fit(lonely(last), make_loader(data, batch_size=1))
    _fit(_net(), make_loader(data, batch_size=3))  # its BatchNorm sees many places


def test_make_loader_names_what_it_cannot_batch():
    with pytest.raises(ValueError, match="dataset is empty"):
        make_loader([], shuffle=True)
    with pytest.raises(TypeError, match="dataset is a NoneType"):
        make_loader(None)
    for options in ({"batch_size": 0}, {"batch_size": 2.5}, {"seed": "0"}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            make_loader([1], **options)


# -- numbers and devices ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_images_are_brought_to_the_nets_numbers(dtype):
    expected = evaluate(_net(), _loader(images=IMAGES.to(dtype).float()))
    assert evaluate(_net(), _loader(images=IMAGES.to(dtype))) == expected
    low = evaluate(_net().to(dtype), _loader())
    assert low["loss"] == pytest.approx(expected["loss"], rel=0.02)
    _fit(_net().to(torch.bfloat16))


def test_pixels_from_0_to_255_are_named():
    pixels = _loader(images=torch.zeros(12, 3, 6, 6, dtype=torch.uint8))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
    for model in (_net(), flat):
        for run in (_fit, lambda model, data: evaluate(model, data)):
            with pytest.raises(
                ValueError, match="images are uint8, the net works in flo"
            ):
                run(model, pixels)


def test_pictures_of_another_size_are_named():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(300, 3))
    deep = nn.Sequential(nn.Conv2d(3, 3, 9), nn.Flatten(), nn.Linear(3, 3))
    for model in (flat, deep):
        with pytest.raises(ValueError, match=r"images of \(6, 3, 6, 6\).*like=model"):
            evaluate(model, _loader())


def test_a_net_without_parameters_can_be_scored_and_not_trained():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert evaluate(model, _loader())["images"] == 12
    with pytest.raises(ValueError, match="the model has no parameters"):
        _fit(model, parameters=_net().parameters())


# -- outputs ---------------------------------------------------------------------------

Auxiliary = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])
OUTPUTS = {
    "auxiliary": lambda x: Auxiliary(x, x + 1, None),
    "object": lambda x: SimpleNamespace(logits=x, hidden_states=None),
    "dictionary": lambda x: OrderedDict(logits=x, extra=x + 1),
    "one of one": lambda x: (x,),
}


class _Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.net, self.wrap = _net(), wrap

    def forward(self, images):
        return self.wrap(self.net(images))


@pytest.mark.parametrize("wrap", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_logits_are_found_in_what_nets_give(wrap):
    assert _fit(_Wrapped(wrap))["train_loss"].equals(_fit()["train_loss"])
    assert evaluate(_Wrapped(wrap), _loader()) == evaluate(_net(), _loader())
    model = _Wrapped(wrap)
    curve = lr_range_test(model, _loader(), torch.optim.SGD(model.parameters(), 0.1),
                          loss_fn=nn.functional.cross_entropy, num_iter=5)  # fmt: skip
    assert len(curve.losses) == 5


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (lambda x: (x, x), r"gives 2 outputs, not logits .*step=…"),
        (lambda x: {"a": x, "b": x}, r"a dictionary \(a, b\).*step=MultiTaskStep"),
        (lambda x: None, "gives a NoneType, not logits"),
        (lambda x: x[..., None, None], r"gives \(6, 3, 1, 1\) for 6 pictures"),
        (lambda x: x[:2], r"gives \(2, 3\) for 6 pictures"),
    ],
)
def test_outputs_that_leave_it_open_are_named(wrap, words):
    with pytest.raises(ValueError, match=words):
        _fit(_Wrapped(wrap))
    assert re.search("logits", logits_of.__doc__)


def test_what_a_step_gives_is_asked_for():
    def loss(model, batch):
        return classification_step(model, batch)[0]

    cases = (
        (lambda m, b: loss(m, b), "the step gives a Tensor: return"),
        (lambda m, b: (m(b[0]).sum(1), m(b[0])), r"loss is a Tensor of shape \(6,\)"),
        (lambda m, b: (1.0, m(b[0])), "loss is a float"),
    )
    for step, words in cases:
        with pytest.raises(TypeError, match=words):
            _fit(step=step)
    with pytest.raises(ValueError, match="loss has no gradient"):
        _fit(step=lambda m, b: (loss(m, b).detach(), m(b[0])))


def test_a_dead_head_is_said_once(capsys):
    class Dead(_Net):
        def forward(self, images):
            return super().forward(images).clamp(min=1e9) * 1e-9 + 0 * self.fc.bias

    _fit(Dead(), epochs=3)
    said = capsys.readouterr().out
    assert said.count("the same logits for each picture") == 1 and "epoch 1" in said
    dead = Dead()
    train_one_epoch(dead, _loader(), torch.optim.SGD(dead.parameters(), 0.1))
    assert "the same logits" in capsys.readouterr().out
    _fit(epochs=2)
    assert capsys.readouterr().out == ""


def test_the_range_test_names_grey_pictures_and_numbers():
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(
        ValueError, match="images have 1 channels, but the model takes 3"
    ):
        lr_range_test(model, _loader(images=IMAGES[:, :1]), optimizer)
    for name, value in (("start_lr", float("nan")), ("end_lr", float("inf")),
                        ("num_iter", 9.5), ("start_lr", "1"), ("diverge", 1)):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name} must be"):
            lr_range_test(model, Unread(), optimizer, **{name: value})


def test_one_dead_head_of_several_is_seen():
    alive = torch.eye(3)
    assert not tells_nothing_apart({"a": alive, "b": alive})
    assert tells_nothing_apart({"a": alive, "b": torch.zeros(3, 2)})


@pytest.mark.parametrize("wrong", [None, "adam", torch.optim.SGD])
def test_what_is_no_optimizer_is_named(wrong):
    with pytest.raises(TypeError, match="optimizer is a .*: make one, such as"):
        check_learns(nn.Linear(2, 2), wrong)
