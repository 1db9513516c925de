import torch
from torch import nn
from torch.nn import functional as F

from course_utils.memory import StorageMeter, state_bytes, tensor_bytes


def test_the_meter_follows_what_lives():
    with StorageMeter() as meter:
        a = torch.zeros(100)
        b = a + 1
        assert meter.alive == 800
        del a
        assert (meter.alive, meter.peak) == (400, 800)
        c = b.view(10, 10)
        assert meter.alive == 400
    assert c.shape == (10, 10)


def test_what_lived_before_does_not_count_nor_do_views_of_it():
    weight = torch.zeros(50, 20)
    with StorageMeter() as meter:
        view = weight.t()
        assert meter.alive == 0
        out = torch.zeros(3, 50) @ weight
    assert view.shape == (20, 50) and meter.alive == 3 * 20 * 4 == out.nbytes


def test_a_training_step_on_meta_takes_the_bytes_of_the_real_one():
    def step(device):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
            nn.Linear(8 * 14 * 14, 5),
        ).to(device)  # fmt: skip
        with StorageMeter() as meter:
            images = torch.zeros(4, 3, 16, 16, device=device)
            labels = torch.zeros(4, dtype=torch.long, device=device)
            F.cross_entropy(model(images), labels).backward()
        return meter.peak

    assert step("meta") == step("cpu") > 4 * 8 * 14 * 14 * 4


def test_bytes_of_tensors_count_a_shared_one_once():
    a = torch.zeros(5)
    assert tensor_bytes([a, a, torch.zeros(2, dtype=torch.float64)]) == 36
    assert state_bytes(nn.BatchNorm1d(4)) == 4 * 4 * 4 + 8
