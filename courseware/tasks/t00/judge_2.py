"""00.2: accuracy of a batch."""

from math import isclose

import torch

from courseware.grading.facts import Array, number_of
from courseware.grading.judging import Raises, Task, When, Wrong


def solution(logits, labels):
    return _right(logits, labels) / len(labels)


def _right(logits, labels):
    return float((logits.argmax(dim=1) == labels).sum())


def _along_the_pictures(logits, labels):
    best = logits.argmax(dim=0)
    several = min(len(best), len(labels))
    return (best[:several] == labels[:several]).double().mean().item()


def _of_the_label(logits, labels):
    """The probability of each picture's own class."""
    return logits.double().softmax(dim=1)[torch.arange(len(labels)), labels]


def _is(it, value):
    got = number_of(it.got)
    return type(got) in (int, float) and isclose(got, value, rel_tol=1e-5)


def _kind(it):
    return it.got.dtype if isinstance(it.got, Array) else type(it.got).__name__


def _divisor(it):
    """The number of another batch by which the right predictions were divided."""
    right = it.right * len(it.case.labels)
    return next((n for n in _USUAL if right and _is(it, right / n)), None)


_USUAL = (4, 8, 10, 16, 32, 64, 100, 128, 256, 1000)
_DIM = "`dim=0` compares pictures. Classes are along `dim=1`, one logit each."

TASK = Task(
    title="Accuracy of a batch",
    points=1,
    hints=(
        "The predicted class of a picture is the position of its largest logit.",
        "`logits.argmax(dim=1)` gives one class a picture.",
        "`(logits.argmax(dim=1) == labels).float().mean().item()`",
    ),
    solution=solution,
    mistakes={
        "vector": When(
            lambda it: isinstance(it.got, Array) and it.got.shape != (),
            "One number for the whole batch: take the mean.",
        ),
        "sizes": Raises("must match the size", _DIM),
        "bool": Raises(
            "infer output dtype",
            "`mean()` does not work on True and False: make them numbers by `.float()`.",
        ),
        "percent": Wrong(
            lambda x, y: 100 * solution(x, y),
            "Give a share from 0 to 1, not per cent.",
        ),
        "count": Wrong(_right, "Divide by the number of pictures."),
        "classes": Wrong(
            lambda x, y: _right(x, y) / x.shape[1],
            "You divided by the number of classes: divide by that of pictures.",
        ),
        "fixed": When(
            _divisor,
            lambda it: (
                f"You divided by {_divisor(it)}: a batch may have any size. Ask "
                "`len(labels)`."
            ),
        ),
        "rounded": When(
            lambda it: (
                type(it.right) is float
                and any(_is(it, round(it.right, digits)) for digits in (1, 2, 3, 4))
            ),
            "Do not round: rounding is for what you print.",
        ),
        "errors": Wrong(
            lambda x, y: 1 - solution(x, y),
            "That is the share of wrong predictions: compare with `==`.",
        ),
        "pictures-softmax": Wrong(
            lambda x, y: solution(x.double().softmax(0), y),
            "Softmax over `dim=0` makes the pictures share, and changes which class is the "
            "largest. `argmax(dim=1)` of the logits needs no softmax.",
        ),
        "size": Wrong(
            lambda x, y: solution(x.abs(), y),
            "A logit far below 0 is a small one, not a large one: no `abs()`.",
        ),
        "least": Wrong(
            lambda x, y: solution(-x, y), "`argmin` takes the smallest logit: `argmax`."
        ),
        "dim": Wrong(_along_the_pictures, _DIM),
        "no-dim": Wrong(
            lambda x, y: (x.argmax() == y).double().mean().item(),
            "Without `dim`, `argmax()` gives one position in the whole table. One class a "
            "picture is asked for: `argmax(dim=1)`.",
        ),
        "largest-value": Wrong(
            lambda x, y: (x.amax(dim=1) == y).double().mean().item(),
            "Those are the largest logits themselves. Compare their positions with the "
            "labels: `argmax`, or `.indices` of `max`.",
        ),
        "broadcast": Wrong(
            lambda x, y: (x.argmax(1)[:, None] == y).double().mean().item(),
            "(N, 1) against (N,) compares each picture with each label, N × N. Leave "
            "`keepdim` out.",
        ),
        "half": Wrong(
            lambda x, y: (_of_the_label(x, y) > 0.5).double().mean().item(),
            "The largest logit may have a probability below a half: ask which is largest.",
        ),
        "probability": Wrong(
            lambda x, y: _of_the_label(x, y).mean().item(),
            "That is the mean probability of the right class. Accuracy counts pictures.",
        ),
        "floor": When(
            lambda it: "bool" in _kind(it) or _is(it, 0) or _is(it, 1),
            "It is 0 or 1: `//`, `int()` and `.all()` lose the share. Take the mean.",
        ),
        "difference": Wrong(
            lambda x, y: (x.argmax(1) - y).abs().double().mean().item(),
            "That is how far the numbers of the classes lie apart, which means nothing: "
            "compare them with `==`.",
        ),
        "above-one": When(
            lambda it: it.key == "value" and number_of(it.got) > 1,
            "A share is at most 1: count each picture once, and divide by their number.",
        ),
        "type": "Return one number, a `float`: `.item()` takes it out of a tensor.",
        "value": "Compare the position of each picture's largest logit with its label.",
    },
)
