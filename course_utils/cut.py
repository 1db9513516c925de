"""Cut a network where it freezes: run the frozen part once, train the rest on what it gave.

The frozen stages give the same activation for the same picture in every epoch, so it can
be kept. What lies behind them is then a smaller network with a larger "picture".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, StackDataset, TensorDataset

from course_utils.activations import layout_of, watched
from course_utils.arguments import Count, checked
from course_utils.datasets import check_views
from course_utils.errors import CannotCut
from course_utils.layer_groups import layer_groups
from course_utils.meta_tensors import default_input_size
from course_utils.modes import device_of, inference
from course_utils.reading import batches, collect, join_labels
from course_utils.tracing import Trace, tensors_in, trace
from course_utils.training.loaders import Stacked, length_of


class CutModel(nn.Module):
    """A model that begins where its first frozen stages end.

    Called with activations (B, …) as `cached_activations` gives them, it answers as the
    whole model answers for the pictures. The parameters are the model's own: training
    this trains that. BatchNorm of the frozen stages is not run, so it does not move.

    The layers before the cut are passed over, and the last of them hands out the
    activation; what `forward` does between layers still runs. That holds for nets whose
    later stages read nothing from before the cut but this one tensor; the constructor
    proves it on a batch of noise, and raises `CannotCut` where it does not hold.

    >>> import torch
    >>> from course_utils.cut import CutModel
    >>> from course_utils.layer_groups import freeze
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> cut = CutModel(freeze(model, until="layer4"))
    >>> images = torch.rand(2, 3, 64, 64)
    >>> activations = cut.activations(images).clone()  # a copy can enter a graph
    >>> cut.stage, torch.allclose(cut(activations), model(images), atol=1e-5)
    ('layer4', True)
    """

    @checked
    def __init__(self, model: nn.Module, *, input_size: tuple[int, ...] | None = None):
        super().__init__()
        self.model = model
        size = tuple(input_size or default_input_size(model))
        self.stage, self._boundary, self._skipped = _plan(
            model, trace(model, input_size=size)
        )
        self._input_size = size
        self._prove(size)

    def forward(self, activations: Tensor) -> Tensor | dict[str, Tensor]:
        blank = activations.new_zeros(()).expand(len(activations), *self._input_size)
        with self._passed_over(activations):
            return self.model(blank)  # only its shape is looked at

    def activations(self, images: Tensor) -> Tensor:
        """Run the frozen stages in eval mode: (B, C, H, W) -> what leaves the last one.

        A tensor of inference mode: to train on it, take a `.clone()`.
        """
        with inference(self.model):
            return self.activations_of(self.model, images)

    def activations_of(self, model: nn.Module, images: Tensor) -> Tensor:
        """The same of a copy of the model, in the mode that it is in."""
        with watched(model.get_submodule(self._boundary)) as kept:
            model(images)
        return kept[0]

    @contextmanager
    def _passed_over(self, activations: Tensor) -> Iterator[None]:
        """Let the layers before the cut hand out shapes, the last one the activation."""
        replaced = []
        blank = activations.new_zeros(())
        for path, shape in self._skipped.items():
            module = self.model.get_submodule(path)
            out = (
                activations
                if path == self._boundary
                else blank.expand(len(activations), *shape)
            )
            replaced.append((module, vars(module).get("forward")))
            module.forward = _hand_out(out)
        try:
            yield
        finally:
            for module, own in replaced:
                if own is None:
                    del module.forward
                else:
                    module.forward = own

    def _prove(self, size: tuple[int, int, int]) -> None:
        parameter = next(self.model.parameters())
        images = torch.randn(2, *size, device=parameter.device, dtype=parameter.dtype)
        try:
            found = self.activations(images)
            with inference(self.model):
                whole, cut = self.model(images), self(found)
        except (RuntimeError, TypeError, IndexError) as error:
            raise CannotCut(
                f"{type(self.model).__name__} does not run from {self.stage} on: "
                f"{str(error).splitlines()[0][:160]}. Freeze another stage, or train with "
                "the usual loop"
            ) from error
        pairs = zip(tensors_in(whole), tensors_in(cut), strict=True)
        if not all(torch.allclose(a, b, atol=1e-4, rtol=1e-4) for a, b in pairs):
            raise CannotCut(
                f"{type(self.model).__name__} answers differently when it starts at "
                f"{self.stage}: its later stages read more than the activation that "
                "enters them. Freeze another stage, or train with the usual loop"
            )


@checked
def cached_activations(
    cut: CutModel,
    dataset: Dataset | Sequence,
    *,
    views: Count = 1,
    batch_size: Count = 64,
) -> TensorDataset | StackDataset:
    """Run the frozen stages over a dataset once; return activations and labels (CPU).

    Labels by task, as `multitask.with_attributes` gives them, stay so.
    With `views` above 1, the dataset is gone through that often: where its transform is
    random, each picture is kept in so many versions, which are then the augmentation.
    Memory grows with `views`. A random transform with one view would repeat one crop
    for ever: a `ValueError`.

    >>> from course_utils.cut import CutModel, cached_activations
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.layer_groups import freeze
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> cut = CutModel(freeze(model, until="layer4"))
    >>> kept = cached_activations(cut, load_dataset("flowers", per_class=2).train)
    >>> len(kept), tuple(kept[0][0].shape)
    (10, (192, 4, 4))
    """
    check_views(dataset, views)
    often = [batches(dataset, batch_size) for _ in range(views)]
    found, labels = collect(
        cut.model,
        chain.from_iterable(often),
        cut.activations_of,
        pictures=None if length_of(dataset) is None else views * len(dataset),
    )
    maps, truth = _laid_out(torch.cat(found), cut), join_labels(labels)
    if isinstance(truth, Mapping):
        return _ByTask(maps, StackDataset(**truth))
    return _Activations(maps, truth)


class _Activations(TensorDataset):
    """Activations and labels, of which a loader takes a batch at once."""

    def __getitems__(self, indices: list[int]) -> Stacked:
        parts = [values[indices] for values in self.tensors]
        return Stacked(parts, partial(zip, *parts))


class _ByTask(StackDataset):
    """The same with labels by task."""

    def __getitems__(self, indices: list[int]) -> Stacked:
        maps, truth = self.datasets
        labels = {task: values[indices] for task, values in truth.datasets.items()}
        return Stacked((maps[indices], labels), partial(super().__getitems__, indices))


def _laid_out(maps: Tensor, cut: CutModel) -> Tensor:
    """Maps (B, C, H, W) with channels last in memory, as convolutions on a CPU want them.

    The values stay; it is 1.4 times as fast for an EfficientNet's last stage.
    """
    if maps.ndim != 4 or device_of(cut.model).type != "cpu":
        return maps
    if layout_of(cut.model, cut._boundary, shape=tuple(maps.shape)).channels_last:
        return maps
    return maps.contiguous(memory_format=torch.channels_last)


def _hand_out(output: Tensor):
    def forward(*args, **kwargs) -> Tensor:
        return output

    return forward


def _plan(model: nn.Module, found: Trace) -> tuple[str, str, dict[str, tuple]]:
    """The first stage that learns, the layer before it, and all that is passed over."""
    groups = layer_groups(model, trace=found)
    frozen = [not any(p.requires_grad for p in group.parameters) for group in groups]
    if not frozen[0]:
        raise CannotCut(
            f"nothing is frozen at the start: {groups[0].name} learns. Call "
            "freeze(model, until=…) first"
        )
    if all(frozen):
        raise CannotCut("every stage is frozen: there is nothing to train behind a cut")
    first = groups[frozen.index(False)]
    start = _first_use(model, found)
    before = [call for call in found.calls.values() if call.order < start]
    # A container that still runs behind the cut is entered; others are passed over whole.
    entered = {
        path
        for path in found.calls
        if any(_inside(c.path, path) for c in found.calls.values() if c.order >= start)
    }
    whole = [call for call in before if call.path not in entered]
    outermost = [
        call for call in whole if not any(_inside(call.path, c.path) for c in whole)
    ]
    if not outermost or any(call.output_shape is None for call in outermost):
        raise CannotCut(
            f"{type(model).__name__} has no layer whose output enters {first.name}"
        )
    boundary = max(outermost, key=lambda call: call.order)
    return first.name, boundary.path, {c.path: c.output_shape for c in outermost}


def _first_use(model: nn.Module, found: Trace) -> int:
    """When the first layer that learns began to run."""
    return min(
        call.order
        for path, call in found.calls.items()
        if path
        and any(
            p.requires_grad for p in model.get_submodule(path).parameters(recurse=False)
        )
    )


def _inside(path: str, holder: str) -> bool:
    return path != holder and (not holder or path.startswith(f"{holder}."))
