"""A plan of fine-tuning to click: which stage learns when, and how fast."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import traitlets
from torch import nn

from course_utils.arguments import checked
from course_utils.layer_groups import UnfreezeSchedule, check_stage_names, layer_groups
from course_utils.meta_tensors import build_on_meta
from course_utils.param_groups import param_groups

from .base import CourseWidget, script, style
from .freeze_planner_code import code_for_plan
from .freeze_planner_static import static_lines, static_table

__all__ = ["FreezePlanner"]

SLEEPS = 0  # in `wakes`: the stage is frozen in every epoch shown
NO_DECAY = ", no decay"  # what `param_groups` adds to the name of a stage that it parts


class PlanError(ValueError, traitlets.TraitError):
    """A plan names a stage, an epoch or a rate that cannot be."""


class FreezePlanner(CourseWidget):
    """Plan which stages learn in which epoch, and the learning rate of each.

    `model` is a module, or a name of torchvision's or timm's. `schedule` (an
    `UnfreezeSchedule`, or what makes one) is by default gradual: the head first, then
    one stage after the other, spread over the `epochs`. The head learns with `lr`, each
    stage before it with `ratio` (0 to 1) times the rate of the one behind it.

    From Python as from the browser: `schedule`, `lrs` (stage -> rate), `ratio` (None
    where the rates were set one by one; setting it sets all of them from the head's)
    and `epochs`. Both `schedule` and `lrs` can be edited in place, or set; `lrs` also in
    part. `groups()` hands back the parameter groups, `code` the lines that make
    schedule and groups. The module is read only; replace its head before planning.

    Raises `ValueError` for stages, epochs and rates that cannot be, and `UnknownModel`
    with the nearest names.

    >>> from course_utils.widgets import FreezePlanner
    >>> planner = FreezePlanner("resnet18", epochs=8, lr=1e-3, ratio=0.5)
    >>> planner.schedule = {1: ["fc"], 4: ["layer4"]}
    >>> print(planner.schedule)
    from epoch 1: fc
    from epoch 4: layer4
    >>> planner.lrs["fc"], planner.lrs["layer4"]
    (0.001, 0.0005)
    """

    _esm = script("freeze_planner")
    _css = style("code_panel", "freeze_planner")

    model_name = traitlets.Unicode().tag(sync=True)
    stages = traitlets.List(traitlets.Dict()).tag(sync=True)
    epochs = traitlets.Int(10).tag(sync=True)
    wakes = traitlets.Dict().tag(sync=True)
    rates = traitlets.Dict().tag(sync=True)
    ratio = traitlets.Float(1.0, allow_none=True).tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    counts = traitlets.Dict().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)

    @checked
    def __init__(
        self,
        model: nn.Module | str,
        *,
        epochs: int = 10,
        schedule: UnfreezeSchedule | Mapping[int, Iterable[str]] | None = None,
        lr: float = 1e-3,
        ratio: float = 1.0,
    ):
        named = isinstance(model, str)
        self._module = None if named else model
        self._loadable = model if named else None
        groups = layer_groups(build_on_meta(model) if named else model)
        if not groups:
            raise ValueError(f"{_name_of(model)} has no parameters: nothing to freeze")
        sizes = {g.name: sum(p.numel() for p in g.parameters) for g in groups}
        self._names = list(sizes)
        _check_lr(self._names[-1], lr)
        _check_ratio(ratio)
        super().__init__(
            model_name=_name_of(model),
            stages=[{"name": name, "params": n} for name, n in sizes.items()],
            epochs=epochs,
            ratio=ratio,
            rates=rates_by_ratio(self._names, lr, ratio),
            wakes=dict.fromkeys(self._names, SLEEPS),
        )
        self._offer_presets()
        self.schedule = schedule if schedule is not None else self._gradual()
        self._recount()
        self.observe(self._offer_presets, "epochs")
        self.observe(self._recount, ["wakes", "epochs", "rates"])
        self.observe(self._follow_ratio, "ratio")
        self.observe(self._forget_ratio, "rates")

    # -- what Python reads and sets ----------------------------------------------------

    @property
    def schedule(self) -> UnfreezeSchedule:
        """The stages by the epoch that wakes them; edit it in place, or set it.

        Reading it raises `ValueError` where every stage sleeps to the end.
        """
        found = self._woken()
        if not found:
            raise PlanError(
                f"no stage wakes in these {self.epochs} epochs: click a cell, or set "
                f'.schedule = {{1: ["{self._names[-1]}"]}}'
            )
        return _LiveSchedule(found, self._set_schedule)

    @schedule.setter
    def schedule(self, value: UnfreezeSchedule | Mapping[int, Iterable[str]]) -> None:
        if not isinstance(value, UnfreezeSchedule):
            value = UnfreezeSchedule(value)
        self._set_schedule(value)

    @property
    def lrs(self) -> dict[str, float]:
        """Learning rate of each stage, stem first; edit it in place, or set some."""
        return _LiveRates({n: self.rates[n] for n in self._names}, self._set_rates)

    @lrs.setter
    def lrs(self, value: Mapping[str, float]) -> None:
        self._set_rates(value)

    def groups(self, *, weight_decay: float = 0.0) -> list[dict]:
        """Return groups for an optimiser: every parameter once, frozen ones too.

        Each has a `name`, the `lr` that is shown, and `weight_decay`, which spares norms
        and biases in groups of their own (see `param_groups`). Raises `ValueError` where
        the planner was given a name, or where the module's stages have changed.
        """
        if self._module is None:
            raise ValueError(
                f"there is no module to take parameters from: this planner was made "
                f"from the name {self._loadable!r}. Pass the module itself, as in "
                "FreezePlanner(model), or run the code in `.code`."
            )
        made = param_groups(self._module, 1.0, weight_decay=weight_decay)
        stage_of = [group["name"].removesuffix(NO_DECAY) for group in made]
        if set(stage_of) != set(self._names):
            raise ValueError(
                f"{self.model_name} has the stages {', '.join(dict.fromkeys(stage_of))} "
                f"now, and the plan is for {', '.join(self._names)}: make a new planner "
                "after changing the model"
            )
        rates = zip(made, stage_of, strict=True)
        return [{**group, "lr": self.rates[stage]} for group, stage in rates]

    # -- the state and its rules -------------------------------------------------------

    def _woken(self) -> dict[int, list[str]]:
        """Stages by the epoch that wakes them, in order; sleepers left out."""
        epochs = sorted(set(self.wakes.values()) - {SLEEPS})
        return {e: [n for n in self._names if self.wakes[n] == e] for e in epochs}

    def _set_schedule(self, schedule: Mapping[int, Iterable[str]]) -> None:
        wakes = dict.fromkeys(self._names, SLEEPS)
        for epoch, names in reversed(list(schedule.items())):  # the earliest counts
            wakes.update(dict.fromkeys(names, epoch))
        self.wakes = wakes

    def _set_rates(self, rates: Mapping[str, float]) -> None:
        self.rates = {**self.rates, **rates}

    @traitlets.validate("wakes")
    def _known_epochs(self, proposal: Any) -> dict[str, int]:
        value = proposal["value"]
        self._check_stages(value)
        for name, epoch in value.items():
            if not isinstance(epoch, Integral) or epoch < SLEEPS:
                raise PlanError(f"epochs count from 1, got {epoch!r} for {name}")
            if epoch > self.epochs:
                raise PlanError(
                    f"{name} wakes in epoch {epoch}, and the planner shows "
                    f"{self.epochs}: set .epochs first, or pass epochs={epoch}"
                )
        return {name: int(value.get(name, SLEEPS)) for name in self._names}

    @traitlets.validate("rates")
    def _known_rates(self, proposal: Any) -> dict[str, float]:
        value = proposal["value"]
        self._check_stages(value)
        for name, lr in value.items():
            _check_lr(name, lr)
        before = self.rates
        return {n: float(value.get(n, before.get(n))) for n in self._names}

    @traitlets.validate("ratio")
    def _known_ratio(self, proposal: Any) -> float | None:
        if proposal["value"] is not None:
            _check_ratio(proposal["value"])
        return proposal["value"]

    @traitlets.validate("epochs")
    def _enough_epochs(self, proposal: Any) -> int:
        value = proposal["value"]
        if value < 1:
            raise PlanError(f"epochs must be at least 1, got {value}")
        if late := [n for n, epoch in self.wakes.items() if epoch > value]:
            raise PlanError(
                f"{late[0]} wakes in epoch {self.wakes[late[0]]}: change .schedule "
                f"before setting .epochs to {value}"
            )
        return value

    def _check_stages(self, given: Mapping[str, Any]) -> None:
        check_stage_names(given, self._names, error=PlanError)

    def _follow_ratio(self, change: Any) -> None:
        if self.ratio is not None:
            head = self.rates[self._names[-1]]
            self.rates = rates_by_ratio(self._names, head, self.ratio)

    def _forget_ratio(self, change: Any) -> None:
        """Keep the ratio only while it says what the rates are."""
        head = self.rates[self._names[-1]]
        ratio = self.ratio
        if ratio and rates_by_ratio(self._names, head, ratio) != self.rates:
            self.ratio = None

    # -- what follows from it ----------------------------------------------------------

    def _gradual(self) -> dict[int, list[str]]:
        """Head first, then stage by stage, as slowly as the epochs allow."""
        every = max(1, self.epochs // len(self._names))
        order = [[name] for name in reversed(self._names)]
        starts = range(1, self.epochs + 1, every)
        return dict(zip(starts, order, strict=False))

    def _offer_presets(self, change: Any = None) -> None:
        gradual = {names[0]: epoch for epoch, names in self._gradual().items()}
        self.presets = {
            "Head only": {self._names[-1]: 1},
            "Gradual": gradual,
            "All at once": dict.fromkeys(self._names, 1),
        }

    def _recount(self, change: Any = None) -> None:
        """Count what learns in each epoch, and write the code anew."""
        sizes = {stage["name"]: stage["params"] for stage in self.stages}
        learning = [
            sum(sizes[n] for n in self._names if SLEEPS < self.wakes[n] <= epoch)
            for epoch in range(1, self.epochs + 1)
        ]
        self.counts = {
            "wakes": self.wakes,
            "learning": learning,
            "total": sum(sizes.values()),
        }
        self.code = code_for_plan(
            self._loadable, self._names, self._woken(), self.rates
        )

    # -- the static form ---------------------------------------------------------------

    def static_html(self) -> str:
        """Return a table of stages by epochs, with rates, and counts below."""
        return static_table(self._shown())

    def static_text(self) -> str:
        """Return stages by epochs as lines, with rates and counts."""
        return "\n".join(static_lines(self._shown()))

    def _shown(self) -> dict[str, Any]:
        names = ("model_name", "stages", "epochs", "wakes", "rates", "counts")
        return {name: getattr(self, name) for name in names}


class _LiveSchedule(UnfreezeSchedule):
    """A schedule that tells the planner of every change made to it."""

    def __init__(self, stages: Mapping, changed: Callable[[UnfreezeSchedule], None]):
        self._changed: Callable[[UnfreezeSchedule], None] = lambda _: None
        super().__init__(stages)
        self._changed = changed

    def __setitem__(self, epoch: int, names: str | Iterable[str]) -> None:
        super().__setitem__(epoch, names)
        self._changed(self)

    def __delitem__(self, epoch: int) -> None:
        super().__delitem__(epoch)
        self._changed(self)


class _LiveRates(dict):
    """Rates by stage that tell the planner of every change made to them."""

    def __init__(self, rates: dict, changed: Callable[[dict], None]):
        super().__init__(rates)
        self._changed = changed

    def __setitem__(self, stage: str, lr: float) -> None:
        self._changed({stage: lr})
        super().__setitem__(stage, lr)

    def update(self, *others: Any, **more: float) -> None:
        for stage, lr in dict(*others, **more).items():
            self[stage] = lr


def rates_by_ratio(stages: Iterable[str], lr: float, ratio: float) -> dict[str, float]:
    """Return `lr` for the last stage, and `ratio` times that of the next for the others.

    As `param_groups(model, lr, ratio=ratio)`, rounded to six figures for the code.
    """
    names = list(stages)
    depth = {name: len(names) - 1 - i for i, name in enumerate(names)}
    return {n: float(f"{lr * ratio**d:.6g}") if d else lr for n, d in depth.items()}


def _check_lr(stage: str, lr: Any) -> None:
    if not isinstance(lr, Real) or not (0 < lr < math.inf):
        raise PlanError(f"the learning rate of {stage} must be above 0, got {lr!r}")


def _check_ratio(ratio: float) -> None:
    if not 0 < ratio <= 1:
        raise PlanError(
            f"ratio must be above 0 and at most 1, got {ratio}: it is the rate of a "
            "stage over that of the stage behind it"
        )


def _name_of(model: nn.Module | str) -> str:
    if isinstance(model, str):
        return model
    info = getattr(model, "weights_info", None)
    return info.model_name if info else type(model).__name__
