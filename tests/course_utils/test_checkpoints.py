import os
import random
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.checkpoints import load_checkpoint, previous_path, save_checkpoint
from course_utils.errors import CheckpointError
from course_utils.training import fit, make_loader

TIMES = ["seconds", "images_per_second"]


def _net(fc=None):
    net = nn.Sequential()
    net.conv = nn.Conv2d(3, 4, 3)
    net.bn = nn.BatchNorm2d(4)
    net.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5))
    net.fc = fc or nn.Linear(4, 3)
    return net


def _data(n=20):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, 6, 6, generator=generator)
    return TensorDataset(images, torch.arange(n) % 3)


def _run(seed, *, own_generator):
    """Fresh objects of one run, drawn from a seed."""
    torch.manual_seed(seed)
    model = _net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    shuffled = DataLoader(_data(), 8, shuffle=True)
    loader = make_loader(_data(), batch_size=8, shuffle=True, seed=seed)
    return {
        "model": model,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "loader": loader if own_generator else shuffled,
    }


def _fit(run, epochs, history=None):
    return fit(
        run["model"],
        run["loader"],
        DataLoader(_data(9), 9),
        optimizer=run["optimizer"],
        scheduler=run["scheduler"],
        epochs=epochs,
        history=history,
    )


def _saved(run, own_generator):
    return run if own_generator else {k: v for k, v in run.items() if k != "loader"}


@pytest.mark.parametrize("own_generator", [True, False])
def test_a_run_resumed_is_bit_equal_to_one_that_never_stopped(tmp_path, own_generator):
    whole = _run(0, own_generator=own_generator)
    expected = _fit(whole, 4)

    first = _run(0, own_generator=own_generator)
    history = _fit(first, 2)
    path = tmp_path / "run.pt"
    save_checkpoint(path, epoch=2, history=history, **_saved(first, own_generator))
    second = _run(99, own_generator=own_generator)
    found = load_checkpoint(path, **_saved(second, own_generator))
    resumed = _fit(second, 4, history=found["history"])

    assert found["epoch"] == 2
    pd.testing.assert_frame_equal(
        resumed.drop(columns=TIMES), expected.drop(columns=TIMES), check_exact=True
    )
    for name, tensor in whole["model"].state_dict().items():
        assert torch.equal(tensor, second["model"].state_dict()[name]), name


def test_all_three_generators_come_back(tmp_path):
    model = _net()
    path = save_checkpoint(tmp_path / "a.pt", model=model, epoch=1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    load_checkpoint(path, model=model)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_rng_false_leaves_the_generators_alone(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    model = _net()
    torch.manual_seed(5)
    expected = torch.get_rng_state()
    load_checkpoint(path, model=model, rng=False)
    assert torch.equal(torch.get_rng_state(), expected)


def test_what_learns_beside_the_model_is_kept_by_name(tmp_path):
    beside = nn.Linear(2, 2)
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1,
                           modules={"projector": beside})  # fmt: skip
    fresh, model = nn.Linear(2, 2), _net()
    load_checkpoint(path, model=model, modules={"projector": fresh})
    assert torch.equal(fresh.weight, beside.weight)
    before = model.conv.weight.clone()
    for modules, words in [
        ({"weights": fresh}, "no module 'weights'; it holds projector"),
        ({"projector": nn.Linear(3, 2)}, "does not fit Linear: .*weight"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            load_checkpoint(path, model=_net(), modules=modules)
    assert torch.equal(model.conv.weight, before)
    bare = save_checkpoint(tmp_path / "b.pt", model=_net(), epoch=1)
    with pytest.raises(CheckpointError, match="holds no modules"):
        load_checkpoint(bare, model=_net(), modules={"projector": fresh})


def test_a_history_is_optional(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=0)
    assert load_checkpoint(path, model=_net())["history"].empty


def test_another_head_is_named_by_its_keys_and_changes_nothing(tmp_path):
    saved = _net(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    path = save_checkpoint(tmp_path / "a.pt", model=saved, epoch=1)
    model = _net()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(path, model=model)
    for words in ("missing, such as fc.bias, fc.weight", "fc.0.bias", "same head"):
        assert words in str(error.value)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_another_number_of_classes_is_named_with_both_shapes(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(nn.Linear(4, 7)), epoch=1)
    words = r"fc\.weight \(7, 4\) instead of \(3, 4\)"
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(path, model=_net())


def test_another_architecture_is_refused(tmp_path):
    other = nn.Sequential(*(nn.Linear(2, 2) for _ in range(9)))
    path = save_checkpoint(tmp_path / "a.pt", model=other, epoch=1)
    with pytest.raises(CheckpointError, match="Check that the architecture"):
        load_checkpoint(path, model=_net())


def test_another_optimizer_is_refused_before_the_model_changes(tmp_path):
    saved, model = _net(), _net()
    adam = torch.optim.Adam(saved.fc.parameters())
    path = save_checkpoint(tmp_path / "a.pt", model=saved, optimizer=adam, epoch=1)
    before = model.fc.weight.clone()
    with pytest.raises(CheckpointError, match="Freeze the same stages"):
        load_checkpoint(
            path, model=model, optimizer=torch.optim.Adam(model.parameters())
        )
    assert torch.equal(model.fc.weight, before)


def test_what_was_not_saved_is_named(tmp_path):
    model = _net()
    path = save_checkpoint(tmp_path / "a.pt", model=model, epoch=1, rng=False)
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(CheckpointError, match="holds no optimizer, rng"):
        load_checkpoint(path, model=model, optimizer=optimizer)


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_truncated_checkpoint_gives_way_to_the_one_before(tmp_path, capsys):
    path, first, model = tmp_path / "a.pt", _net(), _net()
    save_checkpoint(path, model=first, epoch=1)
    save_checkpoint(path, model=_net(), epoch=2)
    _cut(path)
    assert load_checkpoint(path, model=model)["epoch"] == 1
    assert torch.equal(model.fc.weight, first.fc.weight)
    said = capsys.readouterr().out
    assert "a.pt is damaged or cut short" in said and "a.pt.previous" in said


def test_a_truncated_checkpoint_without_one_before_is_an_error(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    _cut(path)
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load_checkpoint(path, model=_net())


def test_killed_between_the_two_renames_the_one_before_is_found(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=3)
    os.replace(path, previous_path(path))
    assert load_checkpoint(path, model=_net())["epoch"] == 3


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*a\.pt"):
        load_checkpoint(tmp_path / "a.pt", model=_net())


def test_on_a_full_disk_the_checkpoint_that_was_there_stays(tmp_path, full_disk):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    with full_disk(500), pytest.raises(CheckpointError) as caught:
        save_checkpoint(path, model=_net(), epoch=2)
    words = r"a\.pt was not written: .* MB are free.*the one before is kept"
    assert re.search(words, str(caught.value))
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert load_checkpoint(path, model=_net())["epoch"] == 1


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_pickled_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint("a.pt", model=_net(), epoch=1)
    save_checkpoint("a.pt", model=_net(), epoch=2)
    torch.save({"model": {}, "epoch": 1, "more": _Evil()}, "a.pt")
    with pytest.raises(CheckpointError, match="pickled code"):
        load_checkpoint("a.pt", model=_net())
    assert not (tmp_path / "ran").exists()


def test_bare_weights_are_told_from_a_checkpoint(tmp_path):
    torch.save(_net().state_dict(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "a.pt", model=_net())


def test_a_loader_without_a_generator_is_refused(tmp_path):
    loader = DataLoader(_data(), 8, shuffle=True)
    with pytest.raises(ValueError, match="make_loader"):
        save_checkpoint(tmp_path / "a.pt", model=_net(), loader=loader, epoch=1)
    assert not list(tmp_path.iterdir())
