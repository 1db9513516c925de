"""Where the time of a batch goes: data, forward, backward, optimiser."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pandas as pd
import torch
from torch import nn

from course_utils.arguments import Count, checked
from course_utils.modes import device_of
from course_utils.run_state import undone
from course_utils.training.batches import labels_of
from course_utils.training.engine import Engine
from course_utils.training.learning import check_learns
from course_utils.training.loaders import check_loader
from course_utils.training.outputs import Step, classification_step
from course_utils.training.updates import Updates

PARTS = ("data", "forward", "backward", "optimizer")
_WARM = 2  # batches that are not counted: the first ones cost more
_TRY = {
    "data": "make_loader(…, workers=2) reads in other processes; smaller files, or "
    "load_dataset with a smaller image_size, are read faster",
    "forward": 'Engine(channels_last=True), precision="bfloat16" where the processor has '
    "it; stages that are frozen can be run once (cut.CutModel)",
    "backward": "freeze the early stages; Engine(channels_last=True), "
    'precision="bfloat16" where the processor has it',
    "optimizer": "larger batches or Engine(accumulate=…) make fewer updates; "
    "torch.optim.AdamW(…, fused=True) makes each faster",
}


@dataclass(frozen=True)
class Profile:
    """Milliseconds a batch takes, by part; printed, one line with what to try.

    >>> from course_utils.training import Profile
    >>> times = {"data": 80.0, "forward": 5.0, "backward": 10.0, "optimizer": 5.0}
    >>> print(Profile(times, batches=10, images_per_second=640.0))
    data takes longest (data 80%, ... of 100 ms a batch, 640 pictures a second). Try: ...
    """

    milliseconds: dict[str, float]
    batches: int
    images_per_second: float
    spread: dict[str, float] = field(default_factory=dict)

    @property
    def bottleneck(self) -> str:
        """The part that takes longest."""
        return max(self.milliseconds, key=self.milliseconds.get)

    def table(self) -> pd.DataFrame:
        """Tabulate the parts: median milliseconds, their quartiles' distance, share."""
        times = pd.Series(self.milliseconds, name="milliseconds")
        return times.to_frame().assign(
            spread=pd.Series(self.spread), share=times / times.sum()
        )

    def __str__(self) -> str:
        whole = sum(self.milliseconds.values())
        shares = [f"{n} {t / whole:.0%}" for n, t in self.milliseconds.items()]
        return (
            f"{self.bottleneck} takes longest ({', '.join(shares)} of {whole:.0f} ms a "
            f"batch, {self.images_per_second:.0f} pictures a second). Try: "
            f"{_TRY[self.bottleneck]}"
        )


@checked
def profile(
    model: nn.Module,
    loader: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    step: Step = classification_step,
    engine: Engine | None = None,
    batches: Count = 10,
) -> Profile:
    """Train on some batches, tell where the time goes, and undo it all.

    The first two are not counted. "data" is what the loop waits for: reading, decoding,
    transforms, the way to the device, augmentation there. Medians over the batches, of
    as many as the loader has. Weights, buffers (BatchNorm's too), optimiser, modes and
    random generators are afterwards as they were.

    >>> import torch
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.training import make_loader, profile
    >>> from course_utils.weights import load_backbone
    >>> net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> loader = make_loader(load_dataset("flowers", like=net).train, batch_size=16)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> found = profile(net, loader, optimizer, batches=3)
    >>> list(found.milliseconds), found.bottleneck in found.milliseconds
    (['data', 'forward', 'backward', 'optimizer'], True)
    """
    check_loader(loader)
    check_learns(model, optimizer, all_of_it=False)
    engine = engine or Engine()
    with undone(model, optimizer, loader):
        rows = list(
            islice(_timed(model, loader, optimizer, step, engine), batches + _WARM)
        )
    if not rows:
        raise ValueError("the loader is empty: there is no batch to time")
    table = pd.DataFrame(rows[_WARM:] or rows)
    times = table[list(PARTS)] * 1000
    return Profile(
        times.median().to_dict(),
        len(table),
        float(1000 * table["images"].median() / times.median().sum()),
        (times.quantile(0.75) - times.quantile(0.25)).to_dict(),
    )


def _timed(model, loader, optimizer, step, engine: Engine) -> Iterator[dict]:
    """Train a batch at a time; yield the seconds of its parts."""
    engine.place(model, optimizer)
    model.train()
    learner, device = engine.learner(model), device_of(model)
    updates = Updates(
        engine, learner, optimizer, clip_norm=None, scheduler=None, batches=None
    )
    clock = _Clock(device)
    for batch, count, mean in engine.batches(model, loader, train=True):
        row = {"data": clock.lap()}
        loss, *_ = engine.run(step, learner, batch)
        row["forward"] = clock.lap()
        full = updates.backward(loss, count, mean)
        row["backward"] = clock.lap()
        if full:
            updates.finish()
        yield row | {"optimizer": clock.lap(), "images": len(labels_of(batch))}
        clock.lap()


class _Clock:
    """Seconds since the last look, with all done that a device was given."""

    def __init__(self, device: torch.device):
        self._device, self._last = device, time.perf_counter()

    def lap(self) -> float:
        if self._device.type != "cpu":
            torch.accelerator.synchronize(self._device)
        before, self._last = self._last, time.perf_counter()
        return self._last - before
