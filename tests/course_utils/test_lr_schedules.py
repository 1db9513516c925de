"""Schedules: what the rates are, and that groups keep their ratio."""

import math

import pytest
import torch
from torch import nn

from course_utils.lr_schedules import SCHEDULES, lr_schedule

STEPS = 20


def optimizer():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = [
        {"params": net[0].parameters(), "lr": 1e-4},
        {"params": net[1].parameters(), "lr": 1e-3},
    ]
    return torch.optim.AdamW(groups)


def rates(how, **options):
    """The rates of both groups at each step."""
    adam = optimizer()
    schedule = lr_schedule(adam, how, steps=STEPS, **options)
    seen = []
    for _ in range(STEPS):
        seen.append([group["lr"] for group in adam.param_groups])
        adam.step()
        schedule.step()
    return seen


@pytest.mark.parametrize("warmup", [0.0, 0.25])
@pytest.mark.parametrize("how", SCHEDULES)
def test_groups_keep_their_ratio(how, warmup):
    for low, high in rates(how, warmup=warmup)[:-1]:
        assert low == pytest.approx(high / 10, rel=1e-6)


@pytest.mark.parametrize("warmup", [0.0, 0.25])
@pytest.mark.parametrize("how", SCHEDULES)
def test_the_highest_rate_is_the_groups_own(how, warmup):
    assert max(high for _, high in rates(how, warmup=warmup)) == pytest.approx(1e-3)


@pytest.mark.parametrize("how", ["constant", "step", "cosine"])
def test_a_warm_up_begins_at_a_tenth_and_climbs(how):
    head = [high for _, high in rates(how, warmup=0.25)]
    assert head[0] == pytest.approx(1e-4)
    assert head[:6] == sorted(head[:6]) and head[5] == pytest.approx(1e-3)


def test_steps_divide_by_ten():
    head = [high for _, high in rates("step", drops=2)]
    assert head[:10] == pytest.approx([1e-3] * 10)
    assert head[10:] == pytest.approx([1e-4] * 10)


@pytest.mark.parametrize("how", ["cosine", "one-cycle"])
def test_the_end_is_near_zero(how):
    assert rates(how)[-1][1] < 1e-5


def test_a_warm_up_takes_its_steps_from_the_cosine_and_the_end_stays():
    head = [high for _, high in rates("cosine", warmup=0.25)]
    rest = 1 - 0.25
    last = 0.5 * (1 + math.cos(math.pi * (rest * STEPS - 1) / (rest * STEPS)))
    assert head[-1] == pytest.approx(1e-3 * last, rel=1e-6)


def test_one_cycle_peaks_where_the_warm_up_ends():
    head = [high for _, high in rates("one-cycle", warmup=0.5)]
    assert head.index(max(head)) == pytest.approx(STEPS / 2, abs=1)


@pytest.mark.parametrize(
    ("how", "options", "said"),
    [
        ("cosin", {}, "how must be one of"),
        ("step", {"drops": 0}, "drops must be a whole number of at least 1, got 0"),
        ("cosine", {"warmup": 1.0}, "warmup must be below 1"),
    ],
)
def test_bad_input_is_named(how, options, said):
    with pytest.raises(ValueError, match=said):
        rates(how, **options)


def test_too_few_steps_are_named():
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2"):
        lr_schedule(optimizer(), "cosine", steps=1)
