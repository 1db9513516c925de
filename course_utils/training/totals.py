"""Running sums of an epoch: loss, right answers, and the means that a step adds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from course_utils.tracing import tensors_in
from course_utils.training.outputs import Logits, Parts, count_right


class Totals:
    """Sums over pictures; `result` is the means."""

    def __init__(self):
        self.loss, self.images = 0.0, 0
        self.right, self.known = Counter(), Counter()  # by task; "" is the only one
        self.sums, self.counts = Counter(), Counter()  # by the name of the step's part

    def add(self, loss: float, logits: Logits, labels: Any, parts: Parts | None = None):
        """Add a batch: its mean loss, its answers, and the step's own means."""
        n = len(tensors_in(labels)[0])
        self.loss += loss * n
        self.images += n
        by_task = logits if isinstance(logits, Mapping) else {"": logits}
        truth = labels if isinstance(labels, Mapping) else {"": labels}
        for task, values in by_task.items():
            found = count_right(values, truth.get(task))
            if found is not None:
                self.right[task] += found[0]
                self.known[task] += found[1]
        for name, (mean, count) in (parts or {}).items():
            self.sums[name] += mean.item() * count
            self.counts[name] += count

    def shown(self) -> dict[str, str]:
        """Return loss and accuracy as a bar shows them."""
        found = self.result()
        return {k: f"{found[k]:.3f}" for k in ("loss", "accuracy")}

    def result(self) -> dict[str, float]:
        """Return the means, and how many images they are over."""
        if not self.images:
            raise ValueError("the loader is empty: no batch to compute a mean over")
        scores = {task: _share(self.right[task], n) for task, n in self.known.items()}
        found = [score for score in scores.values() if not math.isnan(score)]
        return {
            "loss": self.loss / self.images,
            "accuracy": _share(sum(found), len(found)),
            **{f"accuracy_{task}": score for task, score in scores.items() if task},
            **{name: _share(self.sums[name], n) for name, n in self.counts.items()},
            "images": self.images,
        }


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan
