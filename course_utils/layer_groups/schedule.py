"""Gradual unfreezing: which stages learn from which epoch on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping

import pandas as pd
from torch import nn

from course_utils.arguments import Count, checked
from course_utils.layer_groups.freezing import freeze
from course_utils.layer_groups.stages import (
    check_stage_names,
    layer_groups,
    names_of,
)


class UnfreezeSchedule(MutableMapping):
    """Say from which epoch on which stages learn: `{1: ["fc"], 4: ["layer4"]}`.

    Epochs count from 1. A stage learns from its epoch to the end; one that is not named
    stays frozen. The state follows from the epoch alone, so a run that is resumed in
    epoch 5 is right without any memory of its own. It can be edited like a dictionary
    and printed; handed to `training.fit` as a callback it freezes at the start of each
    epoch. Put *all* parameters into the optimiser from the start (`fit` refuses one that
    lacks a stage): frozen ones get no gradient and no update, and wake with no momentum
    of their own.

    Howard and Ruder, 2018, https://arxiv.org/abs/1801.06146

    >>> from course_utils.layer_groups import UnfreezeSchedule
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> schedule = UnfreezeSchedule.gradual(model, every=2, last="layer3")
    >>> print(schedule)
    from epoch 1: fc
    from epoch 3: layer4
    from epoch 5: layer3
    >>> sorted(schedule.trainable(epoch=4))
    ['fc', 'layer4']
    """

    @checked
    def __init__(self, stages: Mapping):
        self._stages: dict[int, tuple[str, ...]] = {}
        for epoch, names in stages.items():
            self[epoch] = names
        if not self._stages:
            raise ValueError('a schedule needs at least one entry, such as {1: ["fc"]}')

    @classmethod
    @checked
    def gradual(
        cls, model: nn.Module, *, every: Count = 1, last: str | None = None
    ) -> UnfreezeSchedule:
        """Wake the head in epoch 1, then one stage more every `every` epochs.

        From the last stage towards the stem, down to the stage `last` (by default all).
        """
        names = [group.name for group in layer_groups(model)]
        if last is not None:
            check_stage_names([last], names)
        wanted = names[0 if last is None else names.index(last) :]
        return cls({1 + every * i: [n] for i, n in enumerate(reversed(wanted))})

    def trainable(self, epoch: int) -> set[str]:
        """Return the names of the stages that learn in an epoch."""
        return {n for start, names in self.items() if start <= epoch for n in names}

    def starts(self, epoch: int) -> tuple[str, ...]:
        """Return the stages that wake in this very epoch."""
        return self._stages.get(epoch, ())

    @checked
    def apply(self, model: nn.Module, epoch: Count) -> nn.Module:
        """Freeze and wake the stages of a model as they are in an epoch; in place.

        Frozen BatchNorm layers hold still. Raises `ValueError` for a stage that the
        model does not have, and where nothing would learn.
        """
        names = [group.name for group in layer_groups(model)]
        check_stage_names([n for group in self.values() for n in group], names)
        learning = self.trainable(epoch)
        if not learning:
            raise ValueError(
                f"nothing learns in epoch {epoch}: the first entry is for epoch "
                f"{min(self)}. Begin at epoch 1, with the head"
            )
        return freeze(model, stages=[name for name in names if name not in learning])

    def on_fit_start(self, state) -> None:
        """Raise `ValueError` where the optimiser lacks a stage that will wake."""
        stages = layer_groups(state.model)
        names = [stage.name for stage in stages]
        check_stage_names([n for group in self.values() for n in group], names)
        held = {
            id(p) for group in state.optimizer.param_groups for p in group["params"]
        }
        learning = self.trainable(state.epochs)
        lacking = [
            stage.name
            for stage in stages
            if stage.name in learning and not held.issuperset(map(id, stage.parameters))
        ]
        if lacking:
            raise ValueError(
                f"the optimizer lacks parameters of {', '.join(lacking)}, which the "
                "schedule wakes and which would never move: make it from all parameters, "
                "model.parameters() or param_groups(model, lr); frozen ones get no update"
            )

    def on_epoch_start(self, state) -> None:
        """Freeze and wake the stages as they are in this epoch."""
        self.apply(state.model, state.epoch)

    @checked
    def table(self, model: nn.Module, *, epochs: Count) -> pd.DataFrame:
        """Tabulate stages by epochs: True where a stage learns."""
        names = [group.name for group in layer_groups(model)]
        columns = {e: [n in self.trainable(e) for n in names] for e in _range(epochs)}
        return pd.DataFrame(columns, index=pd.Index(names, name="stage"))

    def __getitem__(self, epoch: int) -> tuple[str, ...]:
        return self._stages[epoch]

    def __setitem__(self, epoch: int, names: str | Iterable[str]) -> None:
        if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
            raise ValueError(f"epochs count from 1, got {epoch!r}")
        names = names_of(names)
        if not names:
            raise ValueError(f"epoch {epoch} names no stage")
        self._stages[epoch] = names

    def __delitem__(self, epoch: int) -> None:
        del self._stages[epoch]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._stages))

    def __len__(self) -> int:
        return len(self._stages)

    def __repr__(self) -> str:
        return f"UnfreezeSchedule({ {epoch: list(self[epoch]) for epoch in self} })"

    def __str__(self) -> str:
        return "\n".join(
            f"from epoch {epoch}: {', '.join(names)}" for epoch, names in self.items()
        )


def _range(epochs: int) -> range:
    return range(1, epochs + 1)
