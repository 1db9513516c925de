"""Our range test against torch-lr-finder: same curve, then several groups and a NaN.

    pip install torch-lr-finder && python -m tests.benchmarks.lr_finder

One net, the same batches, no smoothing. With one group both must see the same losses.
Then what differs: the ratio of two groups, a loss that becomes NaN, what is left behind.
"""

from __future__ import annotations

import copy
import time

import pandas as pd
import torch
from torch import nn
from torch_lr_finder import LRFinder

from course_utils.datasets import load_dataset
from course_utils.lr_finder import lr_range_test
from course_utils.training import make_loader
from course_utils.weights import load_backbone

START, END, STEPS = 1e-5, 1e-1, 40


def fresh() -> tuple[nn.Module, object]:
    """The same net and the same order of batches at each call."""
    torch.manual_seed(0)
    model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    data = load_dataset("flowers", per_class=40, transform=model.weights_info.transform)
    return model, make_loader(data.train, batch_size=20, shuffle=True)


def groups(model: nn.Module, several: bool) -> list[dict]:
    body = [p for name, p in model.named_parameters() if not name.startswith("fc.")]
    if not several:
        return [{"params": list(model.parameters()), "lr": END}]
    return [{"params": body, "lr": END / 10},
            {"params": list(model.fc.parameters()), "lr": END}]  # fmt: skip


class Recorded(torch.optim.SGD):
    """SGD that notes each group's rate at every step."""

    def step(self, closure=None):
        self.__dict__.setdefault("rates", []).append(
            [g["lr"] for g in self.param_groups]
        )
        return super().step(closure)


def broken(after: int):
    """Cross-entropy that is NaN once, from the given call on."""
    calls = []

    def loss(logits, labels):
        calls.append(1)
        bad = float("nan") if len(calls) > after else 1.0
        return nn.functional.cross_entropy(logits, labels) * bad

    return loss


def ours(*, several=False, nan_after=10**9) -> dict:
    model, loader = fresh()
    before = copy.deepcopy(model.state_dict())
    optimizer = Recorded(groups(model, several), lr=END)
    start = time.perf_counter()
    curve = lr_range_test(model, loader, optimizer, start_lr=START, end_lr=END,
                          num_iter=STEPS, loss_fn=broken(nan_after))  # fmt: skip
    seconds = time.perf_counter() - start
    return summary(model, before, optimizer, curve.losses, seconds, curve.stopped)


def theirs(*, several=False, nan_after=10**9) -> dict:
    model, loader = fresh()
    before = copy.deepcopy(model.state_dict())
    optimizer = Recorded(groups(model, several), lr=START)
    finder = LRFinder(model, optimizer, broken(nan_after))
    start = time.perf_counter()
    model.train()
    finder.range_test(loader, start_lr=START, end_lr=END, num_iter=STEPS, smooth_f=0,
                      diverge_th=4)  # fmt: skip
    seconds = time.perf_counter() - start
    finder.reset()
    found = finder.history["loss"]
    return summary(model, before, optimizer, found, seconds, "")


def summary(model, before, optimizer, losses, seconds, stopped) -> dict:
    after = model.state_dict()
    rates = optimizer.rates[-1]
    return {
        "losses": losses,
        "steps": len(losses),
        "seconds": round(seconds, 1),
        "ratio of groups kept": round(rates[0] / rates[-1], 3)
        if len(rates) > 1
        else "",
        "stopped": stopped or "no",
        "weights restored": all(torch.equal(after[k], v) for k, v in before.items()),
        "mode left": "train" if model.training else "eval",
    }


def main() -> None:
    rows = []
    for case, options in {
        "one group": {},
        "two groups, 1 : 10": {"several": True},
        "NaN after 15 steps": {"nan_after": 15},
    }.items():
        pair = {"ours": ours(**options), "torch-lr-finder": theirs(**options)}
        if case == "one group":
            a, b = (pair[tool]["losses"] for tool in pair)
            far = max(abs(x - y) for x, y in zip(a, b, strict=False))
            print(f"one group: largest difference of {len(a)} losses {far:.1e}")
        rows += [{"case": case, "tool": t, **found} for t, found in pair.items()]
    table = pd.DataFrame(rows).drop(columns="losses").set_index(["case", "tool"])
    print(table.to_string())


if __name__ == "__main__":
    main()
