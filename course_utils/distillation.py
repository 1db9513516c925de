"""Teach a small net from a large one: the loss, the teacher, its answers and features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset
from torchvision.transforms import InterpolationMode, v2

from course_utils.datasets import draws_views
from course_utils.datasets.transforms import steps
from course_utils.features import check_one_task
from course_utils.heads import Head, find_heads
from course_utils.modes import inference
from course_utils.tracing import trace
from course_utils.training import Batch, Step, check_labels, classification_step
from course_utils.weights import WeightsInfo


class DistillationParts(NamedTuple):
    """The loss and its two parts, each a mean over the batch.

    `hard` is the cross-entropy with the labels, `soft` the divergence from the teacher
    times T², and `total` is alpha · soft + (1 − alpha) · hard.
    """

    hard: Tensor
    soft: Tensor
    total: Tensor


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    T: float = 4.0,
    alpha: float = 0.7,
) -> Tensor:
    """Return alpha · T² · KL(teacher ‖ student) + (1 − alpha) · cross-entropy.

    Both logits are (B, C), labels (B,). The divergence is between the softmax of both
    logits over the temperature T (above 0), summed over classes, mean over the batch;
    `alpha` (0 to 1) is the teacher's share. Logits of half precision are reckoned with in
    float32. No gradient reaches the teacher. That of the soft part by the student's logits
    is alpha · T · (p_student − p_teacher) / B, where p are the probabilities at T: they
    differ by about 1/T, so that without T² it would shrink like 1/T², and with it T may be
    changed while the shares stay.

    Raises `ValueError` for other shapes, labels that no class has, T or alpha outside
    their ranges. Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531
    """
    return distillation_parts(
        student_logits, teacher_logits, labels, T=T, alpha=alpha
    ).total


def distillation_parts(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    T: float = 4.0,
    alpha: float = 0.7,
) -> DistillationParts:
    """Return hard part, soft part (with its T²) and total of `distillation_loss`."""
    _check_mixture(T, alpha)
    _check_logits(student_logits, teacher_logits, labels)
    student_logits, teacher_logits = map(_full, (student_logits, teacher_logits))
    soft = T**2 * functional.kl_div(
        functional.log_softmax(student_logits / T, dim=1),
        functional.log_softmax(teacher_logits.detach() / T, dim=1),
        reduction="batchmean",  # "mean" would divide by the number of classes too
        log_target=True,  # no logarithm of probabilities that have become 0
    )
    hard = functional.cross_entropy(student_logits, labels)
    return DistillationParts(hard, soft, alpha * soft + (1 - alpha) * hard)


# -- the teacher -----------------------------------------------------------------------


class Preprocessing(NamedTuple):
    """What a net expects of its pictures: per-channel mean and deviation, and size.

    `size` is (height, width) in pixels, or None for any.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    size: tuple[int, int] | None = None
    interpolation: str = "bilinear"


class Teacher:
    """A net that only answers: (B, C, H, W) -> logits, whatever mode it is left in.

    Each call holds it in eval and inference mode: BatchNorm does not move, dropout drops
    nothing, no gradient is kept, and it is given back as it was. It is no module, so it
    enters neither the student's parameters nor its checkpoints.

    Give `student_transform`, the transform of the dataset (or the student's
    `weights_info`), where the teacher was trained with other preprocessing: then the
    student's normalisation is undone on the tensors, they are resized to the teacher's
    side, and normalised as it expects. Teacher and student so see the same crop, which
    matters (Beyer et al., 2022, https://arxiv.org/abs/2106.05237). `transform` says what
    the teacher expects; by default its own `weights_info`.

    Raises `ValueError` for a transform that cannot be read: one made of your functions.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        student_transform: Any | None = None,
        transform: Any | None = None,
    ):
        self.model = model
        self._given = self._wanted = None
        if student_transform is not None:
            own = (
                getattr(model, "weights_info", None) if transform is None else transform
            )
            if own is None:
                raise ValueError(
                    f"{type(model).__name__} has no weights_info that says what it "
                    "expects: give the teacher's transform= too"
                )
            self._given, self._wanted = (
                preprocessing(student_transform),
                preprocessing(own),
            )
        elif transform is not None:
            raise ValueError("give student_transform too: what the pictures come as")

    def __call__(self, images: Tensor) -> Tensor:
        with inference(self.model) as device:
            logits = self.model(self.prepared(images.to(device)))
        _check_tensor(logits, "teacher")
        # a copy: tensors of inference mode cannot enter a loss
        return logits.to(images.device).clone()

    def prepared(self, images: Tensor) -> Tensor:
        """Turn the student's pictures (B, C, H, W) into what the teacher expects."""
        if self._wanted is None or self._given[:2] == self._wanted[:2]:
            return self._resized(images)
        like = {"dtype": images.dtype, "device": images.device}
        mean, std, new_mean, new_std = (
            torch.tensor(values, **like)[:, None, None]
            for values in (*self._given[:2], *self._wanted[:2])
        )
        return (self._resized(images * std + mean) - new_mean) / new_std

    def _resized(self, images: Tensor) -> Tensor:
        size = self._wanted.size if self._wanted else None
        if size is None or images.shape[-2:] == size:
            return images
        mode = InterpolationMode(self._wanted.interpolation)
        return v2.functional.resize(images, list(size), mode, antialias=True)


def preprocessing(source: Any) -> Preprocessing:
    """Read normalisation and side off a `WeightsInfo`, or a torchvision transform.

    Raises `ValueError` for a transform with a step that is not torchvision's or timm's,
    or a Lambda: what it does to a picture cannot be undone.
    """
    if isinstance(source, WeightsInfo):
        size = _size(source.image_size)
        return Preprocessing(
            _floats(source.mean), _floats(source.std), size, source.interpolation
        )
    found: dict[str, Any] = {}
    for step in steps(source):
        name = type(step).__name__
        library = type(step).__module__.partition(".")[0]
        if library not in ("torchvision", "timm") or name == "Lambda":
            raise ValueError(
                f"cannot read what {name} does to a picture: give the weights_info, or "
                "a transform made of torchvision's steps"
            )
        if name == "Normalize":
            found |= {"mean": _floats(step.mean), "std": _floats(step.std)}
        elif name in ("Resize", "CenterCrop", "RandomResizedCrop", "RandomCrop"):
            found["size"] = _size(step.size)
        if mode := getattr(step, "interpolation", None):
            found["interpolation"] = getattr(mode, "value", "bilinear")
    return Preprocessing(**found)


# -- steps for fit ---------------------------------------------------------------------


class DistillationStep:
    """The step for `training.fit` that asks the teacher anew for each batch.

    The loss is `distillation_loss`; the history has both parts too, as `train_hard` and
    `train_soft`. The teacher sees the student's augmented pictures. The student trains
    as usual, its BatchNorm too; the teacher never moves.
    """

    def __init__(
        self, teacher: Teacher | nn.Module, *, T: float = 4.0, alpha: float = 0.7
    ):
        _check_mixture(T, alpha)
        self.teacher, self.T, self.alpha = _as_teacher(teacher), T, alpha

    def __call__(self, model: nn.Module, batch: Batch):
        images, labels, *_ = batch
        answers = self.teacher(images)
        return _taught(model(images), answers, labels, T=self.T, alpha=self.alpha)


class CachedDistillationStep:
    """As `DistillationStep`, with the answers that `cached_logits` put into the batch."""

    def __init__(self, *, T: float = 4.0, alpha: float = 0.7):
        _check_mixture(T, alpha)
        self.T, self.alpha = T, alpha

    def __call__(self, model: nn.Module, batch: Batch):
        if len(batch) < 3:
            raise ValueError(
                "the batch holds no answers of a teacher: make train and val with "
                "cached_logits(teacher, dataset)"
            )
        images, labels, answers = batch
        return _taught(model(images), answers, labels, T=self.T, alpha=self.alpha)


class TaughtDataset(Dataset):
    """Pictures with label and the teacher's logits: (image, label, (C,))."""

    def __init__(self, dataset: Dataset, logits: Tensor):
        self.dataset, self.logits = dataset, logits

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor]:
        image, label = self.dataset[index]
        return image, label, self.logits[index]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, int, Tensor]]:
        fetch = getattr(self.dataset, "__getitems__", None)
        pairs = fetch(indices) if fetch else [self.dataset[i] for i in indices]
        rows = zip(pairs, self.logits[indices], strict=True)
        return [(*pair, answer) for pair, answer in rows]


def cached_logits(
    teacher: Teacher | nn.Module,
    dataset: Dataset,
    *,
    views: int = 1,
    batch_size: int = 64,
) -> TaughtDataset:
    """Ask the teacher once about each picture; return what `CachedDistillationStep` takes.

    The answers are kept in memory (N, C), the pictures still come from the dataset. Where
    its transform is random, an answer belongs to one crop only: then `views` above 1
    keeps so many versions of each picture, pixels and answers, and these are the
    augmentation; memory grows with them.

    Raises `ValueError` for a random transform with one view.
    """
    if views < 1:
        raise ValueError(f"views must be at least 1, got {views}")
    if isinstance(dataset, TaughtDataset):
        raise ValueError("the dataset holds answers already: hand over its .dataset")
    if views == 1 and draws_views(dataset):
        raise ValueError(
            "the transform is random (augmentation), so a cached answer would belong to "
            "another crop than the student sees: take several views, a transform without "
            "chance, or DistillationStep, which asks the teacher each time"
        )
    teacher = _as_teacher(teacher)
    kept, labels, logits = [], [], []
    for _ in range(views):
        for images, target in DataLoader(dataset, batch_size):
            check_one_task(target)
            logits.append(teacher(images).cpu())
            if views > 1:
                kept.append(images)
                labels.append(target)
    if not logits:
        raise ValueError("the dataset is empty: there is nothing to ask the teacher")
    if views > 1:
        dataset = TensorDataset(torch.cat(kept), torch.cat(labels))
    return TaughtDataset(dataset, torch.cat(logits))


# -- features --------------------------------------------------------------------------


class FeatureDistillation(nn.Module):
    """A step for `training.fit` that also pulls a layer's features to the teacher's.

    `layers` names one of the student and one of the teacher. Where their widths differ,
    the student's go through `projector`, a 1×1 convolution on maps (B, C, H, W) and
    tokens (B, N, C), a Linear on vectors (B, C); maps of another size are resized to the
    teacher's. Each position is brought to length 1, and the loss is the squared distance,
    mean over positions (0 to 4), times `weight`, added to the loss of `step`: the labels'
    cross-entropy, or a distillation step. The history has it as `train_features`.

    The projector learns, so hand its parameters to the optimiser; it is no part of the
    student, and goes after training (a checkpoint takes the step as one of `modules`).
    Only hooks watch the layers, during each pass; the teacher is in eval mode, and no
    BatchNorm of it moves::

        step = FeatureDistillation(student, teacher, layers=("layer4", "layer4"))
        optimizer = torch.optim.AdamW([*student.parameters(), *step.parameters()])

    Raises `ValueError` for unknown layers and for maps matched with vectors. Romero et
    al., 2015 (FitNets), https://arxiv.org/abs/1412.6550
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: Teacher | nn.Module,
        *,
        layers: tuple[str, str],
        weight: float = 1.0,
        step: Step = classification_step,
        input_size: tuple[int, int, int] | None = None,
    ):
        super().__init__()
        if weight <= 0:
            raise ValueError(f"weight must be above 0, got {weight}")
        self.teacher, self.layers = _as_teacher(teacher), tuple(layers)
        self.weight, self.step = weight, step
        self.projector = _projector(
            student,
            _feature_shape(student, layers[0], input_size),
            _feature_shape(self.teacher.model, layers[1], None),
        )

    def forward(self, model: nn.Module, batch: Batch):
        """Be a step: model and batch -> loss, logits and the loss's parts."""
        own, its = self.layers
        with _watched(model, own) as seen, _watched(self.teacher.model, its) as wanted:
            loss, logits, *parts = self.step(model, batch)
            if not wanted:  # a distillation step has asked the same teacher already
                self.teacher(batch[0])
        distance = self.distance(seen[-1], wanted[-1].clone().to(seen[-1].device))
        parts = {**(parts[0] if parts else {}), "features": (distance, len(batch[0]))}
        return loss + self.weight * distance, logits, parts

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean squared distance of two layers' features, brought to length 1."""
        student, teacher = self.projector(_as_maps(student)), _as_maps(teacher)
        if student.shape[2:] != teacher.shape[2:]:
            student = functional.interpolate(
                student, size=teacher.shape[2:], mode="bilinear", antialias=True
            )
        student, teacher = functional.normalize(student), functional.normalize(teacher)
        return (student - teacher.to(student.dtype)).square().sum(1).mean()


# -- the missing class -----------------------------------------------------------------


def without_class(dataset: Dataset, k: int) -> Dataset:
    """Return the dataset without the pictures of class `k`; class indices stay.

    Raises `ValueError` where there are none, or nothing else.
    """
    labels = _labels_of(dataset)
    keep = (labels != k).nonzero()[:, 0].tolist()  # (N,) -> places
    if len(keep) == len(labels):
        known = ", ".join(map(str, sorted(set(labels.tolist()))))
        raise ValueError(f"no picture has class {k}; classes are {known}")
    if not keep:
        raise ValueError(f"every picture has class {k}: nothing would be left")
    return dataset.subset(keep) if hasattr(dataset, "subset") else Subset(dataset, keep)


class BestBias(NamedTuple):
    """What to add to a class's logit, and the accuracies (0 to 1) that this gives.

    `recall` is the share of the class's own pictures that are then found.
    """

    shift: float
    accuracy: float
    recall: float
    accuracy_before: float
    recall_before: float


def best_bias(logits: Tensor, labels: Tensor, k: int) -> BestBias:
    """Find the shift of class `k`'s bias that gives the best accuracy, exactly.

    A student that never saw a class learns from its teacher what it looks like, but also
    that it never comes: its bias is too low (Hinton et al., 2015, section 3, who raised
    that of the 3s by 3.5). `logits` are (N, C), `labels` (N,); every shift at which some
    answer changes is tried; of equals, the one nearest to 0. Choose it on val, report on
    test.
    """
    _check_logits(logits, logits, labels)
    if logits.isnan().any():
        raise ValueError("logits hold NaN: no bias can be judged by them")
    if not 0 <= k < logits.shape[1]:
        raise ValueError(f"k must be a class from 0 to {logits.shape[1] - 1}, got {k}")
    if not (labels == k).any():
        raise ValueError(f"no picture has class {k}: its bias cannot be judged")
    scores, truth = logits.detach().double().cpu(), labels.cpu()
    others = scores.clone()
    others[:, k] = -torch.inf
    best = others.max(1)  # values, and which of the other classes they belong to
    needed = best.values - scores[:, k]  # a larger shift makes the answer k
    shifts = _between(needed)
    right = _right_after(shifts, needed, (truth == k).long(), best.indices == truth)
    winners = shifts[right == right.max()]
    shift = winners[winners.abs().argmin()].item()
    before, after = scores.argmax(1), torch.where(shift > needed, k, best.indices)
    return BestBias(shift, *_scores(after, truth, k), *_scores(before, truth, k))


def shift_bias(model: nn.Module, k: int, shift: float) -> nn.Module:
    """Add `shift` to the bias of class `k` in the model's head, in place."""
    head = next(iter(find_heads(model).values()))
    last = [layer for layer in head.modules() if isinstance(layer, Head)][-1]
    if last.bias is None:
        raise ValueError(f"the head of {type(model).__name__} has no bias to shift")
    if not 0 <= k < len(last.bias):
        raise ValueError(f"k must be a class from 0 to {len(last.bias) - 1}, got {k}")
    with torch.no_grad():
        last.bias[k] += shift
    return model


# -- what the student is told ----------------------------------------------------------


def soft_targets(logits: Tensor, T: float) -> Tensor:
    """Return the probabilities at temperature T (above 0): softmax(logits / T), (…, C)."""
    _check_temperature(T)
    return torch.softmax(logits / T, dim=-1)


def entropy_bits(probabilities: Tensor) -> Tensor:
    """Return the entropy of distributions (…, C) in bits, (…): 0 to log2 of C."""
    return torch.special.entr(probabilities).sum(-1) / math.log(2)


def odds_against(logits: Tensor, T: float) -> Tensor:
    """Return how many times likelier the best class is than each, at T: (…, C), from 1.

    It is reckoned from the logits, so it stays right where a probability rounds to 0.
    """
    _check_temperature(T)
    return ((logits.max(-1, keepdim=True).values - logits) / T).exp()


def soft_gradient(student_logits: Tensor, teacher_logits: Tensor, T: float) -> Tensor:
    """Return the gradient of one picture's KL by the student's logits, without T².

    That is (p_student − p_teacher) / T with the probabilities at T, (…, C); times T² it
    is what `distillation_loss` adds (Hinton et al., 2015, section 2).
    """
    student, teacher = (soft_targets(z, T) for z in (student_logits, teacher_logits))
    return (student - teacher) / T


# -- helpers ---------------------------------------------------------------------------


def _check_temperature(T: float) -> None:
    if not 0 < T < float("inf"):
        raise ValueError(f"T must be above 0 and finite, got {T}")


def _check_mixture(T: float, alpha: float) -> None:
    _check_temperature(T)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")


def _full(logits: Tensor) -> Tensor:
    """Half precision becomes float32: T² would magnify its rounding."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def _check_tensor(logits: Any, who: str) -> None:
    if not isinstance(logits, Tensor):
        raise ValueError(
            f"the {who} gives a {type(logits).__name__}, not logits (B, C): distillation "
            "is for one task. Hand over a net with one head, or write a step that takes "
            "each task's logits by itself"
        )


def _check_logits(student: Tensor, teacher: Tensor, labels: Tensor) -> None:
    _check_tensor(student, "student")
    check_one_task(labels)
    if student.ndim != 2 or not len(student):
        raise ValueError(f"logits must be (B, C), got shape {tuple(student.shape)}")
    if student.shape != teacher.shape:
        raise ValueError(
            f"the student gives logits {tuple(student.shape)}, the teacher "
            f"{tuple(teacher.shape)}: both must know the same classes. Replace the "
            "teacher's head and train it on them"
        )
    if labels.shape != student.shape[:1]:
        raise ValueError(
            f"labels must be ({len(student)},) as the logits are {tuple(student.shape)}, "
            f"got {tuple(labels.shape)}"
        )
    check_labels(labels, student.shape[1])


def _as_teacher(teacher: Teacher | nn.Module) -> Teacher:
    return teacher if isinstance(teacher, Teacher) else Teacher(teacher)


def _taught(logits: Tensor, answers: Tensor, labels: Tensor, *, T: float, alpha: float):
    """What a step returns: loss, logits, and both parts for the history."""
    found = distillation_parts(logits, answers, labels, T=T, alpha=alpha)
    parts = {"hard": (found.hard, len(labels)), "soft": (found.soft, len(labels))}
    return found.total, logits, parts


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(torch.as_tensor(values).flatten().tolist())


def _size(size: Any) -> tuple[int, int]:
    sides = [size] if isinstance(size, int) else list(size)
    return sides[0], sides[-1]


def _feature_shape(
    model: nn.Module, layer: str, input_size: tuple[int, int, int] | None
) -> tuple[int, ...]:
    """Shape of a layer's features without the batch, seen on meta: (C, H, W) or (C,)."""
    calls = trace(model, input_size=input_size).calls
    if layer not in calls or calls[layer].output_shape is None:
        known = ", ".join(name for name, _ in model.named_children())
        raise ValueError(
            f"{type(model).__name__} runs no layer {layer!r}; its children are {known}"
        )
    maps = _as_maps(torch.empty(1, *calls[layer].output_shape, device="meta"))
    return tuple(maps.shape[1:])


def _projector(student: nn.Module, own: tuple, wanted: tuple) -> nn.Module:
    if len(own) != len(wanted):
        raise ValueError(
            f"the student's layer gives {own}, the teacher's {wanted}: match maps with "
            "maps, or vectors with vectors"
        )
    if own[0] == wanted[0]:
        return nn.Identity()
    parameter = next(student.parameters())
    like = {"device": parameter.device, "dtype": parameter.dtype}
    if len(own) == 1:
        return nn.Linear(own[0], wanted[0], **like)
    return nn.Conv2d(own[0], wanted[0], kernel_size=1, **like)


def _as_maps(features: Tensor) -> Tensor:
    """Bring features to (B, C, H, W); vectors (B, C) stay.

    Tokens (B, N, C) lose what comes before the largest square of them (the class token).
    Maps whose channels come last, as Swin's do, are told by their equal first sides.
    """
    if features.ndim == 3:
        side = int(features.shape[1] ** 0.5)
        square = features[:, -side * side :]
        return square.transpose(1, 2).unflatten(2, (side, side))  # -> (B, C, H, W)
    if (
        features.ndim == 4
        and features.shape[1] == features.shape[2] != features.shape[3]
    ):
        return features.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)
    if features.ndim not in (2, 4):
        raise ValueError(
            f"features must be maps, tokens or vectors, got {tuple(features.shape)}"
        )
    return features


@contextmanager
def _watched(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Collect what a layer gives while this lasts."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Any) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def _labels_of(dataset: Dataset) -> Tensor:
    """All labels (N,), without opening pictures where that can be helped."""
    if isinstance(dataset, TaughtDataset):
        return _labels_of(dataset.dataset)
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1]
    if hasattr(dataset, "labels"):
        return torch.as_tensor(dataset.labels)
    return torch.tensor([int(dataset[i][1]) for i in range(len(dataset))])


def _between(thresholds: Tensor) -> Tensor:
    """Shifts that lie between all thresholds and beyond both ends, and 0."""
    ordered = thresholds.unique()  # sorted
    ends = ordered[:1] - 1, ordered[-1:] + 1
    middles = (ordered[:-1] + ordered[1:]) / 2
    return torch.cat([*ends, middles, ordered.new_zeros(1)])


def _right_after(
    shifts: Tensor, needed: Tensor, is_k: Tensor, otherwise: Tensor
) -> Tensor:
    """How many more answers are right at each shift than where nothing is called k."""
    ordered = needed.sort()
    gains = (is_k - otherwise.long())[ordered.indices].cumsum(0)
    gains = torch.cat([gains.new_zeros(1), gains])  # of the first 0, 1, … N pictures
    return gains[torch.searchsorted(ordered.values, shifts)]


def _scores(answers: Tensor, truth: Tensor, k: int) -> tuple[float, float]:
    """Accuracy, and the share of class k that is found."""
    right = (answers == truth).double()
    return right.mean().item(), right[truth == k].mean().item()
