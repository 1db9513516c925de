"""Seeds, device, threads, and the report of the machine."""

import random

import numpy as np
import pytest
import torch

from course_utils.runtime import (
    environment_report,
    preferred_device,
    seed_everything,
    set_threads,
)


def draws(seed):
    generator = seed_everything(seed)
    numbers = random.random(), np.random.rand(), torch.rand(1).item()
    return *numbers, torch.rand(1, generator=generator).item()


def test_the_same_seed_gives_the_same_numbers_everywhere():
    assert draws(3) == draws(3)
    assert all(a != b for a, b in zip(draws(3), draws(4), strict=True))


def test_the_device_can_hold_a_tensor():
    assert torch.ones(2, device=preferred_device()).sum().item() == 2


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        set_threads(before)


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        set_threads(0)


def test_the_report_names_versions_and_device():
    report = environment_report()["here"]
    assert report["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert report["device"] == str(preferred_device())
    assert "threads" in report.index


def test_a_missing_package_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr("course_utils.runtime.PACKAGES", ("no-such-package",))
    found = environment_report()["here"]["no-such-package"]
    assert found == "not installed: pip install -r requirements.txt"
