"""Go through the pictures of a data set: batches read ahead, a net's answers collected."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset
from tqdm.auto import tqdm

from course_utils.fast_inference import Precision, Run, prepared
from course_utils.modes import device_of
from course_utils.runtime import generators_kept, show_progress
from course_utils.tracing import tensors_in
from course_utils.training import images_and_labels, to_device
from course_utils.training.loaders import collate

Labels = Tensor | dict[str, Tensor]
Read = Iterator[tuple[Tensor, Labels | None]]
_END = object()
_FEW = 2**21  # pixels in all, for which a copy of the net costs more than it saves
_SHORT = 2  # seconds that need no bar
_MOST_AWAY = 2**26  # bytes


def batches(dataset: Dataset, batch_size: int) -> Read:
    """Yield pictures (B, C, H, W) and labels of a dataset, in order.

    It gives (image, label, …), or a dictionary with pictures and labels; what comes
    besides is left out. Raises `ValueError` for what cannot be read so.

    >>> import torch
    >>> from course_utils.reading import batches
    >>> pairs = [(torch.rand(3, 8, 8), label) for label in range(5)]
    >>> [labels.tolist() for images, labels in batches(pairs, 2)]
    [[0, 1], [2, 3], [4]]
    """
    if isinstance(dataset, DataLoader):
        raise ValueError("hand over the data set, not a loader: loader.dataset")
    listed = hasattr(dataset, "__getitem__") or isinstance(dataset, IterableDataset)
    if not listed or isinstance(dataset, str | Mapping | Tensor):
        raise TypeError(
            f"dataset is a {type(dataset).__name__}: hand over pairs (image, label), such "
            "as data.train of load_dataset"
        )
    if not isinstance(dataset, IterableDataset) and not len(dataset):
        raise ValueError("the dataset is empty: there is no picture to run")
    loader = iter(DataLoader(dataset, batch_size, collate_fn=collate))
    while True:
        try:
            batch = next(loader)
        except StopIteration:
            return
        except (TypeError, RuntimeError) as error:
            if not re.search("default_collate|stack expects", str(error)):
                raise
            raise ValueError(
                "pictures cannot be put into one batch: the dataset's transform must end "
                f"in tensors of one size, as weights_info.transform does ({error})"
            ) from error
        yield images_and_labels(batch, others=True)


def read_ahead(source: Iterable) -> Iterator:
    """Yield what a source gives, while a thread already reads what comes next.

    One thing is read ahead, so nothing else may draw from torch's generator meanwhile.
    Errors come where they would without; left early, the thread ends with what it reads.

    >>> from course_utils.reading import read_ahead
    >>> list(read_ahead(range(3)))
    [0, 1, 2]
    """
    rest, context = iter(source), contextvars.copy_context()
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def read() -> Any:  # in the thread, where torch's modes would be others
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            return next(rest, _END)

    with ThreadPoolExecutor(1, thread_name_prefix="read_ahead") as reader:
        coming = reader.submit(context.run, read)
        while (found := coming.result()) is not _END:
            coming = reader.submit(context.run, read)
            yield found


def collect(
    model: nn.Module,
    source: Read,
    run: Run,
    *,
    keep: Callable[[Any, Tensor], Any] = lambda output, images: output,
    pictures: int | None = None,
    precision: Precision = "float32",
    progress: bool | None = None,
) -> tuple[list, list]:
    """Run all batches through a model; return rows and labels of each, on the CPU.

    `run(model, images)` is what is wanted of the model (which may be a faster copy),
    `keep(output, images)` what is kept of that: tensors, which are copied. `pictures` is
    how many there are, where that is known.

    >>> import timm, torch
    >>> from course_utils.reading import batches, collect
    >>> pairs = [(torch.rand(3, 64, 64), label) for label in range(5)]
    >>> model = timm.create_model("test_resnet", num_classes=2)
    >>> rows, labels = collect(model, batches(pairs, 3), lambda net, images: net(images))
    >>> [len(part) for part in rows]
    [3, 2]
    """
    device = device_of(model)
    source = iter(source) if device.type != "cuda" else map(_pinned, source)
    if (first := next(source, None)) is None:
        return [], []
    images, labels, rows = first[0], [], _Rows()
    few = pictures is not None and pictures * images.shape[2:].numel() < _FEW
    with generators_kept():
        answer = prepared(model, images, run, precision=precision, few=few)
    before, parts = torch.get_rng_state(), answer.parts(images)
    # The first are run with nothing read beside: `keep` may give generators back.
    rows.add(keep(answer(parts[0]), images))
    source = chain([(images[len(parts[0]) :], first[1])], source)
    draws = not torch.equal(torch.get_rng_state(), before)  # as the pictures may, too
    source = (batch for batch in source) if draws else read_ahead(source)
    with (
        tqdm(desc="pictures", total=pictures, initial=len(parts[0]), delay=_SHORT,
             leave=False, disable=not show_progress(progress)) as bar,
        closing(source),
    ):  # fmt: skip
        for images, target in source:
            labels.append(to_device(target, torch.device("cpu")))
            there = images.to(device, non_blocking=True)
            for part in answer.parts(there) if len(images) else ():
                rows.add(keep(answer(part), images))
                bar.update(len(part))
    return rows.home(), labels


def _pinned(batch: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
    """Put pictures where a GPU can fetch them while it computes."""
    images, labels = batch
    return images.pin_memory() if images.device.type == "cpu" else images, labels


class _Rows:
    """Collect what batches gave: copied at once, brought to the CPU by and by.

    A device so computes on, and is waited for only where much has gathered there.
    """

    def __init__(self):
        self._home: list = []
        self._away: list = []
        self._bytes = 0

    def add(self, rows: Any) -> None:
        """Add rows (B, …), or those of each task."""
        copied = _copied(rows)
        self._away.append(copied)
        self._bytes += sum(t.nbytes for t in tensors_in(copied))
        if self._bytes > _MOST_AWAY:
            self.home()

    def home(self) -> list:
        """Return all rows, on the CPU."""
        self._home += to_device(self._away, torch.device("cpu"))
        self._away, self._bytes = [], 0
        return self._home


def _copied(rows: Any) -> Any:
    """A copy that may enter a graph, and keeps nothing else alive."""
    if isinstance(rows, Mapping):
        return {task: _copied(values) for task, values in rows.items()}
    return rows.clone(memory_format=torch.contiguous_format)


def join_labels(batches: Sequence[Labels]) -> Labels:
    """Put the labels of batches one after another: (N,), or {task: (N,)}.

    >>> import torch
    >>> from course_utils.reading import join_labels
    >>> join_labels([torch.tensor([0, 1]), torch.tensor([2])])
    tensor([0, 1, 2])
    """
    first = batches[0]
    if isinstance(first, Mapping):
        return {
            task: join_labels([labels[task] for labels in batches]) for task in first
        }
    if isinstance(first, Tensor):
        return torch.cat(list(batches))
    raise ValueError(
        f"labels are a {type(first).__name__}, not one number a picture (or a task): "
        "make a dataset that gives (image, class index)"
    )
