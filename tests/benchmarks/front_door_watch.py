"""Run a script that fine-tunes a net, and watch from outside what it does to the net.

The script is not changed. Global hooks of torch see the first convolution (what it is
given, and whether it learns), BatchNorm, the last linear layer, and each step of the
optimiser. fastai's optimisers are not torch's, so that their `step` is wrapped.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.optim.optimizer import register_optimizer_step_post_hook


class Watch:
    """What was seen of a run; `kill_after` ends the process behind that many steps."""

    def __init__(self, *, kill_after: int | None = None):
        self.kill_after, self.steps = kill_after, 0
        self.stem: nn.Module | None = None
        self.head: nn.Module | None = None
        self.norms: dict[nn.Module, tuple] = {}  # before and behind the frozen phase
        self.looked: dict[
            bytes, int
        ] = {}  # picture → steps when first run in eval mode
        self.learnt: set[bytes] = set()
        self.flat: dict[str, set] = {"learnt from": set(), "looked at": set()}
        self.rates: list[tuple[float, float]] = []

    def start(self) -> None:
        hooks.register_module_forward_pre_hook(self.before)
        hooks.register_module_forward_hook(self.behind)
        register_optimizer_step_post_hook(lambda o, *_: self.step(torch_groups(o)))

    # -- forward passes ------------------------------------------------------------------

    def before(self, module: nn.Module, inputs: tuple) -> None:
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            self.stem = module
            self.pictures(inputs[0].detach(), learning=module.training)
        if isinstance(module, nn.BatchNorm2d) and self.frozen():
            self.norms.setdefault(module, (state_of(module),) * 2)

    def behind(self, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if isinstance(module, nn.Linear):
            self.head = module
        if module in self.norms and self.frozen():
            self.norms[module] = self.norms[module][0], state_of(module)

    def frozen(self) -> bool:
        """Whether the stem is frozen and has not learnt yet (a test may freeze it anew)."""
        asleep = self.stem is not None and not self.stem.weight.requires_grad
        return asleep and not self.rates

    def pictures(self, images: torch.Tensor, *, learning: bool) -> None:
        """Note which pictures (B, 3, S, S) are run; those of one colour survive a crop."""
        kind = "learnt from" if learning else "looked at"
        for image in images:
            if image.flatten(1).std(dim=1).max() < 0.02:
                colour = image.mean(dim=(1, 2)).mul(10).round().tolist()
                self.flat[kind].add(tuple(colour))
            key = image.mul(1000).round().to(torch.int32).numpy().tobytes()
            if learning:
                self.learnt.add(key)
            else:
                self.looked.setdefault(key, self.steps)

    # -- steps ---------------------------------------------------------------------------

    def step(self, groups: Iterator[tuple[list, float]]) -> None:
        self.steps += 1
        rates = {id(p): rate for params, rate in groups for p in params}
        stem, head = (m.weight for m in (self.stem, self.head))
        if stem.requires_grad and id(stem) in rates:
            self.rates.append((rates[id(stem)], rates[id(head)]))
        if self.steps == self.kill_after:
            os._exit(9)

    # -- what came of it -----------------------------------------------------------------

    def found(self) -> dict:
        unseen = [key for key, first in self.looked.items() if first == self.steps]
        shares = [stem / head for stem, head in self.rates if head]
        return {
            "steps": self.steps,
            "norms": self.norms_found(),
            "scored_unseen": len([key for key in unseen if key not in self.learnt]),
            "copies": len(set.intersection(*self.flat.values())),
            "share": [min(shares), max(shares)] if shares else None,
        }

    def norms_found(self) -> str:
        moved = {
            name
            for before, behind in self.norms.values()
            for name, value in before.items()
            if not torch.equal(value, behind[name])
        }
        if not moved:
            return "stands still"
        learns = " and scales learn" if "weight" in moved else ""
        return f"statistics move{learns}"


def state_of(norm: nn.BatchNorm2d) -> dict[str, torch.Tensor]:
    return {n: getattr(norm, n).detach().clone() for n in ("running_mean", "weight")}


def torch_groups(optimizer) -> Iterator[tuple[list, float]]:
    return ((group["params"], group["lr"]) for group in optimizer.param_groups)


def watch_fastai(watch: Watch) -> None:
    from fastai.optimizer import Optimizer

    step: Callable = Optimizer.step

    def watched(self, closure=None):
        step(self, closure)
        rates = [hyper["lr"] for hyper in self.hypers]
        watch.step(zip(self.param_lists, rates, strict=True))

    Optimizer.step = watched


def main(script: str, expressions: str, kill_after: str = "") -> None:
    """Run a script in this folder; write found.json and weights.pt.

    `expressions` (JSON) say how the model, the confusion matrix and what the tool reports
    of the data are called in it.
    """
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums in one order, however many cores are free
    watch = Watch(kill_after=int(kill_after) if kill_after else None)
    if "fastai" in Path(script).name:
        watch_fastai(watch)
    watch.start()
    variables = runpy.run_path(script, run_name="__main__")
    found = watch.found()
    model, table, said = (eval(e, variables) for e in json.loads(expressions))
    print(said)
    counts = np.asarray(table).tolist()
    torch.save({k: v.cpu() for k, v in model.state_dict().items()}, "weights.pt")
    answer = {**found, "confusion": counts}
    Path("found.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
