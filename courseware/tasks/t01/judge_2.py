"""01.2: top k, with names."""

from __future__ import annotations

from functools import partial

import torch

from courseware.grading.facts import Tolerance
from courseware.grading.judging import Raises, Task, When, Wrong

softmax = partial(torch.softmax, dim=0)


def solution(logits, classes, k, likely=softmax, shown=lambda values: values):
    values, positions = likely(logits).topk(k)
    pairs = zip(positions.tolist(), shown(values).tolist(), strict=True)
    return [(classes[i], chance) for i, chance in pairs]


def _in_class_order(logits, classes, k):
    found = solution(logits, classes, k)
    return [(name, p) for name, (_, p) in zip(classes, found, strict=False)]


def _by_dict(logits, classes, k):
    found = dict(solution(logits, classes, len(classes)))
    return list(found.items())[:k]


def _in_pair(place, key):
    """A test: the first difference of that kind is in the first or second of a pair."""
    return lambda it: it.key == key and it.path.endswith(f"][{place}]")


def _is_rounded(it):
    found = it.difference
    return type(found.got) is float and any(
        found.got == round(found.expected, digits) for digits in (1, 2, 3)
    )


TASK = Task(
    title="Top k, with names",
    points=2,
    hints=(
        "Logits become probabilities by softmax, over all classes.",
        "`torch.topk` gives values and positions, the largest first.",
        "`values, indices = logits.softmax(0).topk(k)`; then zip names and values.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-4),
    mistakes={
        "dim": Raises(
            "Dimension out of range",
            "`logits` is one picture's vector of shape (C,): `softmax` and `topk` go over "
            "`dim=0`.",
        ),
        "swapped": Wrong(
            lambda *given: [(p, name) for name, p in solution(*given)],
            "The other way round: the name first, then its probability.",
        ),
        "names": When(
            _in_pair(0, "type"),
            "The first of each pair is the class's name, a `str`; look the position up "
            "in `classes`.",
        ),
        "floats": When(
            _in_pair(1, "type"),
            "The second of each pair is a `float`: the number itself, as `.tolist()` "
            "gives it, and not its text.",
        ),
        "pairs": When(
            lambda it: it.path and it.key in ("type", "length", "none"),
            "Each entry is a pair (name, probability).",
        ),
        "type": "A list of pairs is asked for: a `list`, best first.",
        "length": "Exactly k pairs: `topk` takes `k`.",
        "nan": When(
            lambda it: it.key == "value" and ", nan" in str(it.got),
            "NaN: `exp` overflows for large logits, and infinity divided by itself is no "
            "number. Subtract the maximum first, or take `softmax`, which does.",
        ),
        "order": Wrong(
            lambda *given: solution(*given)[::-1],
            "The most probable comes first.",
        ),
        "least": Wrong(
            lambda x, names, k: solution(x, names, len(names))[: -k - 1 : -1],
            "These are the least probable: take the largest.",
        ),
        "class-order": Wrong(
            _in_class_order,
            "The probabilities are right, but the names stand in the order of `classes`: "
            "`topk` gives the positions that say which name belongs to each.",
        ),
        "first-skipped": Wrong(
            lambda x, names, k: solution(x, names, min(k + 1, len(names)))[1:],
            "The best is missing: positions count from 0.",
        ),
        "dict": Wrong(
            _by_dict,
            "Two classes share a name here, and a probability; a dict keeps one entry "
            "for each key, so one of them is lost. Go by positions: `topk` gives them.",
        ),
        "classes": When(
            _in_pair(0, "value"), "Take the positions of the `k` largest logits."
        ),
        "logits": Wrong(
            partial(solution, likely=lambda logits: logits),
            "These are logits. Probabilities need `softmax`.",
        ),
        "sigmoid": Wrong(
            partial(solution, likely=lambda logits: logits.sigmoid()),
            "`sigmoid` treats each class alone; `softmax` makes them share one.",
        ),
        "log-softmax": Wrong(
            partial(solution, likely=lambda logits: logits.log_softmax(0)),
            "These are logarithms of probabilities: take `softmax`, not `log_softmax`.",
        ),
        "twice": Wrong(
            partial(solution, likely=lambda logits: softmax(softmax(logits))),
            "`softmax` was applied twice, which evens the probabilities out: once is "
            "enough.",
        ),
        "late-softmax": Wrong(
            partial(solution, likely=lambda x: x, shown=softmax),
            "`softmax` over the top k alone: the others belong into the sum. Take "
            "`softmax` first, then `topk`.",
        ),
        "percent": Wrong(
            partial(solution, shown=lambda values: 100 * values),
            "These are per cent. Probabilities go from 0 to 1.",
        ),
        "rounded": When(
            _is_rounded, "Return the probabilities as they are, without rounding them."
        ),
        "value": "`softmax` over all classes, then the k largest.",
    },
)
