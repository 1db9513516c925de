"""Running sums of an epoch: loss, right answers, and the means that a step adds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from course_utils.tracing import tensors_in
from course_utils.training.batches import waits
from course_utils.training.outputs import Logits, Parts, count_right


class Totals:
    """Sums over pictures; `result` is the means.

    On another device than the CPU the sums stay there until they are asked for: to fetch
    a number would wait for all that was queued before it.
    """

    def __init__(self):
        self.loss, self.images = 0.0, 0
        self.right, self.known = Counter(), Counter()  # by task; "" is the only one
        self.sums, self.counts = Counter(), Counter()  # by the name of the step's part

    def add(
        self, loss: Tensor, logits: Logits, labels: Any, parts: Parts | None = None
    ):
        """Add a batch: its mean loss, its answers, and the step's own means."""
        n = len(tensors_in(labels)[0])
        self.loss += number(loss) * n
        self.images += n
        by_task = logits if isinstance(logits, Mapping) else {"": logits}
        truth = labels if isinstance(labels, Mapping) else {"": labels}
        for task, values in by_task.items():
            found = count_right(values, truth.get(task))
            if found is not None:
                self.right[task] += number(found[0])
                self.known[task] += number(found[1])
        for name, (mean, count) in (parts or {}).items():
            self.sums[name] += number(mean) * count
            self.counts[name] += count

    def plain(self) -> Totals:
        """Fetch the sums from the device, in place."""
        self.loss = float(self.loss)
        for sums in (self.right, self.known, self.sums):
            for name, value in sums.items():
                sums[name] = value.item() if isinstance(value, Tensor) else value
        return self

    def shown(self) -> dict[str, str]:
        """Return loss and accuracy as a bar shows them."""
        found = self.result()
        return {k: f"{found[k]:.3f}" for k in ("loss", "accuracy")}

    def result(self) -> dict[str, float]:
        """Return the means, and how many images they are over."""
        if not self.images:
            raise ValueError("the loader is empty: no batch to compute a mean over")
        self.plain()
        scores = {task: _share(self.right[task], n) for task, n in self.known.items()}
        found = [score for score in scores.values() if not math.isnan(score)]
        return {
            "loss": self.loss / self.images,
            "accuracy": _share(sum(found), len(found)),
            **{f"accuracy_{task}": score for task, score in scores.items() if task},
            **{name: _share(self.sums[name], n) for name, n in self.counts.items()},
            "images": self.images,
        }


def number(value: Tensor) -> float | Tensor:
    """Return a tensor's number, or where fetching it would wait, the tensor itself."""
    if not waits(value.device):
        return value.item()
    exact = value.is_floating_point() and value.device.type != "mps"  # which has none
    return value.detach().to(torch.float64) if exact else value.detach()


def joined(every: Iterable[Totals]) -> Totals:
    """Add up the sums of several processes."""
    found = Totals()
    for one in every:
        found.loss += one.loss
        found.images += one.images
        for name in ("right", "known", "sums", "counts"):
            for key, value in getattr(one, name).items():  # Counter's own + drops zeros
                getattr(found, name)[key] += value
    return found


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan
