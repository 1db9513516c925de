import copy
from typing import NamedTuple

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import training
from course_utils.layer_groups import freeze
from course_utils.training import (
    BestWeights,
    EarlyStopping,
    EpochState,
    evaluate,
    fit,
    make_loader,
    train_one_epoch,
)


def _net(classes=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(4, classes),
    )


def _data(n=20, classes=3):
    generator = torch.Generator().manual_seed(n)
    images = torch.randn(n, 3, 6, 6, generator=generator)
    return TensorDataset(images, torch.arange(n) % classes)


def _loader(n=20, seed=0):
    return make_loader(_data(n), batch_size=8, shuffle=True, seed=seed)


def _sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def _by_hand(model, loader, optimizer, epochs):
    """The loop that fit must equal, bit by bit; returns the mean loss of each epoch."""
    losses = []
    for _ in range(epochs):
        model.train()
        total = 0.0
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        losses.append(total / len(loader.dataset))
    return losses


def test_fit_is_bit_equal_to_a_loop_written_by_hand():
    found, expected = _net(), _net()
    torch.manual_seed(1)
    history = fit(found, _loader(), _loader(9), optimizer=_sgd(found), epochs=3)
    torch.manual_seed(1)
    losses = _by_hand(expected, _loader(), _sgd(expected), 3)
    assert history["train_loss"].tolist() == losses
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name]), name
    assert not found.training


def test_the_history_has_one_row_an_epoch_and_these_columns():
    model = _net()
    history = fit(model, _loader(), _loader(9), optimizer=_sgd(model), epochs=2)
    assert history.columns.tolist() == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "lr",
        "seconds",
        "images_per_second",
    ]
    assert history["epoch"].tolist() == [1, 2]
    assert (history["seconds"] > 0).all() and (history["images_per_second"] > 0).all()


def test_without_val_there_are_no_val_columns():
    model = _net()
    history = fit(model, _loader(), None, optimizer=_sgd(model), epochs=1)
    assert not [name for name in history if name.startswith("val")]


def test_the_scheduler_steps_once_an_epoch_and_lr_is_the_one_used():
    model = _net()
    optimizer = _sgd(model, lr=0.8)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    history = fit(
        model, _loader(), None, optimizer=optimizer, epochs=3, scheduler=scheduler
    )
    assert history["lr"].tolist() == [0.8, 0.4, 0.2]


def test_an_earlier_history_is_continued():
    model = _net()
    optimizer = _sgd(model)
    first = fit(model, _loader(), None, optimizer=optimizer, epochs=2)
    whole = fit(model, _loader(), None, optimizer=optimizer, epochs=3, history=first)
    assert whole["epoch"].tolist() == [1, 2, 3]
    pd.testing.assert_frame_equal(whole[:2], first)


def test_evaluate_gives_exact_loss_and_accuracy_over_uneven_batches():
    model, data = _net().eval(), _data(20)
    images, labels = data.tensors
    with torch.inference_mode():
        logits = model(images)
    found = evaluate(model, DataLoader(data, 8))
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["accuracy"] == (logits.argmax(1) == labels).sum().item() / 20
    assert found["images"] == 20


def test_evaluate_gives_each_module_its_mode_back_and_moves_nothing():
    model = _net().train()
    model[1].eval()
    before = copy.deepcopy(model.state_dict())
    evaluate(model, _loader())
    modes = [module.training for module in model]
    assert modes == [True, False, True, True, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_evaluate_gives_the_modes_back_after_an_error():
    model = _net(classes=2).train()
    with pytest.raises(ValueError, match="labels"):
        evaluate(model, _loader())
    assert all(module.training for module in model.modules())


def test_frozen_batchnorm_does_not_move_in_training():
    model = freeze(_net())
    before = {k: v.clone() for k, v in model[1].state_dict().items()}
    fit(model, _loader(), None, optimizer=_sgd(model), epochs=2)
    assert all(torch.equal(v, before[k]) for k, v in model[1].state_dict().items())


def test_a_step_can_be_handed_in():
    def doubled(model, batch):
        loss, logits = training.classification_step(model, batch)
        return 2 * loss, logits

    model = _net().eval()
    plain, twice = evaluate(model, _loader()), evaluate(model, _loader(), step=doubled)
    assert twice["loss"] == pytest.approx(2 * plain["loss"])
    assert twice["accuracy"] == plain["accuracy"]


def test_a_loss_that_is_not_finite_stops_with_epoch_batch_and_rate():
    data = _data()
    data.tensors[0][9] = float("nan")
    model = _net()
    loader = DataLoader(data, 8)
    with pytest.raises(ValueError, match=r"loss is nan in epoch 1, batch 2 \(lr \[0.1"):
        fit(model, loader, None, optimizer=_sgd(model), epochs=1)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (-2, r"labels run from -2 to 2, but the head has 3 classes \(0 to 2\)"),
        (3, r"labels run from 0 to 3, but the head has 3 classes \(0 to 2\)"),
        (-1, r"-1, which says that a label is missing: .*labels >= 0"),
    ],
)
def test_labels_outside_the_head_are_named(label, words):
    data = _data()
    data.tensors[1][0] = label
    model = _net()
    with pytest.raises(ValueError, match=words):
        train_one_epoch(model, DataLoader(data, 20), _sgd(model))


def test_nothing_trainable_is_an_error():
    model = _net()
    optimizer = _sgd(model)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing is trainable"):
        train_one_epoch(model, _loader(), optimizer)


@pytest.mark.parametrize("epochs", [0, -1])
def test_epochs_are_at_least_one(epochs):
    model = _net()
    with pytest.raises(ValueError, match=f"at least 1, got {epochs}"):
        fit(model, _loader(), None, optimizer=_sgd(model), epochs=epochs)


def test_an_empty_loader_is_named():
    model = _net()
    loader = DataLoader(_data(3), 8, drop_last=True)
    with pytest.raises(ValueError, match="loader is empty"):
        train_one_epoch(model, loader, _sgd(model))


class _At:
    """Do something at the end of an epoch."""

    def __init__(self, epoch, act):
        self.epoch, self.act = epoch, act

    def on_epoch_end(self, state):
        return self.act() if state.epoch == self.epoch else None


def test_ctrl_c_is_passed_on_with_the_whole_epochs(capsys):
    def interrupt(model, batch):
        seen.append(1)
        if len(seen) > 7:  # three batches an epoch
            raise KeyboardInterrupt
        return training.classification_step(model, batch)

    model, seen = _net(), []
    optimizer = _sgd(model)
    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(model, _loader(), None, optimizer=optimizer, epochs=9, step=interrupt)
    assert stopped.value.history["epoch"].tolist() == [1, 2]
    assert "stopped by hand after 2 whole epochs" in capsys.readouterr().out
    assert not model.training


def test_a_callback_stops_the_run():
    model = _net()
    stop = _At(2, lambda: "stop")
    history = fit(
        model, _loader(), None, optimizer=_sgd(model), epochs=9, callbacks=[stop]
    )
    assert len(history) == 2


def _said(values, monitor="val_loss", **options):
    stopping = EarlyStopping(monitor=monitor, **options)
    history = pd.DataFrame({monitor: values})
    return stopping.on_epoch_end(EpochState(len(values), None, None, history))


def test_early_stopping_waits_for_its_patience():
    assert _said([3, 1, 2], patience=2) is None
    assert _said([3, 1, 2, 2], patience=2) == "stop"
    assert _said([3, 2, 1, 0.5], patience=1) is None


def test_early_stopping_knows_that_high_accuracy_is_good():
    assert _said([0.1, 0.5, 0.6], "val_accuracy", patience=1) is None
    assert _said([0.6, 0.5], "val_accuracy", patience=1) == "stop"


def test_early_stopping_names_the_columns_there_are():
    stopping = EarlyStopping(monitor="val_loss")
    state = EpochState(1, None, None, pd.DataFrame({"train_loss": [1.0]}))
    with pytest.raises(ValueError, match="no column 'val_loss'; it has train_loss"):
        stopping.on_epoch_end(state)
    with pytest.raises(
        ValueError, match="patience must be a whole number of at least 1"
    ):
        EarlyStopping(patience=0)


def test_a_loaders_order_comes_from_its_own_seed():
    first = [labels.tolist() for _, labels in _loader(seed=4)]
    torch.manual_seed(99)
    assert [labels.tolist() for _, labels in _loader(seed=4)] == first
    assert [labels.tolist() for _, labels in _loader(seed=5)] != first


def test_progress_is_silent_when_told(capsys):
    model = _net()
    fit(model, _loader(), None, optimizer=_sgd(model), epochs=1, progress=False)
    assert capsys.readouterr() == ("", "")
    fit(model, _loader(), None, optimizer=_sgd(model), epochs=1, progress=True)
    assert "epoch" in capsys.readouterr().err


# -- schedulers, clipping, best weights --------------------------------------------------


def test_a_batch_scheduler_steps_after_each_batch():
    model = _net()
    optimizer = _sgd(model)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=6)
    fit(model, _loader(), None, optimizer=optimizer, epochs=2, batch_scheduler=cycle,
        progress=False)  # fmt: skip
    assert cycle.last_epoch == 6  # two epochs of three batches


def test_gradients_are_clipped_to_the_norm():
    model, norms = _net(), []
    optimizer = _sgd(model)
    step = optimizer.step

    def spy():
        grads = [p.grad.norm() for p in model.parameters()]
        norms.append(torch.stack(grads).norm().item())
        return step()

    optimizer.step = spy
    train_one_epoch(model, _loader(), optimizer, clip_norm=1e-3, progress=False)
    assert norms == pytest.approx([1e-3] * 3, rel=1e-3)
    norms.clear()
    beside = nn.Linear(1, 1)  # learns beside the model, as a projector does

    def step_beside(net, batch):
        loss, logits = training.classification_step(net, batch)
        return loss + 100 * beside(torch.ones(1, 1)).square().sum(), logits

    optimizer.add_param_group({"params": list(beside.parameters())})
    train_one_epoch(model, _loader(), optimizer, step=step_beside, clip_norm=1e-3,
                    progress=False)  # fmt: skip
    assert beside.weight.grad.norm() < 1e-3 and max(norms) < 1e-3
    with pytest.raises(ValueError, match="clip_norm must be a number above 0"):
        train_one_epoch(model, _loader(), optimizer, clip_norm=0)


def test_best_weights_are_those_of_the_best_epoch():
    model, best, seen = _net(), BestWeights(), []

    class Watch:
        def on_epoch_end(self, state):
            seen.append(copy.deepcopy(state.model.state_dict()))

    history = fit(model, _loader(), _loader(9), optimizer=_sgd(model, lr=2.0), epochs=4,
                  callbacks=[best, Watch()], progress=False)  # fmt: skip
    winner = int(history["val_loss"].idxmin())
    assert best.epoch == winner + 1
    state = best.restore(model).state_dict()
    assert all(torch.equal(state[name], v) for name, v in seen[winner].items())


def test_best_weights_say_what_is_missing():
    with pytest.raises(ValueError, match="no epoch has ended"):
        BestWeights().restore(_net())


def test_callbacks_hear_the_start_of_each_epoch_with_the_history_so_far():
    model, heard = _net(), []

    class Listen:
        def on_epoch_start(self, state):
            heard.append((state.epoch, len(state.history)))

    fit(model, _loader(), None, optimizer=_sgd(model), epochs=2, callbacks=[Listen()],
        progress=False)  # fmt: skip
    assert heard == [(1, 0), (2, 1)]


class _Ends:
    """Note what is told at the end: whole epochs, rows of the history, epochs asked."""

    def __init__(self):
        self.told = []

    def on_fit_end(self, state):
        self.told.append((state.epoch, len(state.history), state.epochs))


@pytest.mark.parametrize("act", [lambda: None, lambda: "stop"], ids=["whole", "stop"])
def test_the_end_is_told_once(act):
    model, ends = _net(), _Ends()
    history = fit(model, _loader(), None, optimizer=_sgd(model), epochs=2,
                  callbacks=[_At(1, act), ends], progress=False)  # fmt: skip
    assert ends.told == [(len(history), len(history), 2)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_end_is_told_after_an_error_and_ctrl_c_too(error):
    def fail():
        raise error("broken")

    model, ends = _net(), _Ends()
    with pytest.raises(error, match="broken") as caught:
        fit(model, _loader(), None, optimizer=_sgd(model), epochs=3,
            callbacks=[_At(1, fail), ends], progress=False)  # fmt: skip
    assert caught.value.history["epoch"].tolist() == [1]
    assert ends.told == [(1, 1, 3)] and not model.training


# -- what a step may be handed, and what it may return -----------------------------------


class _TwoTasks(nn.Module):
    """Logits that are the picture's own numbers, moved by one weight."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return {"a": images[:, :2] + self.shift, "b": images[:, 2:] + self.shift}


def _two_step(model, batch):
    images, labels, extra = batch
    assert set(extra) == {"weight"} and len(extra["weight"]) == len(images)
    logits = model(images)
    parts = {"loss_b": (logits["b"].mean(), int((labels["b"] >= 0).sum()))}
    return sum(v.mean() for v in logits.values()), logits, parts


class _TwoTaskData(torch.utils.data.Dataset):
    rows = torch.tensor([[1.0, 0, 1, 0, 0], [1, 0, 0, 1, 0], [0, 1, 0, 0, 2]])
    labels = [(0, 0), (1, -1), (1, 2)]

    def __len__(self):
        return 3

    def __getitem__(self, i):
        a, b = self.labels[i]
        return self.rows[i], {"a": a, "b": b}, {"weight": 1.0}


def test_accuracies_are_by_task_over_the_labels_that_are_known():
    found = evaluate(_TwoTasks(), DataLoader(_TwoTaskData(), 2), step=_two_step)
    assert found["accuracy_a"] == pytest.approx(2 / 3)
    assert found["accuracy_b"] == 1.0  # two of the three are labelled
    assert found["accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["images"] == 3


def test_a_steps_parts_are_means_over_their_own_pictures():
    found = evaluate(_TwoTasks(), DataLoader(_TwoTaskData(), 2), step=_two_step)
    first, last = _TwoTaskData.rows[:2, 2:].mean(), _TwoTaskData.rows[2:, 2:].mean()
    assert found["loss_b"] == pytest.approx((first.item() + last.item()) / 2)


def test_the_history_has_a_column_for_each_task_and_part():
    model, data = _TwoTasks(), _TwoTaskData()
    history = fit(model, DataLoader(data, 2), DataLoader(data, 2), step=_two_step,
                  optimizer=_sgd(model), epochs=1, progress=False)  # fmt: skip
    names = ("loss", "accuracy", "accuracy_a", "accuracy_b", "loss_b")
    expected = [f"{split}_{name}" for split in ("train", "val") for name in names]
    assert history.columns.tolist()[1:11] == expected


def test_an_accuracy_that_nothing_is_known_of_is_nan():
    class Unlabelled(_TwoTaskData):
        labels = [(0, -1), (1, -1), (1, -1)]

    found = evaluate(_TwoTasks(), DataLoader(Unlabelled(), 2), step=_two_step)
    assert found["accuracy_b"] != found["accuracy_b"]
    assert found["accuracy"] == found["accuracy_a"]
    assert found["loss_b"] != found["loss_b"]


def test_tensors_are_moved_however_deep_they_lie():
    class Pair(NamedTuple):
        left: torch.Tensor
        right: str

    value = [torch.zeros(2), {"a": Pair(torch.ones(1), "word")}, 3]
    images, labels, other = training.to_device(value, torch.device("meta"))
    assert images.is_meta and labels["a"].left.is_meta
    assert labels["a"].right == "word" and other == 3


def test_grey_pictures_are_named_in_training_and_evaluation():
    grey = DataLoader(TensorDataset(torch.zeros(4, 1, 6, 6), torch.arange(4) % 3))
    model = _net()
    for run in (
        lambda: train_one_epoch(model, grey, _sgd(model)),
        lambda: evaluate(model, grey),
    ):
        with pytest.raises(ValueError, match="1 channels, but the model takes 3"):
            run()
