"""How batches are computed: precision, accumulation, layout, compiler, augmentation."""

import copy

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

from course_utils.checkpoints import Checkpoint
from course_utils.training import (
    BestWeights,
    Engine,
    evaluate,
    fit,
    make_loader,
    soft_label_step,
    train_one_epoch,
)


def pictures(n=40, side=8, classes=4):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, side, side, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator).tolist()
    return list(zip(images, labels, strict=True))


def small(norm=None, classes=4):
    torch.manual_seed(0)
    norms = [] if norm is None else [norm(6)]
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), *norms, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, classes),
    )  # fmt: skip


def train(net, *, size, engine=None, epochs=2, kind=torch.optim.SGD, n=40, **options):
    optimizer = kind(net.parameters(), lr=0.1)
    loader = make_loader(pictures(n), batch_size=size, shuffle=True, seed=3)
    return fit(net, loader, loader, optimizer=optimizer, epochs=epochs, engine=engine,
               progress=False, **options)  # fmt: skip


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


# -- accumulation ---------------------------


@pytest.mark.parametrize(
    "n, size, times", [(40, 5, 4), (40, 8, 3), (37, 4, 3), (9, 4, 9)]
)
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.05}], ids=["free", "clipped"])
def test_accumulated_batches_are_the_large_batch(n, size, times, options):
    large, piecewise = small(), small()
    one = train(large, size=size * times, n=n, **options)
    two = train(piecewise, size=size, n=n, engine=Engine(accumulate=times), **options)
    assert torch.allclose(weights(large), weights(piecewise), atol=1e-6, rtol=0)
    assert one["train_loss"].tolist() == pytest.approx(two["train_loss"], abs=1e-6)


def test_batchnorm_is_the_exception():
    large, piecewise = small(nn.BatchNorm2d), small(nn.BatchNorm2d)
    train(large, size=40)
    train(piecewise, size=10, engine=Engine(accumulate=4))
    assert not torch.allclose(weights(large), weights(piecewise), atol=1e-6)


def test_a_scheduler_of_batches_steps_once_an_update():
    net = small()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    loader = make_loader(pictures(40), batch_size=5)
    train_one_epoch(net, loader, optimizer, batch_scheduler=halved,
                    engine=Engine(accumulate=4))  # fmt: skip
    assert optimizer.param_groups[0]["lr"] == 0.1 / 4


def test_without_options_nothing_changes_to_the_bit():
    one, two = small(nn.BatchNorm2d), small(nn.BatchNorm2d)
    train(one, size=8)
    train(two, size=8, engine=Engine(precision="float32", accumulate=1))
    assert torch.equal(weights(one), weights(two))


# -- precision and layout ---------------------------


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_under_autocast_the_weights_stay_and_the_result_is_near(precision):
    exact, net = small(), small()
    one = train(exact, size=8, epochs=3)
    two = train(net, size=8, epochs=3, engine=Engine(precision=precision))
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert one["val_loss"].tolist() == pytest.approx(two["val_loss"], abs=0.02)
    assert not torch.equal(weights(exact), weights(net))


def test_the_forward_pass_runs_in_the_precision():
    seen = []
    net = small()
    net[0].register_forward_hook(lambda *got: seen.append(got[2].dtype))
    train(net, size=20, epochs=1, engine=Engine(precision="bfloat16"))
    assert set(seen) == {torch.bfloat16}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_within_another_autocast_the_weights_of_now_are_used(precision):
    """Torch keeps the rounded weights until the outermost autocast ends."""
    alone, within = small(), small()
    train(alone, size=8, engine=Engine(precision=precision))
    with torch.autocast("cpu", getattr(torch, precision)):
        train(within, size=8, engine=Engine(precision=precision))
    assert torch.equal(weights(alone), weights(within))


def test_in_channels_last_the_results_are_the_same():
    one, two = small(), small()
    layouts = []
    two[0].register_forward_hook(
        lambda net, given, out: layouts.append(
            given[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    train(one, size=8)
    train(two, size=8, engine=Engine(channels_last=True))
    assert torch.allclose(weights(one), weights(two), atol=1e-5) and all(layouts)


def test_an_overflow_in_float16_leaves_the_update_out_and_the_scheduler_too():
    net, scheduler_steps = small(), []
    engine = Engine(precision="float16")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    engine.scaler(torch.device("cpu")).load_state_dict(
        {"scale": 2.0**40, "growth_factor": 2.0, "backoff_factor": 0.5,
         "growth_interval": 2000, "_growth_tracker": 0}
    )  # fmt: skip

    class Counted:
        def step(self):
            scheduler_steps.append(1)

    before = weights(net)
    loader = make_loader(pictures(8), batch_size=8)
    train_one_epoch(net, loader, optimizer, engine=engine, batch_scheduler=Counted())
    assert torch.equal(weights(net), before) and scheduler_steps == []
    assert engine.state_dict()["scale"] == 2.0**39


def test_a_resumed_run_in_float16_goes_on_with_its_scale(tmp_path):
    whole, halves = small(), small()
    history = train(whole, size=8, epochs=4, engine=Engine(precision="float16"))
    path = tmp_path / "run.pt"
    train(halves, size=8, epochs=2, engine=Engine(precision="float16"), resume=path)
    other, engine = small(), Engine(precision="float16")
    resumed = train(other, size=8, epochs=4, engine=engine, resume=path)
    assert torch.equal(weights(whole), weights(other))
    assert resumed["val_loss"].tolist() == history["val_loss"].tolist()
    assert engine.state_dict()["_growth_tracker"] == 4 * 5


def test_resume_is_a_checkpoint(tmp_path, capsys):
    one, two = small(), small()
    whole = train(one, size=8, epochs=4)
    train(two, size=8, epochs=3, resume=tmp_path / "run.pt")
    resumed = train(small(), size=8, epochs=4, resume=tmp_path / "run.pt")
    assert "3 of 4 epochs are done" in capsys.readouterr().out
    assert resumed["train_loss"].tolist() == whole["train_loss"].tolist()


def test_a_file_that_a_checkpoint_keeps_already_is_not_kept_twice(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(ValueError, match="twice"):
        train(small(), size=8, resume=path, callbacks=Checkpoint(path))


# -- bad options ---------------------------


def test_an_unknown_precision_names_those_there_are():
    with pytest.raises(ValueError, match="bfloat16"):
        Engine(precision="bf17")


@pytest.mark.parametrize("device", ["cuda:77", "gpu", "warp", 3.5])
def test_a_device_that_is_not_there(device):
    with pytest.raises((ValueError, TypeError), match="cpu"):
        Engine(device=device)


def test_an_augmentation_that_cannot_be_called():
    with pytest.raises(TypeError, match="takes no picture"):
        Engine(augment=[3])


def test_an_accelerator_that_is_none():
    with pytest.raises(TypeError, match="accelerate.Accelerator"):
        Engine(accelerator="gpu")


# -- the compiler ---------------------------


def failing_backend(graph, inputs):
    raise RuntimeError("no C++ compiler here")


def test_a_compiler_that_fails_is_said_once_and_the_run_goes_on(capsys):
    from torch._dynamo import register_backend

    register_backend(failing_backend, name="course_failing")
    one, two = small(nn.BatchNorm2d), small(nn.BatchNorm2d)
    train(one, size=8)
    train(two, size=8, engine=Engine(compile="course_failing"))
    assert capsys.readouterr().out.count("no C++ compiler here") == 1
    assert torch.equal(weights(one), weights(two))


def test_a_compiler_that_fails_in_mid_run(capsys):
    """A last batch of another size is compiled anew, or not."""
    from torch._dynamo import register_backend

    calls = []

    def fails_later(graph, inputs):
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("the disk is full")
        return graph.forward

    register_backend(fails_later, name="course_fails_later")
    one, two = small(), small()
    train(one, size=16)
    train(two, size=16, engine=Engine(compile="course_fails_later"))
    assert capsys.readouterr().out.count("the disk is full") == 1
    assert torch.allclose(weights(one), weights(two), atol=1e-6)


def test_a_backend_that_is_unknown_is_said_and_the_run_goes_on(capsys):
    net = small()
    train(net, size=8, engine=Engine(compile="no_such_backend"))
    assert "not compiled, the run goes on without" in capsys.readouterr().out


def test_a_compiled_net_learns_the_same_and_keeps_its_names():
    one, two = small(), small()
    train(one, size=8)
    best = BestWeights()
    train(two, size=8, engine=Engine(compile="eager"), callbacks=best)
    assert torch.allclose(weights(one), weights(two), atol=1e-6)
    assert set(two.state_dict()) == set(best.state_dict()["weights"])


# -- augmentation ---------------------------


def test_augmentation_is_drawn_for_each_picture_and_for_training_alone():
    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 4)

        def forward(self, images):
            seen.append((self.training, images))
            return self.head(images.mean((2, 3)))

    torch.manual_seed(0)
    same = [(torch.arange(48.0).reshape(3, 4, 4), 1)] * 32
    net = Net()
    fit(net, make_loader(same, batch_size=32), make_loader(same), epochs=1,
        optimizer=torch.optim.SGD(net.parameters(), lr=0.1), progress=False,
        engine=Engine(augment=v2.RandomHorizontalFlip()))  # fmt: skip
    (_, trained), (_, held) = seen
    flipped = sum(not torch.equal(picture, same[0][0]) for picture in trained)
    assert 5 < flipped < 27
    assert all(torch.equal(picture, same[0][0]) for picture in held)


def test_mixup_takes_the_batch():
    net = small()
    history = train(net, size=10, step=soft_label_step,
                    engine=Engine(augment=v2.MixUp(num_classes=4)))  # fmt: skip
    assert history["train_loss"].notna().all()


# -- nothing is fetched from a device at each batch ---------------------------


class Fetches(TorchDispatchMode):
    """Count what would wait for a GPU: numbers that are taken out of tensors."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    from course_utils.training import batches, totals, updates

    for module in (totals, updates):
        monkeypatch.setattr(module, "waits", lambda device: True)

    def moved(value, device):
        copied = value.clone()
        copied.course_range = batches.range_of(value) if value.ndim == 1 else None
        return copied

    monkeypatch.setattr(batches, "_moved", moved)


@pytest.mark.parametrize("n", [40, 400])
def test_batches_are_trained_without_waiting_for_the_device(as_on_a_gpu, n):
    net = small()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    data = [(image, torch.tensor(label)) for image, label in pictures(n)]
    loader = make_loader(data, batch_size=4)
    with Fetches() as fetched:
        found = train_one_epoch(net, loader, optimizer, progress=False)
    on_cpu = 2 * len(loader)  # the range of the labels, before they are moved
    assert fetched.count - on_cpu < 12, "an epoch's sums alone"
    assert found["images"] == n


def test_lazy_sums_are_the_sums(as_on_a_gpu):
    lazy = evaluate(small(), make_loader(pictures(), batch_size=7))
    assert lazy == pytest.approx(usual(), abs=1e-6)


def usual():
    net, right, loss = small().eval(), 0, 0.0
    for image, label in pictures():
        logits = net(image[None])
        right += int(logits.argmax()) == label
        loss += nn.functional.cross_entropy(logits, torch.tensor([label])).item()
    return {"loss": loss / 40, "accuracy": right / 40, "images": 40}


def test_a_loss_that_is_not_finite_is_found_all_the_same(as_on_a_gpu):
    data = pictures()
    data[13] = (torch.full((3, 8, 8), torch.nan), 1)
    net = small()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="loss is nan in epoch 1, batch 4"):
        train_one_epoch(net, make_loader(data, batch_size=4), optimizer)


# -- history ---------------------------


def test_the_history_has_every_groups_rate():
    net = small()
    groups = [{"params": net[0].parameters(), "lr": 0.01, "name": "stem"},
              {"params": net[-1].parameters(), "lr": 0.1, "name": "head"}]  # fmt: skip
    optimizer = torch.optim.SGD(groups)
    halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    loader = make_loader(pictures(), batch_size=20)
    history = fit(net, loader, None, optimizer=optimizer, epochs=2, scheduler=halved,
                  progress=False)  # fmt: skip
    assert history["lr_stem"].tolist() == [0.01, 0.005]
    assert history["lr_head"].tolist() == history["lr"].tolist() == [0.1, 0.05]


def test_an_engine_can_be_copied_and_shown():
    engine = Engine(precision="bfloat16", channels_last=True)
    assert repr(copy.deepcopy(engine)) == (
        "Engine(precision='bfloat16', channels_last=True)"
    )
