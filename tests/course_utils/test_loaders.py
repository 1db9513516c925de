import os
import subprocess
import sys
import textwrap
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from course_utils.checkpoints import Checkpoint
from course_utils.datasets import load_dataset, training_transform, with_attributes
from course_utils.training import fit, make_loader, workers
from course_utils.weights import load_backbone


class Noisy:
    """Ten numbers, each time with other noise of torch, NumPy and Python."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return torch.tensor([i, torch.rand(()), np.random.rand()]), i


def _numbers(n=10):
    return TensorDataset(torch.arange(n), torch.arange(n) % 2)


def _epochs(loader, count=2):
    return [[part.tolist() for part, *_ in loader] for _ in range(count)]


@pytest.fixture(scope="module")
def flowers():
    return load_dataset("flowers", per_class=4, image_size=32).train


# -- batches ---------------------------------------------------------------------------


def test_a_batch_made_at_once_is_what_its_pictures_are(flowers):
    whole = next(iter(make_loader(flowers, batch_size=7)))
    expected = default_collate([flowers[i] for i in range(7)])
    assert [type(part) for part in whole] == [torch.Tensor] * 2
    assert all(map(torch.equal, whole, expected))
    assert all(map(torch.equal, next(iter(DataLoader(flowers, 7))), expected))


def test_labels_by_task_come_at_once_too(flowers):
    tasks = with_attributes(flowers, ["species", "colour"], hide={"colour": 0.5})
    images, labels = next(iter(make_loader(tasks, batch_size=7)))
    expected, truth = default_collate([tasks[i] for i in range(7)])
    assert torch.equal(images, expected) and labels.keys() == truth.keys()
    assert all(torch.equal(labels[task], truth[task]) for task in truth)


def test_pictures_of_a_batch_can_be_had_one_by_one(flowers):
    items = flowers.__getitems__([3, 0])
    assert len(items) == 2 and isinstance(items[1][1], int)
    assert torch.equal(items[1][0], flowers[0][0])


# -- workers ---------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_order_is_the_same_with_and_without_workers(shuffle):
    orders = [
        _epochs(make_loader(_numbers(), batch_size=3, shuffle=shuffle, workers=workers))
        for workers in (0, 1, 2)
    ]
    assert orders[0] == orders[1] == orders[2]
    assert (orders[0][0] != orders[0][1]) == shuffle


def test_what_workers_draw_follows_from_the_seed_and_the_epoch_alone():
    runs = [
        _epochs(make_loader(Noisy(), batch_size=4, workers=workers, seed=seed))
        for workers, seed in ((1, 0), (2, 0), (2, 1))
    ]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0] != runs[0][1]


def test_workers_leave_the_generators_of_this_process_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    _epochs(make_loader(Noisy(), batch_size=4, workers=2))
    assert torch.equal(before, torch.get_rng_state())


def test_workers_stay_from_epoch_to_epoch_and_end_with_their_loader():
    loader = make_loader(Noisy(), batch_size=4, workers=2)
    _epochs(loader, 1)
    started = loader._readers._iterator._workers
    _epochs(loader, 2)
    assert loader._readers._iterator._workers is started
    del loader
    assert not any(worker.is_alive() for worker in started)


def test_a_loader_can_be_gone_through_within_itself_and_left_halfway():
    loader = make_loader(_numbers(), batch_size=4, workers=1)
    pairs = [
        (a.tolist(), b.tolist()) for (a, _), (b, _) in zip(loader, loader, strict=True)
    ]
    assert pairs == [(part, part) for part in _epochs(loader, 1)[0]]
    assert next(iter(loader))[0].tolist() == [0, 1, 2, 3]
    assert _epochs(loader, 1)[0][-1] == [8, 9]


def test_more_workers_than_cores_are_taken_without_a_word(recwarn, capsys):
    assert len(_epochs(make_loader(_numbers(), batch_size=2, workers=9), 1)[0]) == 5
    assert not recwarn.list and not capsys.readouterr().out


def test_a_run_with_workers_resumes_exactly(tmp_path, flowers):
    info = load_backbone("test_resnet", weights="bundled").weights_info
    moving = flowers.with_transform(training_transform(info, 32))

    def run(epochs, **more):
        torch.manual_seed(0)
        model = load_backbone("test_resnet", weights="random", num_classes=5)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        loader = make_loader(
            moving, batch_size=8, shuffle=True, workers=2, drop_last=True
        )
        fit(
            model,
            loader,
            None,
            optimizer=optimizer,
            epochs=epochs,
            progress=False,
            **more,
        )
        return model.state_dict()

    whole = run(2)
    path = tmp_path / "run.pt"
    run(1, callbacks=[Checkpoint(path)])
    again = run(2, callbacks=[Checkpoint(path, resume=True)])
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_an_error_of_the_dataset_is_passed_on_from_a_worker(capsys):
    class Broken(Noisy):
        def __getitem__(self, i):
            raise RuntimeError("no such picture")

    class Halfway(Noisy):
        def __getitem__(self, i):
            return super().__getitem__(i) if i < 5 else 1 / 0

    with pytest.raises(RuntimeError, match="no such picture"):
        _epochs(make_loader(Broken(), batch_size=4, workers=1))
    with pytest.raises(ZeroDivisionError):
        _epochs(make_loader(Halfway(), batch_size=4, workers=1))
    assert not capsys.readouterr().out


# -- where workers cannot start --------------------------------------------------------


class Dies(Noisy):
    """Kill the process that reads, unless it is the one that made the dataset."""

    def __init__(self):
        self.home = os.getpid()

    def __getitem__(self, i):
        if os.getpid() != self.home:
            os._exit(1)
        return super().__getitem__(i)


def test_where_workers_die_at_the_start_the_run_goes_on_without(capsys):
    loader = make_loader(Dies(), batch_size=4, shuffle=True, workers=1, seed=2)
    expected = _epochs(make_loader(_numbers(), batch_size=4, shuffle=True, seed=2))
    found = [[[row[0] for row in rows] for rows in epoch] for epoch in _epochs(loader)]
    assert found == expected
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "exited unexpectedly" in said
    assert "workers=1" in said and "reads the pictures itself" in said


def test_where_shared_memory_is_short_the_run_goes_on_without(capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")(64, 60, 4)
    monkeypatch.setattr(workers.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(workers.sys, "platform", "linux")
    loader = make_loader(Noisy(), batch_size=4, workers=2)
    assert len(_epochs(loader, 1)[0]) == 3 and loader.num_workers == 0
    assert "/dev/shm has 0" in capsys.readouterr().out


def test_a_dataset_is_tried_before_a_new_process_gets_it(monkeypatch, capsys):
    monkeypatch.setattr(workers, "get_start_method", lambda: "spawn")
    with_a_function = Noisy()
    with_a_function.change = lambda image: image
    list(make_loader(with_a_function, batch_size=4, workers=1))
    said = capsys.readouterr().out
    assert said.startswith("workers=1: ") and "lambda" in said and "\n" not in said[:-1]
    list(make_loader(_numbers(), batch_size=4, workers=1))
    assert not capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("place", ["notebook", "module"])
def test_a_new_process_finds_the_class_or_none_is_started(method, place, tmp_path):
    source = """
        import torch
        class Mine:
            def __len__(self): return 6
            def __getitem__(self, i): return torch.ones(2) * i, i
    """
    use = f"""
        import multiprocessing
        from course_utils.training import make_loader
        multiprocessing.set_start_method("{method}")
        loader = make_loader(Mine(), batch_size=4, workers=1)
        for epoch in range(2):
            print([labels.tolist() for _, labels in loader])
    """
    source, use = textwrap.dedent(source), textwrap.dedent(use)
    (tmp_path / "mine.py").write_text(source)
    first = source if place == "notebook" else "from mine import Mine"
    done = subprocess.run(
        [sys.executable, "-c", f"{first}\n{use}"], cwd=tmp_path, timeout=120,
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )  # fmt: skip
    assert done.stdout.count("[[0, 1, 2, 3], [4, 5]]") == 2
    assert ("Mine is defined in this notebook" in done.stdout) == (place == "notebook")


# -- samplers --------------------------------------------------------------------------


def test_a_sampler_decides_the_order():
    for sampler in ([3, 1, 1], torch.tensor([3, 1, 1]), np.array([3, 1, 1])):
        loader = make_loader(_numbers(), batch_size=2, sampler=sampler)
        assert _epochs(loader, 1) == [[[3, 1], [1]]] and len(loader) == 2


@pytest.mark.parametrize("make", [
    RandomSampler, lambda data: SubsetRandomSampler([2, 5, 7, 8]),
    lambda data: WeightedRandomSampler([1.0] * len(data), 6),
])  # fmt: skip
def test_a_sampler_without_a_generator_draws_from_the_seed(make):
    data = _numbers()
    runs = [_epochs(make_loader(data, batch_size=2, sampler=make(data), seed=seed))
            for seed in (0, 0, 1)]  # fmt: skip
    assert runs[0] == runs[1] != runs[2] and runs[0][0] != runs[0][1]
    own = RandomSampler(data, generator=torch.Generator().manual_seed(4))
    kept = own.generator
    make_loader(data, sampler=own)
    assert own.generator is kept


class Endless(Sampler):
    def __iter__(self):
        yield from range(3)


class Empty(Endless):
    def __len__(self):
        return 0


@pytest.mark.parametrize(("sampler", "message"), [
    (Endless(), "Endless.* has no length: give it __len__"),
    (Empty(), "sampler is empty"),
    (RandomSampler(range(7)), "made for 7 pictures .*the dataset has 10"),
    (WeightedRandomSampler([1.0] * 12, 4), r"made for 12 pictures \(its weights\)"),
    (SubsetRandomSampler([3, 10]), "reaches from 3 to 10, the dataset has 10"),
    ([-11], "reaches from -11"), ([], "whole numbers"), ([0.5], "float64"),
    (torch.zeros(2, 2), "of shape"), (3, "sampler is a int: give a torch Sampler"),
    ("abc", "sampler is a str"), (iter([1]), "give a torch Sampler"),
    (BatchSampler(SequentialSampler(range(10)), 2, False), "gives batches"),
])  # fmt: skip
def test_a_sampler_that_does_not_suit_is_refused(sampler, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_loader(_numbers(), sampler=sampler)


def test_a_sampler_and_shuffle_exclude_each_other():
    with pytest.raises(ValueError, match="leave out shuffle=True"):
        make_loader(_numbers(), sampler=[1, 2], shuffle=True)


@pytest.mark.parametrize("workers", [-1, 1.5, "2", None, True])
def test_workers_are_a_whole_number_from_0(workers):
    with pytest.raises(ValueError, match="make_loader: workers must be"):
        make_loader(_numbers(), workers=workers)


def test_a_stream_has_no_workers():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(_numbers())

    with pytest.raises(ValueError, match="each of them would give all pictures"):
        make_loader(Stream(), workers=2)
    assert len(list(make_loader(Stream(), batch_size=4))) == 3
