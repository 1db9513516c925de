"""09.7: the numbers that were predicted, and how they go wrong."""

from __future__ import annotations

from functools import partial

from courseware.grading.facts import Thing, Tolerance, difference, number_of
from courseware.grading.judging import At, When

SIZES = {"A": (32, 5), "B": (32, 100), "C": (32, 1000), "D": (8, 1000)}  # (B, C)
CASES = "the prediction"
CASE = "the prediction for case "


def _is(number, got, right=None):
    return difference(got, float(number), Tolerance(0.0, 5e-3)) is None


AGREE = {
    CASES: lambda got, right: type(got) is list and sorted(got, key=str) == list(SIZES),
    **{CASE + name: partial(_is, classes) for name, (_, classes) in SIZES.items()},
}


def predicts(*numbers):
    """A test: a case's number is made of its pictures and classes in another way."""
    return lambda it: (
        it.fact.startswith(CASE)
        and any(_is(number(*SIZES[it.fact[-1]]), it.got) for number in numbers)
    )


PREDICTED = {
    "not-predicted": When(
        lambda it: it.fact.startswith(CASES) and it.got in (None, Thing("ellipsis")),
        "The function is right. Fill in `times_too_weak` as well: a number for each case.",
    ),
    "type": When(
        lambda it: (
            it.fact.startswith(CASES)
            and type(number_of(it.got)) not in (int, float, list)
            or it.fact == CASES
            and type(it.got) is not list
        ),
        "Predict with a dict of numbers, without quotes, such as "
        '`{"A": 2, "B": 2, "C": 2, "D": 2}`.',
    ),
    "cases": At(
        CASES,
        'A dict with a number for each case: `{"A": …, "B": …, "C": …, "D": …}`.',
    ),
    "both-counted": When(
        predicts(lambda pictures, classes: pictures * classes),
        '"mean" does divide by both, B · C. But "batchmean" divides by B too, and rightly: '
        "what is too much is the rest.",
    ),
    "pictures": When(
        predicts(lambda pictures, classes: pictures, lambda b, c: c / b),
        'Both reductions divide by the number of pictures; only "mean" divides by '
        "something else as well.",
    ),
    "inverse": When(
        predicts(lambda pictures, classes: 1 / classes),
        "That is how strong the soft part is left. Asked for is the number that makes up "
        "for it, above 1.",
    ),
    "nothing": When(
        predicts(lambda pictures, classes: 1),
        'Times 1 changes nothing, and with "mean" the soft part is too weak.',
    ),
    "batch": When(
        predicts(lambda b, c: c * 32 / b, lambda b, c: c * b / 32),
        "Another number of pictures changes nothing here: both reductions take their "
        "mean.",
    ),
    "number": When(
        lambda it: it.fact.startswith(CASE),
        'By how many does "mean" divide the sum, by how many "batchmean"? The cells above '
        "show what your number makes of it.",
    ),
}
