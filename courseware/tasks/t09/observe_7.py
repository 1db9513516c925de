"""09.7: the teacher's share of the pull, and the numbers that were predicted."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t09.logits import three


def cases(seed):
    more = seed % 3
    for i, (shape, reduction, times) in enumerate(
        (
            ((6 + more, 5), "batchmean", 2.5),
            ((6 + more, 5), "mean", 4.0),
            ((7 + more, 4), "sum", 0.3),
            ((3, 40 + more), "mean", 40.0 + more),
            ((1, 3), "batchmean", 1.0),
        )
    ):
        given = f'logits of shape {shape}, reduction="{reduction}", times = {times:g}'
        inputs = *three(100 * seed + i, shape, 2.0), reduction, times
        yield Case(given, hidden=i > 1, inputs=inputs)
    yield Case("the four cases", inputs=None)


def observe(soft_share, case, seen, predicted=None):
    """`predicted`: by which number the soft part is too weak in each of four cases."""
    if case.inputs is not None:
        seen.note("the share", seen.call(soft_share, *case.inputs))
    elif predicted is not None:
        named = list(predicted) if isinstance(predicted, dict) else []
        seen.note("the prediction", named if isinstance(predicted, dict) else predicted)
        seen.notes(
            {f"the prediction for case {name}": predicted[name] for name in named}
        )
