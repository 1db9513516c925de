import io
import os
import random
import re
import stat
import sys
from pathlib import Path

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


# -- damage ----------------------------------------------------------------------------


def _flipped(data, place, bit):
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def _without_checksum(path):
    """Write a checkpoint as it was before there was a checksum."""
    content = torch.load(path, weights_only=True)
    for name in ("kinds", "parameters"):
        content.pop(name, None)
    torch.save(content, path)


def _equal(one, other):
    """Whether two nested states hold the same, to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


@pytest.mark.parametrize("checksum", [True, False])
def test_of_300_flipped_bits_none_loads_anything_else(tmp_path, capsys, checksum):
    path, saved, model = tmp_path / "a.pt", _run(0, own_generator=True), _net()
    _fit(saved, 1)
    states = {k: saved[k] for k in ("model", "optimizer")}
    save_checkpoint(path, epoch=1, rng=False, **states)
    if not checksum:
        _without_checksum(path)
    data = path.read_bytes()
    os.replace(path, previous_path(path))
    draw, noticed = random.Random(0), 0
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(300):
        path.write_bytes(_flipped(data, draw.randrange(len(data)), draw.randrange(8)))
        load_checkpoint(path, model=model, optimizer=optimizer, rng=False)
        noticed += "Taking the checkpoint before" in capsys.readouterr().out
        assert _equal(model.state_dict(), saved["model"].state_dict())
        assert _equal(optimizer.state_dict(), saved["optimizer"].state_dict())
    # A zip's own sums leave out its padding, which is most of so small a file.
    assert noticed == 300 if checksum else noticed > 50


NO_CHECKPOINTS = {
    "one byte": b"P",
    "nothing": b"",
    "zeros": bytes(5000),
    "noise": random.Random(0).randbytes(5000),
    "a page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
}


@pytest.mark.parametrize("data", NO_CHECKPOINTS.values(), ids=NO_CHECKPOINTS.keys())
def test_what_is_no_checkpoint_gives_way_to_the_one_before(tmp_path, capsys, data):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    save_checkpoint(path, model=_net(), epoch=2)
    path.write_bytes(data)
    assert load_checkpoint(path, model=_net())["epoch"] == 1
    assert "a.pt is damaged or cut short" in capsys.readouterr().out
    previous_path(path).unlink()
    with pytest.raises(CheckpointError, match="or never was a checkpoint"):
        load_checkpoint(path, model=_net())


def test_zeros_in_the_middle_are_noticed(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=nn.Linear(90, 90), epoch=1)
    save_checkpoint(path, model=nn.Linear(90, 90), epoch=2)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(4096))
    assert load_checkpoint(path, model=nn.Linear(90, 90))["epoch"] == 1


def test_a_file_of_before_there_was_a_checksum_still_loads(tmp_path):
    run, fresh = _run(0, own_generator=True), _run(1, own_generator=True)
    path = save_checkpoint(tmp_path / "a.pt", epoch=3, **run)
    _without_checksum(path)
    assert load_checkpoint(path, **fresh)["epoch"] == 3
    assert _equal(fresh["model"].state_dict(), run["model"].state_dict())


def test_other_tools_read_the_file_as_any_of_torch_s(tmp_path):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=3)
    assert torch.load(path, weights_only=True)["epoch"] == 3
    assert torch.load(path, weights_only=True, mmap=True)["epoch"] == 3


def test_both_the_new_and_the_one_before_are_there_at_every_moment(
    tmp_path, monkeypatch
):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    save_checkpoint(path, model=_net(), epoch=2)
    seen, replace = [], os.replace

    def watched(*names):
        replace(*names)
        seen.append(path.is_file() and previous_path(path).is_file())

    monkeypatch.setattr(os, "replace", watched)
    save_checkpoint(path, model=_net(), epoch=3)
    assert seen == [True, True]
    assert torch.load(previous_path(path), weights_only=True)["epoch"] == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no mode bits")
def test_a_private_umask_makes_private_checkpoints(tmp_path):
    before = os.umask(0o077)
    try:
        path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# -- another run's ---------------------------------------------------------------------


def _stepped(model, optimizer):
    model(torch.randn(2, *_shape(model))).sum().backward()
    optimizer.step()
    return optimizer


def _shape(model):
    return (3, 6, 6) if hasattr(model, "conv") else (4,)


def _same(names):
    """A net of equal layers: shapes tell no parameter from another."""
    net = nn.Sequential()
    for name in names:
        net.add_module(name, nn.Linear(4, 4))
    return net


def _reordered(model):
    return [*reversed(list(model.parameters()))]


OTHERS = {
    "kind": (torch.optim.AdamW, lambda m: torch.optim.SGD(m.parameters(), 0.1),
             "holds for optimizer a AdamW, not a SGD"),
    "back": (lambda p: torch.optim.SGD(p, 0.1), lambda m: torch.optim.Adam(m.parameters()),
             "a SGD, not a Adam"),
    "order": (torch.optim.Adam, lambda m: torch.optim.Adam(_reordered(m)),
              r"one\.weight \(4, 4\) at place 0 of group 0, not two\.bias \(4,\)"),
    "swapped": (torch.optim.Adam,
                lambda m: torch.optim.Adam([*m.two.parameters(), *m.one.parameters()]),
                r"one\.weight \(4, 4\) at place 0 of group 0, not two\.weight"),
    "groups": (torch.optim.Adam,
               lambda m: torch.optim.Adam([{"params": x.parameters()} for x in m]),
               r"groups of \[4\] parameters, not of \[2, 2\]"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "other", "words"), OTHERS.values(), ids=OTHERS.keys())
def test_another_optimizer_is_named_and_nothing_changes(tmp_path, made, other, words):
    saved, model = _same(["one", "two"]), _same(["one", "two"])
    optimizer = _stepped(saved, made(saved.parameters()))
    path = save_checkpoint(tmp_path / "a.pt", model=saved, optimizer=optimizer, epoch=1)
    given = other(model)
    before = model.one.weight.clone(), given.state_dict()
    generator = torch.get_rng_state()
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(path, model=model, optimizer=given)
    assert _equal((model.one.weight, given.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), generator)


def test_another_scheduler_is_named_and_nothing_changes(tmp_path):
    run, fresh = _run(0, own_generator=True), _run(1, own_generator=True)
    path = save_checkpoint(tmp_path / "a.pt", epoch=1, **run)
    lrs = torch.optim.lr_scheduler
    for given, name in (
        (lrs.CosineAnnealingLR(fresh["optimizer"], 9), "CosineAnnealingLR"),
        (lrs.SequentialLR(fresh["optimizer"], [lrs.StepLR(fresh["optimizer"], 2)], []),
         r"SequentialLR\(StepLR\)"),
    ):  # fmt: skip
        fresh["scheduler"], before = given, given.state_dict()
        with pytest.raises(CheckpointError, match=f"scheduler a StepLR, not a {name}"):
            load_checkpoint(path, **fresh)
        assert given.state_dict() == before


def test_what_the_optimizer_moves_beside_the_model_has_a_name_too(tmp_path):
    def made():
        model, beside = _same(["one"]), _same(["a", "b"])
        return model, {"beside": beside}

    (saved, modules), (model, others) = made(), made()
    adam = torch.optim.Adam([*saved.parameters(), *modules["beside"].parameters()])
    path = save_checkpoint(
        tmp_path / "a.pt", model=saved, modules=modules, optimizer=adam, epoch=1
    )
    a, b = (layer.parameters() for layer in others["beside"])
    swapped = torch.optim.Adam([*model.parameters(), *b, *a])
    with pytest.raises(CheckpointError, match=r"beside\.a\.weight .* not beside\.b"):
        load_checkpoint(path, model=model, modules=others, optimizer=swapped)


class _Refusing(nn.Module):
    """What looks as if it fitted, and raises."""

    def state_dict(self):
        return {"a": 1}

    def load_state_dict(self, state):
        raise KeyError("b")


class _Refuses:
    state_dict, load_state_dict = _Refusing.state_dict, _Refusing.load_state_dict


def test_one_part_that_refuses_leaves_all_others_as_they_were(tmp_path):
    run, fresh = _run(0, own_generator=True), _run(1, own_generator=True)
    _stepped(run["model"], run["optimizer"])
    path = save_checkpoint(
        tmp_path / "a.pt", epoch=1, modules={"it": _Refuses()}, **run
    )
    before = [fresh[k].state_dict() for k in ("model", "optimizer", "scheduler")]
    before = torch.load(_saved_to_memory(before), weights_only=True)
    with pytest.raises(CheckpointError, match=r"fit _Refuses \(modules it\): KeyError"):
        load_checkpoint(path, modules={"it": _Refuses()}, **fresh)
    after = [fresh[k].state_dict() for k in ("model", "optimizer", "scheduler")]
    assert _equal(after, before)


def _saved_to_memory(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return file


# -- what is kept beside ---------------------------------------------------------------


def test_a_scaler_among_the_modules_comes_back(tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1,
                           modules={"scaler": scaler})  # fmt: skip
    fresh = torch.amp.GradScaler("cpu")
    load_checkpoint(path, model=_net(), modules={"scaler": fresh})
    assert fresh.get_scale() == 8.0
    with pytest.raises(CheckpointError, match="modules scaler a GradScaler, not a SGD"):
        wrong = torch.optim.SGD(_net().parameters(), 0.1)
        load_checkpoint(path, model=_net(), modules={"scaler": wrong})


class _Best:
    """A callback with a state."""

    def __init__(self, best=None):
        self.best = best

    def state_dict(self):
        return {"best": self.best}

    def load_state_dict(self, state):
        self.best = state["best"]


def test_callbacks_with_a_state_come_back_and_others_are_passed_over(tmp_path):
    path = save_checkpoint(
        tmp_path / "a.pt", model=_net(), epoch=1, callbacks=[object(), _Best(0.5)]
    )
    fresh = _Best()
    load_checkpoint(path, model=_net(), callbacks=[fresh, object()])
    assert fresh.best == 0.5
    with pytest.raises(
        CheckpointError, match="no callback '1 _Best'; it holds 0 _Best"
    ):
        load_checkpoint(path, model=_net(), callbacks=[fresh, _Best()])
    bare = save_checkpoint(tmp_path / "b.pt", model=_net(), epoch=1, callbacks=[])
    with pytest.raises(CheckpointError, match="holds no callbacks"):
        load_checkpoint(bare, model=_net(), callbacks={"best": fresh})


# -- what cannot be kept ---------------------------------------------------------------


HISTORIES = {
    "timestamp": (pd.Timestamp("2026-01-01"), r"history\['x'\]\[1\] is a Timestamp"),
    "path": (Path("a"), r"history\['x'\]\[1\] is a \w*Path"),
    "array": (np.zeros(2), r"history\['x'\]\[1\] is a ndarray"),
}


@pytest.mark.parametrize(("value", "words"), HISTORIES.values(), ids=HISTORIES.keys())
def test_a_history_that_could_not_be_read_is_refused_when_saved(tmp_path, value, words):
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1)
    history = pd.DataFrame(
        {"loss": [1.0, 2.0], "x": pd.Series(["", value], dtype=object)}
    )
    with pytest.raises(CheckpointError, match=words):
        save_checkpoint(path, model=_net(), epoch=2, history=history)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert load_checkpoint(path, model=_net())["epoch"] == 1


def test_a_column_of_times_is_refused_too(tmp_path):
    history = pd.DataFrame({"when": pd.to_datetime(["2026-01-01"])})
    with pytest.raises(CheckpointError, match=r"history\['when'\]\[0\] .*str\(…\)"):
        save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1, history=history)


def test_a_history_of_all_that_can_be_read_comes_back_equal(tmp_path):
    history = pd.DataFrame(
        {"loss": [1.0, float("nan")], "n": [1, 2], "ok": [True, False], "t": ["a", "ü"]}
    )
    history["mixed"] = pd.Series([np.float64(0.5), None], dtype=object)
    path = save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1, history=history)
    found = load_checkpoint(path, model=_net())["history"]
    assert found.drop(columns="mixed").equals(history.drop(columns="mixed"))
    assert found["mixed"][0] == 0.5


def test_a_module_whose_state_could_not_be_read_is_named(tmp_path):
    modules = {"it": _Best(Path("a"))}
    words = r"modules\['it'\]\['best'\] is a \w*Path, which could not be loaded"
    with pytest.raises(CheckpointError, match=words):
        save_checkpoint(tmp_path / "a.pt", model=_net(), epoch=1, modules=modules)
    assert not list(tmp_path.iterdir())


def test_numpy_s_numbers_are_numbers(tmp_path):
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=np.geomspace(0.1, 1, 3)[1])
    path = save_checkpoint(tmp_path / "a", model=model, optimizer=optimizer, epoch=1)
    fresh = torch.optim.SGD(model.parameters(), lr=1.0)
    load_checkpoint(path, model=model, optimizer=fresh)
    assert fresh.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_places_that_hold_no_checkpoint_are_named(tmp_path):
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path, "is a folder: name a file in it"),
        (tmp_path / "a.safetensors", r"tensors only, .* Name it \.pt"),
        (
            tmp_path / "file" / "a.pt",
            r"a\.pt was not written: .*another disk or folder",
        ),
    ):
        with pytest.raises(CheckpointError, match=words):
            save_checkpoint(path, model=_net(), epoch=1)


# -- compiled, and other types ---------------------------------------------------------


@pytest.mark.parametrize("part", ["whole", "a layer"])
@pytest.mark.parametrize("when", ["saved", "loaded"])
def test_a_compiled_model_s_names_are_made_to_fit(tmp_path, capsys, when, part):
    """`torch.compile` wraps; nothing runs here, so nothing is compiled."""

    def wrapped(model):
        if part == "whole":
            return torch.compile(model)
        model.fc = torch.compile(model.fc)
        return model

    plain, other = _net(), _net()
    saved, model = (
        (wrapped(plain), other) if when == "saved" else (plain, wrapped(other))
    )
    adam = torch.optim.Adam(saved.parameters())
    path = save_checkpoint(tmp_path / "a.pt", model=saved, optimizer=adam, epoch=1)
    load_checkpoint(path, model=model, optimizer=torch.optim.Adam(model.parameters()))
    one, two = saved.state_dict(), model.state_dict()
    assert all(
        torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True)
    )
    assert "made to fit" in capsys.readouterr().out


def test_arguments_of_another_type_are_named(tmp_path):
    path = tmp_path / "a.pt"
    for options, words in (
        ({"model": None}, "model must be a Module, got None"),
        ({"optimizer": 0.1}, "optimizer must be an Optimizer or None, got 0.1"),
        ({"modules": {"it": 3}}, "modules must be a mapping of a string to a Stateful"),
        ({"history": [1]}, "history must be a DataFrame or None"),
    ):
        with pytest.raises(TypeError, match=words):
            save_checkpoint(path, **{"model": _net(), "epoch": 1, **options})
    for epoch in (-1, 1.5, None):
        with pytest.raises(ValueError, match="epoch must be"):
            save_checkpoint(path, model=_net(), epoch=epoch)
    for call in (save_checkpoint, load_checkpoint):
        with pytest.raises(TypeError, match="path must be a string or a PathLike"):
            call(
                None, model=_net(), **({"epoch": 1} if call is save_checkpoint else {})
            )
    assert not list(tmp_path.iterdir())
