"""Runs that are killed and started again: the same end, to the bit."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from course_utils.checkpoints import (
    Checkpoint,
    load_checkpoint,
    previous_path,
    save_checkpoint,
)
from course_utils.errors import CheckpointError
from course_utils.layer_groups import UnfreezeSchedule
from course_utils.multitask import MultiTaskStep, UncertaintyWeights
from course_utils.param_groups import param_groups
from course_utils.training import BestWeights, EarlyStopping, fit, make_loader

TIMES = ["seconds", "images_per_second"]
EPOCHS = 8


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(8, 3)

    def forward(self, images):
        return self.fc(self.drop(self.middle(self.stem(images)).mean((2, 3))))


class _Cropped(Dataset):
    """Pictures of noise and a little colour, each time another crop."""

    def __init__(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(n) % 3
        self.images = torch.randn(n, 3, 14, 14, generator=generator)
        self.images[range(n), self.labels] += 0.3
        self.crop = v2.Compose([v2.RandomCrop(10), v2.RandomHorizontalFlip()])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.crop(self.images[i]), self.labels[i]


class Run:
    """All objects of a run; what is asked for by name."""

    def __init__(self, *, stages=True, patience=None, images=24, seed=0):
        torch.manual_seed(seed)
        self.model = _Net()
        groups = param_groups(self.model, 0.05, ratio=0.5, weight_decay=0.01)
        self.optimizer = torch.optim.AdamW(groups)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, gamma=0.7)
        self.train = make_loader(_Cropped(images, 1), batch_size=8, shuffle=True)
        self.val = make_loader(_Cropped(12, 2), batch_size=8, shuffle=True)
        self.best = BestWeights(monitor="val_accuracy")
        schedule = UnfreezeSchedule({1: "fc", 2: "middle", 4: "stem"})
        self.callbacks = [schedule] * stages + [self.best]
        if patience:
            self.stopping = EarlyStopping(patience=patience, monitor="val_accuracy")
            self.callbacks.append(self.stopping)

    def fit(self, *more, epochs=EPOCHS, history=None):
        self.history = fit(
            self.model, self.train, self.val, optimizer=self.optimizer, epochs=epochs,
            scheduler=self.scheduler, history=history, progress=False,
            callbacks=[*more, *self.callbacks],
        )  # fmt: skip
        return self


def same(one, other):
    """Whether two runs ended alike: weights, best weights, history, to the bit."""
    pd.testing.assert_frame_equal(
        one.history.drop(columns=TIMES), other.history.drop(columns=TIMES),
        check_exact=True,
    )  # fmt: skip
    assert one.best.epoch == other.best.epoch
    for a, b in zip(*[_states(run) for run in (one, other)], strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _states(run):
    return run.model.state_dict(), run.best.state_dict()["weights"]


class _Killed(BaseException):
    pass


class _KillAt:
    """Stop a run within an epoch, or between two, as a kill does."""

    def __init__(self, epoch, event):
        self.epoch = epoch
        setattr(self, event, self.kill)
        self.on_fit_end = lambda state: None

    def kill(self, state):
        if state.epoch == self.epoch:
            raise _Killed


@pytest.mark.parametrize("patience", [None, 2])
@pytest.mark.parametrize("event", ["on_epoch_start", "on_epoch_end"])
@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_killed_and_started_again_it_ends_the_same(tmp_path, epoch, event, patience):
    whole = Run(patience=patience).fit()
    path = tmp_path / "run.pt"
    with pytest.raises(_Killed):
        Run(patience=patience).fit(_KillAt(epoch, event), Checkpoint(path))
        raise _Killed  # stopped early before it
    torch.manual_seed(99)
    again = Run(patience=patience)
    again.fit(Checkpoint(path, resume=True), _Silent())
    same(again, whole)


class _Silent:
    def on_fit_end(self, state):
        pass


def test_a_run_that_stopped_early_trains_no_further(tmp_path):
    path = tmp_path / "run.pt"
    first = Run(patience=1).fit(Checkpoint(path), epochs=30)
    assert first.stopping.stopped == len(first.history) < 30
    again = Run(patience=1, seed=3).fit(Checkpoint(path, resume=True), epochs=30)
    same(again, first)
    assert again.stopping.stopped == first.stopping.stopped
    pd.testing.assert_frame_equal(again.history, first.history)  # times too


def test_a_finished_run_trains_no_further_and_gives_its_best_weights(tmp_path, capsys):
    path = tmp_path / "run.pt"
    first = Run().fit(Checkpoint(path))
    again = Run(seed=3).fit(Checkpoint(path, resume=True))
    same(again, first)
    assert f"run.pt: {EPOCHS} of {EPOCHS} epochs are done" in capsys.readouterr().out
    assert first.best.epoch < EPOCHS  # so that restoring says something
    for run in (first, again):
        run.best.restore(run.model)
    same(again, first)


def test_more_epochs_go_on_from_there(tmp_path):
    whole = Run().fit()
    path = tmp_path / "run.pt"
    Run().fit(Checkpoint(path), epochs=3)
    same(Run(seed=3).fit(Checkpoint(path, resume=True)), whole)


def test_where_only_the_one_before_is_left_it_goes_on_from_that(tmp_path):
    whole = Run().fit()
    path = tmp_path / "run.pt"
    Run().fit(Checkpoint(path), epochs=5)
    os.replace(path, previous_path(path))
    same(Run(seed=3).fit(Checkpoint(path, resume=True)), whole)


@pytest.mark.parametrize("keeper", [True, False])
def test_three_lines_by_hand_do_the_same(tmp_path, keeper):
    def made(seed):
        run = Run(patience=2, seed=seed)
        run.val = DataLoader(run.val.dataset, 8)  # no generator that shuffles it
        return run

    def parts(run):
        names = ("model", "optimizer", "scheduler", "callbacks")
        return {name: getattr(run, name) for name in names} | {"loader": run.train}

    whole, path = made(0).fit(), tmp_path / "run.pt"
    if keeper:
        made(0).fit(Checkpoint(path), epochs=3)
    else:
        first = made(0).fit(epochs=3)
        save_checkpoint(path, epoch=3, history=first.history, **parts(first))
    again = made(3)
    found = load_checkpoint(path, **parts(again))
    same(again.fit(history=found["history"]), whole)


def test_a_file_that_is_there_is_neither_lost_nor_taken_unasked(tmp_path):
    path = tmp_path / "run.pt"
    keeper = Checkpoint(path)
    run = Run().fit(keeper, epochs=1)
    before, model = path.read_bytes(), run.model.state_dict()["fc.weight"].clone()
    with pytest.raises(
        CheckpointError, match=r"run\.pt is there already: .*resume=True"
    ):
        run.fit(Checkpoint(path))
    assert path.read_bytes() == before
    assert torch.equal(run.model.state_dict()["fc.weight"], model)
    run.fit(keeper, epochs=1)  # its own


def test_what_cannot_be_saved_is_known_before_the_first_epoch(tmp_path):
    run = Run()
    run.train = Unread()
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "a.pt", "not wr"),
    ):
        with pytest.raises(CheckpointError, match=words):
            run.fit(Checkpoint(path))
    lost = nn.Parameter(torch.zeros(1))
    run.optimizer.add_param_group({"params": [lost]})
    with pytest.raises(CheckpointError, match="moves 1 parameters that are not"):
        run.fit(Checkpoint(tmp_path / "a.pt"))


class Unread:
    """A loader that must not be gone through."""

    def __iter__(self):
        raise AssertionError("an epoch has begun")


class _Tasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 2), nn.Linear(4, 3)

    def forward(self, x):
        return {"one": self.one(x), "two": self.two(x)}


class _TaskData(_Silent, Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return torch.ones(4) * i, {"one": i % 2, "two": i % 3}


def test_what_learns_in_the_step_is_kept_too(tmp_path):
    def run(epochs, path=None):
        torch.manual_seed(0)
        model, weights = _Tasks(), UncertaintyWeights(["one", "two"])
        optimizer = torch.optim.SGD([*weights.parameters(), *model.parameters()], 0.1)
        keep = [] if path is None else [Checkpoint(path, resume=True)]
        fit(model, make_loader(_TaskData(), batch_size=4), None, optimizer=optimizer,
            epochs=epochs, step=MultiTaskStep(weights=weights), callbacks=keep,
            progress=False)  # fmt: skip
        return weights.weights

    run(2, tmp_path / "a.pt")
    assert run(4, tmp_path / "a.pt") == run(4)


# -- kills -----------------------------------------------------------------------------

# A process that holds torch forks one for each life of the run, and kills it.
KILLER = """
import importlib.util, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
spec = importlib.util.spec_from_file_location("resume", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
folder, options, kills = Path(sys.argv[2]), eval(sys.argv[3]), int(sys.argv[4])
draw = random.Random(int(sys.argv[5]))

def live(path, name):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run = module.Run(images=160, **options)
        run.fit(module.Checkpoint(path, resume=True))
        torch.save({"model": run.model.state_dict(), "best": run.best.state_dict(),
                    "history": run.history.to_dict("list")}, folder / name)
        code = 0
    finally:
        os._exit(code)

start = time.perf_counter()
_, status = os.waitpid(live(folder / "whole.pt", "whole"), 0)
assert status == 0, status
length = time.perf_counter() - start
done = runs = 0
while done < kills or not (folder / f"run{runs}").exists():
    if (folder / f"run{runs}").exists():
        runs += 1
    pid = live(folder / f"run{runs}.pt", f"run{runs}")
    deadline = time.perf_counter() + draw.uniform(0, 0.6 * length)
    over = False
    while time.perf_counter() < deadline and not over and done < kills:
        over = os.waitpid(pid, os.WNOHANG)[0] == pid
        time.sleep(0.002)
    if not over and done < kills:
        os.kill(pid, signal.SIGKILL)
        done += 1
    if not over:
        os.waitpid(pid, 0)
print(done, runs + 1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("options", "kills"),
    [({"stages": True}, 9), ({"stages": False, "patience": 2}, 8),
     ({"stages": True, "patience": 3}, 8)],
)  # fmt: skip
def test_25_kills_at_random_times_change_nothing(tmp_path, options, kills):
    command = [sys.executable, "-c", KILLER, __file__, str(tmp_path), repr(options),
               str(kills), str(kills)]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    found = subprocess.run(command, cwd=root, env=environment, timeout=500, text=True,
                           capture_output=True)  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    done, runs = map(int, found.stdout.splitlines()[-1].split())
    assert done == kills
    whole = torch.load(tmp_path / "whole", weights_only=True)
    for number in range(runs):
        run = torch.load(tmp_path / f"run{number}", weights_only=True)
        for one, other in ((run, whole), (run["best"], whole["best"])):
            weights = [
                part["model" if one is run else "weights"] for part in (one, other)
            ]
            assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[1])
        kept = [pd.DataFrame(r["history"]).drop(columns=TIMES) for r in (run, whole)]
        pd.testing.assert_frame_equal(*kept, check_exact=True)
        assert run["best"]["epoch"] == whole["best"]["epoch"]
