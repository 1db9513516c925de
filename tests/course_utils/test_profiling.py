"""Where a batch's time goes, named in one line; and nothing is left of the profile."""

import time

import pytest
import torch
from torch import nn

from course_utils.training import Engine, make_loader, profile


class Slow(torch.utils.data.Dataset):
    def __init__(self, seconds, n=24):
        self.seconds, self.n = seconds, n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return torch.ones(3, 4, 4), index % 2


class Sleeps(nn.Module):
    """A net that waits in one of its passes."""

    def __init__(self, forward=0.0, backward=0.0):
        super().__init__()
        self.norm, self.head = nn.BatchNorm2d(3), nn.Linear(3, 2)
        self.seconds, self.later = forward, backward

    def forward(self, images):
        time.sleep(self.seconds)
        logits = self.head(self.norm(images).mean((2, 3)))
        if logits.requires_grad:
            logits.register_hook(lambda gradient: time.sleep(self.later))
        return logits


class SleepingSGD(torch.optim.SGD):
    def step(self, closure=None):
        time.sleep(0.1)
        return super().step(closure)


def profiled(net=None, seconds=0.0, kind=torch.optim.SGD, **options):
    net = net or Sleeps()
    optimizer = kind(net.parameters(), lr=0.1, momentum=0.9)
    loader = make_loader(Slow(seconds), batch_size=4, shuffle=True)
    return profile(net, loader, optimizer, **options)


@pytest.mark.parametrize(
    "part, options",
    [
        ("data", {"seconds": 0.03}),
        ("forward", {"net": Sleeps(forward=0.1)}),
        ("backward", {"net": Sleeps(backward=0.1)}),
        ("optimizer", {"kind": SleepingSGD}),
    ],
)
def test_what_takes_longest_is_named_with_what_to_try(part, options):
    found = profiled(**options)
    assert found.bottleneck == part and found.batches == 4
    line = str(found)
    assert line.startswith(f"{part} takes longest") and "Try:" in line
    assert "\n" not in line
    assert found.table().loc[part, "share"] > 0.5


def test_nothing_is_left_of_a_profile():
    net = Sleeps().eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    loader = make_loader(Slow(0.0), batch_size=4, shuffle=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    order, drawn = loader.generator.get_state(), torch.get_rng_state()
    profile(net, loader, optimizer, engine=Engine(accumulate=2))
    assert all(torch.equal(before[n], value) for n, value in net.state_dict().items())
    assert torch.equal(loader.generator.get_state(), order)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not net.training and not optimizer.state
    assert all(p.grad is None for p in net.parameters())


def test_fewer_batches_than_are_left_out_are_counted_all_the_same():
    assert profiled(batches=1).batches == 1
    net = Sleeps()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loader = make_loader(Slow(0.0, n=4), batch_size=4)
    assert profile(net, loader, optimizer).batches == 1
