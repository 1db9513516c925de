"""`fit` against a loop written by hand: what the package adds to a batch.

    python -m tests.benchmarks.fit_overhead [--repeats 30] [--null]

Both arms train the same weights on the same batches with the same optimiser, and both
keep the mean loss and the accuracy of the epoch. They take turns, which of them first
changes, and the ratio is taken pair by pair: what else the machine does falls on both.
Processor time is of this process alone; wall time counts the others too. `--null` puts
the hand-written loop in both places: that spread is what the method cannot resolve.

What `fit` adds does not depend on the net, so two linear layers show it best, in
microseconds; the last line is those, as a share of a batch of `test_resnet`.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.training import fit
from course_utils.weights import load_backbone

CLASSES = 5


@dataclass(frozen=True)
class Case:
    """A net, its pictures and how many batches a repeat trains on."""

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batches: int
    batch_size: int = 64

    def loader(self) -> DataLoader:
        """The same batches in the same order, from memory."""
        generator = torch.Generator().manual_seed(0)
        count = self.batches * self.batch_size
        images = torch.randn(count, *self.shape, generator=generator)
        labels = torch.randint(CLASSES, (count,), generator=generator)
        return DataLoader(TensorDataset(images, labels), self.batch_size)


def resnet() -> nn.Module:
    return load_backbone("test_resnet", weights="bundled", num_classes=CLASSES)


def tiny() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, CLASSES)
    )


CASES = {
    "resnet": Case("test_resnet, 64 px, batch 64", resnet, (3, 64, 64), batches=4),
    "tiny": Case("two linear layers, batch 64", tiny, (3, 4, 4), batches=200),
    "epoch": Case("the same, an epoch of one batch", tiny, (3, 4, 4), batches=1),
}


def by_fit(model, loader, optimizer) -> tuple[float, float]:
    row = fit(model, loader, None, optimizer=optimizer, epochs=1, progress=False).iloc[
        0
    ]
    return row["train_loss"], row["train_accuracy"]


def by_hand(model, loader, optimizer) -> tuple[float, float]:
    """What a person would write, with the mean loss and the accuracy."""
    model.train()
    total, right, seen = 0.0, 0, 0
    for images, labels in loader:
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        right += (logits.argmax(1) == labels).sum().item()
        seen += len(labels)
    model.eval()
    return total / seen, right / seen


def timed(train: Callable, model: nn.Module, loader: DataLoader) -> dict:
    """One epoch on a copy: its seconds, and what it reported."""
    learner = copy.deepcopy(model)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.01)
    wall, cpu = time.perf_counter(), time.process_time()
    scores = train(learner, loader, optimizer)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall,
            "scores": scores}  # fmt: skip


def compare(case: Case, *, repeats: int, null: bool) -> pd.DataFrame:
    """Time both arms in turns; one row a pair. Both must report the same scores."""
    torch.manual_seed(0)
    model, loader = case.make(), case.loader()
    arms = {"fit": by_hand if null else by_fit, "hand": by_hand}
    for train in arms.values():
        timed(train, model, loader)
    rows = []
    for number in range(repeats):
        order = list(arms) if number % 2 else list(reversed(arms))
        found = {arm: timed(arms[arm], model, loader) for arm in order}
        _check_same(found["fit"]["scores"], found["hand"]["scores"])
        rows.append({f"{clock} {arm}": found[arm][clock]
                     for clock in ("cpu", "wall") for arm in arms})  # fmt: skip
    return pd.DataFrame(rows)


def _check_same(ours: tuple, theirs: tuple) -> None:
    if any(abs(a - b) > 1e-6 for a, b in zip(ours, theirs, strict=True)):
        raise ValueError(f"the arms trained differently: {ours} and {theirs}")


def extra(case: Case, rows: pd.DataFrame) -> float:
    """Median processor seconds that `fit` takes more for a batch."""
    return (rows["cpu fit"] - rows["cpu hand"]).median() / case.batches


def report(case: Case, rows: pd.DataFrame) -> pd.Series:
    """Median ratio and its quartiles by each clock, and the difference in a batch."""
    found: dict = {"case": case.name, "pairs": len(rows)}
    for clock in ("cpu", "wall"):
        ratio = rows[f"{clock} fit"] / rows[f"{clock} hand"]
        low, middle, high = ratio.quantile([0.25, 0.5, 0.75])
        found[f"{clock} ratio"] = f"{middle:.3f} ({low:.3f} to {high:.3f})"
    by_hand = rows["cpu hand"].median() / case.batches
    found["cpu ms a batch, by hand"] = f"{by_hand * 1e3:.2f}"
    found["cpu µs more a batch"] = f"{extra(case, rows) * 1e6:.0f}"
    return pd.Series(found)


def share(runs: dict[str, pd.DataFrame]) -> str:
    """What a batch and an epoch cost more, against a batch of `test_resnet`."""
    batch, epoch = (extra(CASES[name], runs[name]) for name in ("tiny", "epoch"))
    whole = runs["resnet"]["cpu hand"].median() / CASES["resnet"].batches
    return (
        f"of a test_resnet batch: {batch / whole:.2%} a batch, and once an epoch "
        f"{max(epoch - batch, 0) / whole:.2%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--null", action="store_true", help="by hand in both places")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = {}
    for name, case in CASES.items():
        runs[name] = compare(case, repeats=options.repeats, null=options.null)
        print(report(case, runs[name]).to_string(), end="\n\n", flush=True)
    print(share(runs))


if __name__ == "__main__":
    main()
