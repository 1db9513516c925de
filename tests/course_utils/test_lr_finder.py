import copy
import random
import re

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from course_utils.lr_finder import SUGGESTIONS, LRCurve, lr_range_test
from course_utils.training import make_loader

matplotlib.use("agg")


def _net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(4, 3),
    )  # fmt: skip


def _loader(n=32):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(n) % 3
    images = torch.randn(n, 3, 6, 6, generator=generator) * 0.3
    images += labels[:, None, None, None].float()
    return make_loader(TensorDataset(images, labels), batch_size=8, shuffle=True)


def _sgd(model, lr=0.1, **options):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, **options)


def test_rates_are_spread_as_asked():
    model = _net()
    options = {"start_lr": 1e-4, "end_lr": 1e-2, "num_iter": 5}
    curve = lr_range_test(model, _loader(), _sgd(model), **options)
    assert curve.lrs == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    curve = lr_range_test(model, _loader(), _sgd(model), spacing="linear", **options)
    assert curve.lrs == pytest.approx(np.linspace(1e-4, 1e-2, 5).tolist())
    assert len(curve.losses) == len(curve.table()) == 5 and not curve.stopped


def test_losses_are_those_of_a_loop_written_by_hand():
    model, other = _net(), _net()
    torch.manual_seed(3)
    found = lr_range_test(
        model, _loader(), _sgd(model), start_lr=1e-3, end_lr=1e-1, num_iter=9
    )
    torch.manual_seed(3)
    optimizer, loader, expected = _sgd(other), _loader(), []
    other.train()
    batches = [batch for _ in range(3) for batch in loader]
    for lr, (images, labels) in zip(np.geomspace(1e-3, 1e-1, 9), batches, strict=False):
        optimizer.param_groups[0]["lr"] = float(lr)
        loss = nn.functional.cross_entropy(other(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert found.losses == expected


@pytest.mark.parametrize("make", [_sgd, lambda m: torch.optim.AdamW(m.parameters())])
@pytest.mark.parametrize("warm", [False, True])
def test_everything_is_put_back_to_the_bit(make, warm):
    model, loader = _net(), _loader()
    model[1].eval()
    optimizer = make(model)
    if warm:
        model(torch.randn(4, 3, 6, 6)).sum().backward()
        optimizer.step()
    states = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    gradients = [p.grad for p in model.parameters()]
    identities = [id(p) for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    order = loader.generator.get_state()
    generators = (
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1].copy(),
    )

    lr_range_test(model, loader, optimizer, end_lr=10.0, num_iter=20)

    assert identities == [id(p) for p in model.parameters()]
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in states[0].items())
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    assert modes == [m.training for m in model.modules()]
    now = optimizer.state_dict()
    assert now["param_groups"] == states[1]["param_groups"]
    for key, entry in states[1]["state"].items():
        for name, value in entry.items():
            found = now["state"][key][name]
            assert (
                torch.equal(found, value) if torch.is_tensor(value) else found == value
            )
    assert len(now["state"]) == len(states[1]["state"])
    assert torch.equal(order, loader.generator.get_state())
    assert torch.equal(generators[0], torch.get_rng_state())
    assert generators[1] == random.getstate()
    assert (generators[2] == np.random.get_state()[1]).all()


def test_it_is_put_back_after_an_error_too():
    model = _net()
    before = copy.deepcopy(model.state_dict())

    def fail(logits, labels):
        raise RuntimeError("broken loss")

    with pytest.raises(RuntimeError, match="broken loss"):
        lr_range_test(model, _loader(), _sgd(model), loss_fn=fail)
    after = model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_groups_keep_their_ratios():
    model, seen = _net(), []
    optimizer = torch.optim.SGD(
        [{"params": model[:2].parameters(), "lr": 0.01},
         {"params": model[6].parameters(), "lr": 0.1}]
    )  # fmt: skip
    step = optimizer.step

    def spy(*args):
        seen.append([group["lr"] for group in optimizer.param_groups])
        return step(*args)

    optimizer.step = spy
    curve = lr_range_test(
        model, _loader(), optimizer, start_lr=1e-3, end_lr=1.0, num_iter=6
    )
    assert curve.scales == pytest.approx([0.1, 1.0])
    assert [high for _, high in seen] == pytest.approx(curve.lrs)
    assert all(low == pytest.approx(high / 10) for low, high in seen)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.1]


def test_it_stops_at_a_loss_that_is_not_finite():
    model, calls = _net(), []

    def loss_fn(logits, labels):
        calls.append(1)
        loss = nn.functional.cross_entropy(logits, labels)
        return loss * (float("nan") if len(calls) == 7 else 1.0)

    curve = lr_range_test(model, _loader(), _sgd(model), loss_fn=loss_fn, num_iter=50)
    assert len(curve.losses) == 6 and curve.stopped.startswith("a loss of nan at lr")


def test_it_stops_where_the_loss_diverges():
    model, calls = _net(), []

    def loss_fn(logits, labels):
        calls.append(1)
        return nn.functional.cross_entropy(logits, labels) * 2.0 ** max(
            0, len(calls) - 9
        )

    curve = lr_range_test(model, _loader(), _sgd(model), loss_fn=loss_fn, num_iter=60)
    assert 9 < len(curve.losses) < 25 and curve.stopped.startswith("divergence at lr")


def test_batches_can_be_accumulated_and_the_loss_be_that_of_validation():
    model, sizes = _net(), []
    model[0].register_forward_pre_hook(
        lambda m, args: sizes.append((len(args[0]), m.training))
    )
    options = {"start_lr": 1e-5, "end_lr": 1e-3, "num_iter": 5}
    curve = lr_range_test(model, _loader(), _sgd(model), accumulate=3, **options)
    assert sizes == [(8, True)] * 15 and len(curve.losses) == 5
    sizes.clear()
    lr_range_test(model, _loader(), _sgd(model), val=_loader(16), **options)
    assert sizes == [(8, True), (8, False), (8, False)] * 5


def test_accumulated_batches_are_averaged_not_summed():
    """Three times the same batch moves a net as far as the batch alone."""
    ends = []
    batch = next(iter(_loader()))
    for accumulate in (1, 3):
        model, seen = _net(), []
        model[5] = nn.Identity()  # no dropout
        model[0].register_forward_pre_hook(
            lambda m, args, seen=seen: seen.append(m.weight.detach().clone())
        )
        lr_range_test(model, [batch], _sgd(model), accumulate=accumulate,
                      start_lr=1e-3, end_lr=1e-2, num_iter=5)  # fmt: skip
        ends.append(seen[-1])
    assert torch.allclose(*ends, atol=1e-6)


# -- suggestions -------------------------------------------------------------------------


def _curve():
    """Flat to 1e-4, falling to 1e-2, then rising."""
    logs = np.linspace(-7, 0, 141)
    losses = np.where(logs < -4, 2.0, np.where(logs < -2, 2.0 - (logs + 4) * 0.8, 0.4))
    losses = losses + np.where(logs > -1.5, (logs + 1.5) * 4, 0.0) - logs * 1e-4
    return LRCurve((10**logs).tolist(), losses.tolist(), [1.0])


@pytest.mark.parametrize("how", SUGGESTIONS)
def test_suggestions_lie_in_the_fall(how):
    assert 1e-4 < _curve().suggest(how) < 2e-2


def test_the_minimum_over_ten_is_what_it_says():
    curve = _curve()
    lowest = curve.lrs[int(np.argmin(curve.smoothed))]
    assert curve.suggest("minimum/10") == lowest / 10


def test_suggestions_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="steepest, valley"):
        _curve().suggest("best")
    with pytest.raises(ValueError, match="only 2 steps before a loss of nan"):
        LRCurve([1e-3, 1e-2], [1.0, 2.0], [1.0], "a loss of nan").suggest()
    rising = LRCurve(list(np.geomspace(1e-3, 1, 9)), list(range(1, 10)), [1.0])
    with pytest.raises(ValueError, match="never fell"):
        rising.suggest()


def test_the_plot_shows_all_three():
    ax = _curve().plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels[2:]] == list(SUGGESTIONS)
    assert ax.get_xscale() == "log" and "learning rate" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([], "only 0 steps before a loss of nan"), ([2.0], "only 1 steps"),
        ([2.0, 1.0, 0.5], "only 3 steps"), (list(range(1, 10)), "the loss never fell"),
        ([1.0] * 9, "the loss never fell: .*or nothing learns"),
        ([3.0] * 5 + [float("inf")], "a loss is not finite"), (list(range(9, 0, -1)), ""),
    ],
)  # fmt: skip
def test_every_curve_is_drawn_and_says_why_it_suggests_nothing(losses, words):
    lrs = np.geomspace(1e-3, 1, len(losses)).tolist()
    ax = LRCurve(lrs, losses, [1.0], "a loss of nan").plot()
    ax.figure.canvas.draw()
    assert ax.lines[0].get_ydata().tolist() == losses
    last = ax.get_legend().get_texts()[-1].get_text()
    expected = f"no suggestion: {words}" if words else r"minimum/10: \d"
    assert re.match(expected, last.replace("\n", " "))
    matplotlib.pyplot.close(ax.figure)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"start_lr": 0.0}, "above 0"), ({"start_lr": 2.0}, "below end_lr"),
        ({"num_iter": 2}, "at least 5"), ({"accumulate": 0}, "accumulate"),
        ({"spacing": "log"}, "exponential or linear"), ({"diverge": 1}, "above 1"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(options, text):
    model = _net()
    with pytest.raises(ValueError, match=text):
        lr_range_test(model, _loader(), _sgd(model), **options)


def test_what_else_the_optimiser_moves_is_put_back_too():
    class Weighted(nn.Module):
        """A loss that learns a number of its own."""

        def __init__(self):
            super().__init__()
            self.log_weight = nn.Parameter(torch.zeros(()))

        def forward(self, logits, labels):
            seen.append(self.log_weight.item())
            loss = nn.functional.cross_entropy(logits, labels)
            return loss * torch.exp(-self.log_weight) + self.log_weight

    model, weighted, seen = _net(), Weighted(), []
    optimizer = torch.optim.SGD([*model.parameters(), *weighted.parameters()], lr=0.1)
    lr_range_test(model, _loader(), optimizer, loss_fn=weighted, num_iter=9)
    assert seen[-1] != 0.0  # it learnt in between
    assert weighted.log_weight.item() == 0.0 and weighted.log_weight.grad is None


def test_the_orders_of_samplers_and_of_validation_are_put_back_too():
    model, batches = _net(), _loader()
    drawn = torch.utils.data.WeightedRandomSampler(
        [1.0] * 32, 16, generator=torch.Generator().manual_seed(3)
    )
    sampled = torch.utils.data.DataLoader(batches.dataset, 8, sampler=drawn)
    places = [drawn.generator, batches.generator]
    before = [generator.get_state() for generator in places]
    lr_range_test(model, sampled, _sgd(model), val=batches, num_iter=5)
    after = [generator.get_state() for generator in places]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_loss_of_ones_own_takes_outputs_that_are_no_classes():
    targets = TensorDataset(torch.randn(16, 4), torch.randn(16, 1), torch.arange(16))
    model, seen = nn.Linear(4, 1), []

    def loss_fn(found, wanted):
        seen.append(found.shape)
        return (found - wanted).square().mean()

    curve = lr_range_test(model, make_loader(targets, batch_size=8), _sgd(model),
                          loss_fn=loss_fn, num_iter=5)  # fmt: skip
    assert len(curve.losses) == 5 and set(seen) == {(8, 1)}
