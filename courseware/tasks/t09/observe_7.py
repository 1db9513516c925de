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


_UNSAID = object()


def observe(soft_share, case, seen, predicted=_UNSAID):
    """`predicted`: by which number the soft part is too weak in each of four cases.

    Where it is not handed over, the function alone is judged.
    """
    if case.inputs is not None:
        seen.note("the share", seen.call(soft_share, *case.inputs))
    elif isinstance(predicted, dict):
        named = [(_capital(name), number) for name, number in predicted.items()]
        seen.note("the prediction", [name for name, _ in named])
        for name, number in named:
            seen.note(f"the prediction for case {name}", number)
    elif predicted is not _UNSAID:
        seen.note("the prediction", predicted)


def _capital(name):
    return name.upper() if isinstance(name, str) else name
