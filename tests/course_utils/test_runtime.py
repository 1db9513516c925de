import random

import numpy as np
import pytest
import torch

from course_utils import runtime
from course_utils.runtime import (
    environment_report,
    generators_kept,
    preferred_device,
    seed_everything,
    set_threads,
    show_progress,
)


def _draws(seed):
    generator = seed_everything(seed)
    return (
        random.random(),
        np.random.rand(),
        torch.rand(1).item(),
        torch.rand(1, generator=generator).item(),
    )


def test_one_seed_decides_python_numpy_and_torch():
    assert _draws(3) == _draws(3)
    assert all(a != b for a, b in zip(_draws(3), _draws(4), strict=True))


def test_the_generator_has_the_same_seed():
    assert seed_everything(7).initial_seed() == 7


def test_the_device_is_the_cpu_where_there_is_no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert preferred_device() == torch.device("cpu")


def test_an_accelerator_comes_first(monkeypatch):
    found = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: found)
    assert preferred_device() == found


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("n", [0, -2, 1.5, "2", None])
def test_threads_are_at_least_one(n):
    with pytest.raises(ValueError, match=f"at least 1, got {n!r}"):
        set_threads(n)


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None])
def test_a_seed_is_a_whole_number_and_a_wrong_one_seeds_nothing(seed):
    before = random.getstate()
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        seed_everything(seed)
    assert random.getstate() == before


def test_the_report_names_versions_and_device():
    here = environment_report()["here"]
    assert torch.__version__.startswith(here["torch"])
    assert here["device"] == str(preferred_device())


def test_a_missing_package_is_said_with_the_way_out(monkeypatch):
    monkeypatch.setattr(runtime, "PACKAGES", ("no-such-package",))
    here = environment_report()["here"]
    assert here["no-such-package"].startswith("not installed: pip install")


@pytest.mark.parametrize(("asked", "setting", "shown"), [
    (True, "0", True), (False, "1", False), (None, "0", False), (None, None, True),
])  # fmt: skip
def test_bars_are_shown_as_asked_else_where_somebody_looks(
    monkeypatch, asked, setting, shown
):
    monkeypatch.setitem(runtime.sys.modules, "ipykernel", runtime)
    monkeypatch.delenv("COURSE_PROGRESS")
    if setting:
        monkeypatch.setenv("COURSE_PROGRESS", setting)
    assert show_progress(asked) is shown


def test_generators_are_given_back_also_after_an_error():
    seed_everything(3)
    before = random.random(), np.random.rand(), torch.rand(1).item()
    seed_everything(3)
    with pytest.raises(KeyError), generators_kept():
        random.random(), np.random.rand(), torch.rand(9)
        raise KeyError
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == before
