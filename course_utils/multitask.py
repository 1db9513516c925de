"""One backbone, a head for each task: model, losses, their weights, their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from course_utils.activations import layout_of
from course_utils.arguments import checked
from course_utils.datasets import MISSING
from course_utils.heads import Head, find_heads, replace_head
from course_utils.layer_groups import layer_groups
from course_utils.modes import modes_kept
from course_utils.runtime import generators_kept
from course_utils.tracing import tensors_in, trace
from course_utils.training import Batch, check_labels, images_and_labels, to_device

Losses = dict[str, Tensor]


class TaskHeads(nn.ModuleDict):
    """A head for each task, side by side on the same features.

    >>> import torch
    >>> from torch import nn
    >>> from course_utils.multitask import TaskHeads
    >>> heads = TaskHeads({"species": nn.Linear(8, 5), "colour": nn.Linear(8, 6)})
    >>> {task: tuple(logits.shape) for task, logits in heads(torch.zeros(2, 8)).items()}
    {'species': (2, 5), 'colour': (2, 6)}
    """

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {task: head(features) for task, head in self.items()}


class MultiTaskModel(nn.Module):
    """One backbone with a linear head for each task: (B, C, H, W) -> {task: (B, C_t)}.

    `tasks` says how many classes each task has. The backbone is any torchvision or timm
    model, or one of your own with a Linear or Conv2d as its head. It becomes part of this
    model and loses its own head, and its auxiliary classifiers, in place; the width of
    its features is measured on meta tensors, at `input_size` (C, H, W), by default what
    it is meant for. Device, dtype and mode stay; the heads are drawn from torch's global
    generator; BatchNorm is not touched.

    Stages are the backbone's, as `backbone.layer4`, and all heads together as `heads`:
    freezing, parameter groups, the range test, features and checkpoints take it as it is.

    >>> import torch
    >>> from course_utils.multitask import MultiTaskModel
    >>> from course_utils.weights import load_backbone
    >>> backbone = load_backbone("test_resnet", weights="bundled")
    >>> model = MultiTaskModel(backbone, {"species": 5, "colour": 6})
    >>> logits = model(torch.zeros(2, 3, 64, 64))
    >>> {task: tuple(values.shape) for task, values in logits.items()}
    {'species': (2, 5), 'colour': (2, 6)}
    """

    # where stages and heads are found
    course_body, course_head = "backbone", ("heads",)

    @checked(own=("tasks",))
    def __init__(
        self,
        backbone: nn.Module,
        tasks: Mapping[str, int],
        *,
        input_size: tuple[int, int, int] | None = None,
    ):
        super().__init__()
        _check_tasks(tasks)
        self.backbone = replace_head(_without_auxiliary(backbone), 0)
        parameter = next(backbone.parameters())
        like = {"device": parameter.device, "dtype": parameter.dtype}
        found = trace(self.backbone, input_size=input_size)
        shape = found.output_shapes[0]
        _, height, width = found.input_size
        self._layout = layout_of(
            self.backbone, shape=shape if height == width else None
        )
        width = self._layout.pooled(torch.empty(shape, device="meta")).shape[1]
        self.heads = TaskHeads(
            {t: nn.Linear(width, n, **like) for t, n in tasks.items()}
        )
        if hasattr(backbone, "weights_info"):
            self.weights_info = backbone.weights_info
        self.heads.train(backbone.training)
        self.training = backbone.training

    @property
    def tasks(self) -> dict[str, int]:
        """How many classes each task has."""
        return {task: _classes(head) for task, head in self.heads.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.heads(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what enters the heads, pooled: (B, C, H, W) -> (B, D)."""
        return self._layout.pooled(tensors_in(self.backbone(images))[0])

    def no_weight_decay(self) -> set[str]:
        """Name the parameters that a timm backbone wants spared from weight decay."""
        ask = getattr(self.backbone, "no_weight_decay", None)
        return {f"{self.course_body}.{name}" for name in (ask() if ask else ())}


def task_losses(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Losses:
    """Return each task's mean cross-entropy over the pictures that have a label for it.

    `logits` are {task: (B, C)}, `labels` {task: (B,)} with -1 (`MISSING`) where there is
    none. A task without any label in the batch has no loss: it is left out.

    Raises `ValueError` for tasks that have no labels at all, and labels that no class
    has.

    >>> import torch
    >>> from course_utils.multitask import task_losses
    >>> logits = {"species": torch.zeros(2, 5), "colour": torch.zeros(2, 6)}
    >>> labels = {"species": torch.tensor([0, 4]), "colour": torch.tensor([-1, -1])}
    >>> task_losses(logits, labels)  # no picture has a colour
    {'species': tensor(1.6094)}
    """
    found = {}
    for task, truth in _paired(logits, labels).items():
        known = truth != MISSING
        if known.any():
            rows, truth = logits[task][known], truth[known]
            _check_range(task, truth, rows.shape[-1])
            found[task] = nn.functional.cross_entropy(rows, truth.long())
    return found


class UncertaintyWeights(nn.Module):
    """Weigh losses by how uncertain each task is, which is learnt beside the model.

    With s = log σ² of a task, its term is exp(-s)·L + s/2: Kendall, Gal and Cipolla, 2018
    (https://arxiv.org/abs/1705.07115), equation 10, L/σ² + log σ, for cross-entropy (a
    regression would have exp(-s)·L/2 + s/2). For a fixed L the term is least where
    exp(-s) = 1/(2L). It starts at s = 0, weights of 1. A task that a batch has no labels
    for is left out, its s/2 too.

    It learns only if the optimiser has its parameters, which are not the model's.
    `training.fit` refuses an optimiser without them, for the weights would stay at 1.
    Their group comes first, for the history's `lr` is that of the last. A checkpoint
    takes it as `modules={"weights": weights}`.

    >>> import torch
    >>> from course_utils.multitask import MultiTaskModel, UncertaintyWeights
    >>> from course_utils.param_groups import param_groups
    >>> from course_utils.weights import load_backbone
    >>> backbone = load_backbone("test_resnet", weights="bundled")
    >>> model = MultiTaskModel(backbone, {"species": 5, "colour": 6})
    >>> weights = UncertaintyWeights(model.tasks)
    >>> own = {"params": list(weights.parameters()), "weight_decay": 0.0}
    >>> optimizer = torch.optim.AdamW([own, *param_groups(model, 1e-3)], lr=1e-3)
    >>> weights.weights
    {'species': 1.0, 'colour': 1.0}
    """

    @checked(own=("tasks",))
    def __init__(self, tasks: str | Iterable[str]):
        super().__init__()
        self.tasks = _names(tasks)
        if not self.tasks:
            raise ValueError(
                f"there is no task to weigh in {tasks!r}: give a list of their names"
            )
        zero = torch.zeros(())
        self.log_variances = nn.ParameterList(zero.clone() for _ in self.tasks)

    @property
    def weights(self) -> dict[str, float]:
        """What each loss is multiplied by now, exp(-s)."""
        return {t: torch.exp(-self._of(t)).item() for t in self.tasks}

    def forward(self, losses: Losses) -> Tensor:
        """Return the weighted sum of some tasks' losses, with its s/2 terms."""
        _check_known(losses, self.tasks)
        terms = [
            torch.exp(-self._of(t)) * x + self._of(t) / 2 for t, x in losses.items()
        ]
        return torch.stack(terms).sum()

    def _of(self, task: str) -> Tensor:
        return self.log_variances[self.tasks.index(task)]


class FixedWeights:
    """Weigh losses by fixed numbers of at least 0, one a task: Σ w·L.

    >>> import torch
    >>> from course_utils.multitask import FixedWeights
    >>> weigh = FixedWeights({"species": 0.75, "colour": 0.25})
    >>> weigh({"species": torch.tensor(2.0), "colour": torch.tensor(4.0)})
    tensor(2.5000)
    """

    def __init__(self, weights: Mapping[str, float]):
        self.weights = {task: float(weight) for task, weight in weights.items()}
        for task, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"the weight of {task!r} must be at least 0: {weight}")
        if not any(self.weights.values()):
            raise ValueError("every weight is 0: no task would be learnt")

    def __call__(self, losses: Losses) -> Tensor:
        _check_known(losses, self.weights)
        return torch.stack([self.weights[t] * x for t, x in losses.items()]).sum()


class MultiTaskStep:
    """The step for `training.fit`: every task's loss, weighed and added.

    `weights` is a number for each task, a module such as `UncertaintyWeights`, or None
    for 1 each. Batches are (images, {task: labels}), as `with_attributes` makes them.
    A label of -1 is missing: a task that a batch has no label for adds exactly 0, and
    its head gets no gradient. The history has each task's accuracy, and its loss before
    weighing as `train_loss_<task>`, both over the labelled pictures. `losses` takes
    logits and labels, {task: …}, and returns each task's loss, as `task_losses` does.

    >>> import torch
    >>> from course_utils.multitask import MultiTaskModel, MultiTaskStep
    >>> from course_utils.weights import load_backbone
    >>> backbone = load_backbone("test_resnet", weights="bundled")
    >>> model = MultiTaskModel(backbone, {"species": 5, "colour": 6})
    >>> labels = {"species": torch.tensor([0, 4]), "colour": torch.tensor([-1, 2])}
    >>> step = MultiTaskStep(weights={"species": 1.0, "colour": 0.5})
    >>> loss, logits, parts = step(model, (torch.zeros(2, 3, 64, 64), labels))
    >>> {name: pictures for name, (_, pictures) in parts.items()}
    {'loss_species': 2, 'loss_colour': 1}
    """

    @checked
    def __init__(
        self,
        *,
        weights: Mapping[str, float] | Callable[[Losses], Tensor] | None = None,
        losses: Callable[[dict, dict], Losses] = task_losses,
    ):
        self.weights = (
            FixedWeights(weights) if isinstance(weights, Mapping) else weights
        )
        self.losses = losses

    def __call__(
        self, model: nn.Module, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, tuple[Tensor, int]]]:
        images, labels = images_and_labels(batch, others=True)
        logits = model(images)
        losses = self.losses(logits, labels)
        known = {task: int((labels[task] != MISSING).sum()) for task in logits}
        zero = images.new_zeros(())
        parts = {f"loss_{t}": (losses.get(t, zero), n) for t, n in known.items()}
        return self._total(losses, logits), logits, parts

    def _total(self, losses: Losses, logits: dict[str, Tensor]) -> Tensor:
        if not losses:  # still something to call backward on
            return torch.stack([values.sum() for values in logits.values()]).sum() * 0
        if self.weights is None:
            return torch.stack(list(losses.values())).sum()
        return self.weights(losses)


@checked(own=("batch",))
def gradient_cosine(
    model: nn.Module,
    batch: Batch,
    *,
    losses: Callable[[dict, dict], Losses] = task_losses,
) -> pd.DataFrame:
    """Return how far two tasks pull the shared weights the same way, stage by stage.

    Rows are the stages before the heads, columns pairs of tasks ("colour × petals"), and
    values the cosine of the two gradients, from -1 (against each other) to 1 (together);
    NaN for a frozen stage, and where a gradient is 0. `losses` takes logits and labels,
    {task: …}, and returns a loss for each task. One forward pass in train mode; then
    gradients, modes, BatchNorm statistics and torch's generators are as they were.

    Raises `ValueError` where fewer than two tasks have labels in the batch. Yu et al.,
    2020, https://arxiv.org/abs/2001.06782

    >>> import torch
    >>> from course_utils.multitask import MultiTaskModel, gradient_cosine
    >>> from course_utils.weights import load_backbone
    >>> backbone = load_backbone("test_resnet", weights="bundled")
    >>> model = MultiTaskModel(backbone, {"species": 5, "colour": 6})
    >>> labels = {"species": torch.tensor([0, 4]), "colour": torch.tensor([1, 2])}
    >>> table = gradient_cosine(model, (torch.rand(2, 3, 64, 64), labels))
    >>> list(table.columns), list(table.index)
    (['species × colour'], ['backbone.conv1', 'backbone.layer1', 'backbone.layer2',
    'backbone.layer3', 'backbone.layer4'])
    """
    heads = tuple(find_heads(model).values())
    stages = [g for g in layer_groups(model) if g.modules != heads]
    shared = [p for stage in stages for p in stage.parameters if p.requires_grad]
    if not shared:
        raise ValueError(
            "every stage before the heads is frozen: no gradient is shared"
        )
    batch = to_device(batch, shared[0].device)
    images, labels = images_and_labels(batch, others=True)
    with generators_kept(), modes_kept(model), _buffers_kept(model):
        found = losses(model.train()(images), labels)
        if len(found) < 2:
            known = ", ".join(found) or "none"
            raise ValueError(f"two tasks need labels in the batch; there are: {known}")
        gradients = {task: _gradients(loss, shared) for task, loss in found.items()}
    pairs = list(combinations(found, 2))
    columns = {f"{a} × {b}": [_cosine(gradients[a], gradients[b], stage.parameters)
                              for stage in stages] for a, b in pairs}  # fmt: skip
    names = pd.Index([stage.name for stage in stages], name="stage")
    return pd.DataFrame(columns, index=names)


# -- helpers of the model --------------------------------------------------------------


def _names(tasks: Any) -> tuple[str, ...]:
    """The names of tasks; none where they are no names."""
    found = tuple(tasks) if isinstance(tasks, Iterable) else ()
    return found if all(isinstance(task, str) for task in found) else ()


def _check_tasks(tasks: Mapping[str, int]) -> None:
    if not isinstance(tasks, Mapping) or not tasks:
        raise ValueError('tasks must be such as {"species": 5, "colour": 6}')
    for task, classes in tasks.items():
        if not isinstance(task, str) or not task or "." in task:
            raise ValueError(f"a task's name must be a word without dots, got {task!r}")
        if hasattr(TaskHeads(), task):
            raise ValueError(
                f"a module has {task!r} of its own: name the task otherwise"
            )
        if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
            raise ValueError(f"task {task!r} needs at least 2 classes, got {classes!r}")


def _without_auxiliary(backbone: nn.Module) -> nn.Module:
    """Take off the side classifiers of torchvision's GoogLeNet and Inception."""
    if getattr(backbone, "aux_logits", False):
        backbone.aux_logits = False
        for name in ("AuxLogits", "aux1", "aux2"):
            if hasattr(backbone, name):
                setattr(backbone, name, None)
    return backbone


def _classes(head: nn.Module) -> int:
    last = [layer for layer in head.modules() if isinstance(layer, Head)][-1]
    return last.out_features


# -- helpers of the losses -------------------------------------------------------------


def _paired(logits, labels) -> dict[str, Tensor]:
    """The labels of each task that there are logits for; both must be dictionaries."""
    if not isinstance(logits, Mapping):
        raise ValueError(
            f"the model gives a {type(logits).__name__}, not a dictionary of logits: "
            "hand over a MultiTaskModel"
        )
    if not isinstance(labels, Mapping):
        raise ValueError(
            f"labels are a {type(labels).__name__}, not a dictionary by task: make the "
            "dataset with with_attributes"
        )
    if absent := [task for task in logits if task not in labels]:
        raise ValueError(
            f"no labels for task {absent[0]!r}; there are {', '.join(labels)}. Where "
            f"none is known, label every picture {MISSING}"
        )
    return {task: labels[task] for task in logits}


def _check_range(task: str, truth: Tensor, num_classes: int) -> None:
    try:
        check_labels(truth, num_classes)
    except ValueError as error:
        raise ValueError(f"task {task!r}: {error}") from error


def _check_known(losses: Losses, weighed: Iterable[str]) -> None:
    if unknown := [task for task in losses if task not in weighed]:
        raise ValueError(
            f"task {unknown[0]!r} has no weight; there are weights for "
            f"{', '.join(weighed)}. Give each task one, 0 where it is not to be learnt"
        )


# -- helpers of the gradients ----------------------------------------------------------


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """Put back a model's buffers (BatchNorm's statistics), also after an error."""
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)


def _gradients(loss: Tensor, parameters: list[nn.Parameter]) -> dict[int, Tensor]:
    """Gradients by the parameter's id; nothing is written into `.grad`."""
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return {id(p): gradient for p, gradient in pairs if gradient is not None}


def _cosine(a: dict[int, Tensor], b: dict[int, Tensor], parameters) -> float:
    ids = [id(p) for p in parameters if id(p) in a and id(p) in b]
    product, left, right = (
        sum((x[i].double() * y[i].double()).sum().item() for i in ids)
        for x, y in ((a, b), (a, a), (b, b))
    )
    return product / (left * right) ** 0.5 if left and right else float("nan")
