"""How batches are computed: precision, layout, compiled or not, on which devices."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from course_utils.arguments import Count, checked
from course_utils.meta_tensors import dtype_of
from course_utils.modes import device_of
from course_utils.tracing import tensors_in
from course_utils.training.batches import (
    images_of,
    labels_of,
    leading,
    to_net,
    with_images,
)
from course_utils.training.compiled import Compiled
from course_utils.training.loaders import length_of
from course_utils.training.outputs import Step, run_step
from course_utils.training.processes import Alone, Together

Precision = Literal["float32", "bfloat16", "float16"]
_MIXERS = (v2.MixUp, v2.CutMix)  # they take a whole batch, its labels too
_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_ACCELERATES = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}


class Engine:
    """How `fit`, `train_one_epoch` and `evaluate` compute their batches.

    `precision`: "float32" as the net is, or a forward pass under autocast in "bfloat16"
    or "float16"; the weights stay as they are. With float16 the loss is scaled, so that
    small gradients do not vanish (Micikevicius et al., 2018, arxiv.org/abs/1710.03740);
    the scale is the engine's state, which checkpoints keep.
    `accumulate`: batches for one update, whose gradient is that of one large batch, up to
    rounding: each picture counts alike, in a shorter last batch too. BatchNorm is the
    exception: its statistics are those of each small batch. (So are losses that are no
    mean over the pictures, such as those of tasks with missing labels.) A
    `batch_scheduler` steps once an update.
    `channels_last`: the layout in which convolutions are fastest on most machines; the
    net is left in it.
    `compile`: True for torch.compile, or the name of one of its backends. Where that
    fails, also in mid-run, a printed word says why, and the run goes on without.
    `augment`: a transform for each training picture on the device, or several; MixUp and
    CutMix, which take whole batches, need step=soft_label_step.
    `device`: where the net is moved to, such as "cuda".
    `accelerator`: an `accelerate.Accelerator()`, for a script that `accelerate launch`
    starts in several processes. It decides the device, and precision and accumulation
    where they are not given. A loader's batch size is that of one process; so trained, a
    net without BatchNorm learns what one process learns with the larger batch, up to
    rounding, and with BatchNorm what the statistics of the small batches allow.

    Raises `ValueError` for a precision that is unknown and a device that is not there.

    >>> from course_utils.training import Engine
    >>> engine = Engine(precision="bfloat16", accumulate=4)
    >>> engine
    Engine(precision='bfloat16', accumulate=4)
    >>> Engine(device="cuda:99")
    Traceback (most recent call last):
    ValueError: device 'cuda:99' is not there; there is cpu...
    """

    @checked(own=("compile", "augment", "device", "accelerator"))
    def __init__(
        self,
        *,
        precision: Precision | None = None,
        accumulate: Count | None = None,
        channels_last: bool = False,
        compile: bool | str = False,
        augment: Callable | Sequence[Callable] = (),
        device: str | torch.device | None = None,
        accelerator: Any = None,
    ):
        given = {k: v for k, v in locals().items() if k != "self"}
        usual = (None, False, ())
        self._given = {k: v for k, v in given.items() if not any(v is u for u in usual)}
        self.processes = Alone() if accelerator is None else Together(accelerator)
        told = getattr(accelerator, "mixed_precision", "no")
        self.precision = precision or _from_accelerate(told)
        steps = getattr(accelerator, "gradient_accumulation_steps", 1)
        self.accumulate = accumulate or steps
        self.channels_last = channels_last
        self.augment = _listed(augment)
        self.device = self.processes.device or _device(device)
        self._compiled = None if compile is False else Compiled(compile)
        self._learner: tuple[list, nn.Module] | None = None
        self._scaler: torch.amp.GradScaler | None = None
        self._saved: dict | None = None

    def __repr__(self) -> str:
        return f"Engine({', '.join(f'{k}={v!r}' for k, v in self._given.items())})"

    def place(self, model: nn.Module, optimizer: Any = None) -> None:
        """Move a net to its device and layout, in place, and its optimiser's state."""
        if self.device is not None and device_of(model) != self.device:
            model.to(self.device)
            if optimizer is not None and optimizer.state:
                optimizer.load_state_dict(
                    optimizer.state_dict()
                )  # casts to the weights
        if self.channels_last:
            model.to(memory_format=torch.channels_last)

    def learner(self, model: nn.Module) -> nn.Module:
        """Return what training batches go through: the net, wrapped or compiled.

        Made anew where other parameters learn than before, for what joins the gradients
        of several processes takes note of those once.
        """
        known = [model, *(p.requires_grad for p in model.parameters())]
        if self._learner is None or self._learner[0] != known:
            if self._learner is not None and self.processes.count > 1:
                self._learner = None
                gc.collect()  # the one before lets go of the net's gradients
            found = self.processes.wrapped(model)
            if self._compiled is not None:
                found = self._compiled.wrap(found)
            self._learner = (known, found)
        return self._learner[1]

    def length(self, loader: Iterable) -> int | None:
        """Return how many batches this process trains on; None where it is not known."""
        return length_of(self.processes.shard(loader, even=True))

    def batches(
        self, model: nn.Module, loader: Iterable, *, train: bool
    ) -> Iterator[tuple[Any, int, float]]:
        """Yield each batch of this process on the device, its pictures, and their mean.

        The mean is over the processes. Pictures that only fill up the last round are
        left out, or count as none where there are no others.
        """
        device, dtype = self.device or device_of(model), dtype_of(model)
        shard = self.processes.shard(loader, even=train)
        for number, batch in enumerate(shard, start=1):
            size = count = mean = len(_first(labels_of(batch)))
            if train:
                count, mean = self.processes.real(loader, number, size)
            if count < size:
                batch = leading(batch, max(count, 1))
            batch = to_net(batch, device, dtype)
            if train:
                batch = self._augmented(batch)
            yield self._laid_out(batch), count, mean

    def run(self, step: Step, learner: nn.Module, batch: Any) -> tuple:
        """Call a step under autocast; return (loss, logits) or (loss, logits, parts)."""
        if self._compiled is not None:
            learner = self._compiled.now(learner)
        with self._autocast(batch):
            if torch.is_autocast_enabled(_first(batch).device.type):
                torch.clear_autocast_cache()  # within another autocast it would last
            try:
                return run_step(step, learner, batch)
            except Exception as error:
                if self._compiled is None or not self._compiled.failed(error):
                    raise
                return run_step(step, self._compiled.now(learner), batch)

    def gave_up(self, error: Exception) -> bool:
        """Tell whether an error is the compiler's: then the batch is to be run again."""
        return self._compiled is not None and self._compiled.failed(error)

    @property
    def scales(self) -> bool:
        """Whether the loss is scaled, which is a state."""
        return self.precision == "float16"

    def scaler(self, device: torch.device) -> torch.amp.GradScaler | None:
        """Return what scales the loss in float16; None in another precision."""
        if self.scales and self._scaler is None:
            self._scaler = torch.amp.GradScaler(device.type)
            if self._saved:
                self._scaler.load_state_dict(self._saved)
        return self._scaler

    def state_dict(self) -> dict:
        """Return the state of the loss's scale; empty where none is used."""
        return self._scaler.state_dict() if self._scaler else dict(self._saved or {})

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` returned."""
        self._saved = dict(state_dict)
        if self._scaler is not None and state_dict:
            self._scaler.load_state_dict(state_dict)

    def _autocast(self, batch: Any):
        kind = _TYPES.get(self.precision)
        device = _first(batch).device.type
        return torch.autocast(device, dtype=kind, enabled=kind is not None)

    def _augmented(self, batch: Any) -> Any:
        for transform in self.augment:
            images, labels = images_of(batch), labels_of(batch)
            if isinstance(transform, _MIXERS):
                images, labels = transform(images, labels)
                batch = with_images(batch, images, labels)
            else:
                pictures = torch.stack([transform(image) for image in images])
                batch = with_images(batch, pictures)
        return batch

    def _laid_out(self, batch: Any) -> Any:
        images = images_of(batch) if self.channels_last else None
        if not isinstance(images, Tensor) or images.ndim != 4:
            return batch
        return with_images(batch, images.to(memory_format=torch.channels_last))


def _first(value: Any) -> Tensor:
    return tensors_in(value)[0]


def _from_accelerate(told: str) -> str:
    if told not in _ACCELERATES:
        raise ValueError(
            f"the accelerator's mixed precision {told!r} is none of "
            f"{', '.join(_ACCELERATES)}: name one, or give precision= here"
        )
    return _ACCELERATES[told]


def _listed(augment: Any) -> list[Callable]:
    found = () if augment is None else augment
    found = list(found) if isinstance(found, tuple | list) else [found]
    for transform in found:
        if not callable(transform):
            raise TypeError(
                f"augment holds a {type(transform).__name__}, which takes no picture: "
                "give transforms of torchvision.transforms.v2"
            )
    return found


def _device(device: str | torch.device | None) -> torch.device | None:
    """Return a device that is there; `ValueError` for another."""
    if device is None:
        return None
    there = ["cpu"]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        there += [f"{kind}:{n}" for n in range(torch.accelerator.device_count())]
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"{device!r} is no device: there is {', '.join(there)}"
        ) from error
    if found.index is None and found.type != "cpu":
        found = torch.device(found.type, 0)
    if str(found) not in there and found.type != "cpu":
        raise ValueError(
            f"device {str(device)!r} is not there; there is {', '.join(there)}"
        )
    return found
