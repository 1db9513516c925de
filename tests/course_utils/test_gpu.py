"""What only a GPU can show: the same results there, memory as predicted, checks at work.

    python -m pytest tests/course_utils/test_gpu.py -n0

Elsewhere these are skipped.
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

from course_utils.architectures import build
from course_utils.checkpoints import Checkpoint
from course_utils.features import extract_features
from course_utils.inspection import inspect_model
from course_utils.lr_finder import lr_range_test
from course_utils.predictions import predict
from course_utils.training import Engine, evaluate, fit, make_loader, soft_label_step

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine has no GPU"
)
CLASSES = 4


@pytest.fixture(autouse=True)
def exact():
    """Convolutions in full float32, so that both devices compute the same."""
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32


def pictures(n=48, side=16):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, side, side, generator=generator)
    labels = torch.randint(CLASSES, (n,), generator=generator).tolist()
    return list(zip(images, labels, strict=True))


def small(norm=True):
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(8)] if norm else []
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), *norms, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, CLASSES),
    )  # fmt: skip


def train(engine=None, *, net=None, epochs=3, **options):
    net = small() if net is None else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    loader = make_loader(pictures(), batch_size=8, shuffle=True, seed=3)
    history = fit(net, loader, loader, optimizer=optimizer, epochs=epochs,
                  engine=engine, progress=False, **options)  # fmt: skip
    return net, history


def test_a_run_learns_there_what_it_learns_here():
    here, there = train(), train(Engine(device="cuda"))
    assert next(there[0].parameters()).is_cuda
    assert there[1]["train_loss"].tolist() == pytest.approx(
        here[1]["train_loss"].tolist(), abs=1e-4
    )
    assert there[1]["val_accuracy"].tolist() == here[1]["val_accuracy"].tolist()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_half_precision_stays_near(precision, channels_last):
    _, here = train()
    engine = Engine(device="cuda", precision=precision, channels_last=channels_last)
    _, there = train(engine)
    assert there["train_loss"].iloc[-1] == pytest.approx(
        here["train_loss"].iloc[-1], abs=0.05
    )


def test_accumulated_batches_are_the_large_batch_there():
    nets = []
    for size, times in ((16, 1), (4, 4)):
        net = small(norm=False)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        loader = make_loader(pictures(), batch_size=size)
        fit(net, loader, loader, optimizer=optimizer, epochs=1, progress=False,
            engine=Engine(device="cuda", accumulate=times))  # fmt: skip
        nets.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*nets, atol=1e-5)


def test_a_compiled_run_learns_the_same():
    _, plain = train(Engine(device="cuda"))
    _, compiled = train(Engine(device="cuda", compile=True))
    assert compiled["train_loss"].tolist() == pytest.approx(
        plain["train_loss"].tolist(), abs=1e-3
    )


def test_augmentation_and_mixup_run_on_the_device():
    seen = []

    def watch(image):
        seen.append(image.device.type)
        return image

    train(Engine(device="cuda", augment=[watch, v2.RandomHorizontalFlip()]), epochs=1)
    assert set(seen) == {"cuda"}
    mix = Engine(device="cuda", augment=v2.MixUp(num_classes=CLASSES))
    _, history = train(mix, epochs=1, step=soft_label_step)
    assert history["train_loss"].notna().all()


def test_resumed_there_it_ends_where_an_unbroken_run_does(tmp_path):
    half = {"device": "cuda", "precision": "float16"}
    whole, history = train(Engine(**half), epochs=4)
    train(Engine(**half), epochs=2, callbacks=[Checkpoint(tmp_path / "run")])
    resumed, again = train(Engine(**half), epochs=4, resume=tmp_path / "run")
    assert again["train_loss"].tolist() == pytest.approx(
        history["train_loss"].tolist(), abs=1e-4
    )
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_features_predictions_and_scores_are_the_same_there():
    here = small().eval()
    there = copy.deepcopy(here).cuda()
    data = pictures()
    logits = [predict(model, data).logits for model in (here, there)]
    assert logits[1].device.type == "cpu"
    assert torch.allclose(*logits, atol=1e-4)
    found = [extract_features(m, data, layer="4", cache=False).features
             for m in (here, there)]  # fmt: skip
    assert torch.allclose(*found, atol=1e-4)
    loader = make_loader(data, batch_size=8)
    scores = [evaluate(model, loader) for model in (here, there)]
    assert scores[0]["accuracy"] == scores[1]["accuracy"]


def test_the_range_test_leaves_a_model_there_as_it_was():
    net = small().cuda()
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    loader = make_loader(pictures(), batch_size=8)
    curve = lr_range_test(net, loader, optimizer, num_iter=20)
    assert len(curve.lrs) > 3
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "efficientnet_b0", "vit_b_32"]
)
def test_memory_follows_the_prediction(name):
    batch, report = 32, inspect_model(name, input_size=(3, 224, 224))
    predicted = report.memory(batch, mode="full", optimizer="adam").peak
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    began = torch.cuda.memory_allocated()
    model = build(name).cuda().train()
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.randn(batch, 3, 224, 224, device="cuda")
    labels = torch.zeros(batch, dtype=torch.long, device="cuda")
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    measured = torch.cuda.max_memory_allocated() - began
    assert predicted / measured == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_checks_work_whatever_the_default_device_is(device):
    grading = pytest.importorskip("courseware.grading")
    torch.set_default_device(device)
    try:

        def freeze(model, num_classes):
            model.requires_grad_(False)
            model.fc = nn.Linear(model.fc.in_features, num_classes)
            return model

        assert grading.examine("04.1", freeze).status == "passed"
        assert torch.get_default_device().type == device
    finally:
        torch.set_default_device(None)
