"""06.4: mistakes in the rates of a range test, and in how many there are."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import When, Wrong, any_of
from courseware.tasks.t06.range_test import growing, logarithms, solution


def _lengths(test):
    """A test: the number of rates, against the right one and that of all steps."""
    return lambda it: (
        it.fact == "the rates"
        and it.key == "length"
        and test(len(it.got), len(it.right), it)
    )


def _one_round(it):
    ends = _lengths(lambda got, right, it: got == len(it.case.batches))
    return ends(it) or "list index out of range" in it.error


RATES = {
    "constants": When(
        any_of(
            lambda *given: solution(*given[:2]),
            lambda net, batches, a=1e-7, b=1.0, n=40: solution(net, batches, a, 1.0, n),
            lambda *given: solution(*given[:4]),
            lambda net, batches, start=0, *ends: solution(net, batches, 1e-7, *ends),
        ),
        "These are the defaults: take `start_lr`, `end_lr` and `num_iter` as they are "
        "given.",
    ),
    "no-stop": When(
        _lengths(lambda got, right, it: right < got <= it.case.count),
        "The test went on after a loss that was not finite. Leave the loop with "
        "`break`.",
    ),
    "steps": When(
        _lengths(lambda got, right, it: got > right),
        "There are more than `num_iter` rates.",
    ),
    "one-round": When(
        _one_round,
        "The test ended with the last batch: begin again with the first, "
        "`batches[step % len(batches)]`.",
    ),
    "short": When(
        _lengths(lambda got, right, it: got == it.case.count - 1),
        "The last step is missing: `num_iter` rates, `end_lr` among them.",
    ),
    "stops-early": When(
        _lengths(lambda got, right, it: got < right),
        "Only a loss that is not finite ends the test. One that is merely high is "
        "recorded, and the test goes on.",
    ),
    "linear": Wrong(
        partial(
            solution,
            spaced=lambda a, b, n: [a + (b - a) * i / (n - 1) for i in range(n)],
        ),
        "The rates grow by the same difference. Between 1e-7 and 1 nearly all of them "
        "would be above 0.01: let them grow by the same factor.",
    ),
    "end": Wrong(
        partial(
            solution,
            spaced=lambda a, b, n: [a * (b / a) ** (i / n) for i in range(n)],
        ),
        "`end_lr` is missed: there are `num_iter` rates, but only `num_iter - 1` "
        "strides between the first and the last.",
    ),
    "falling": Wrong(
        partial(solution, spaced=lambda *ends: growing(*ends)[::-1]),
        "The rates fall. Begin with the least.",
    ),
    "logarithms": Wrong(
        partial(solution, spaced=logarithms, used=lambda lrs: [10**lr for lr in lrs]),
        "These are logarithms of the rates: return the rates themselves.",
    ),
    "start": When(
        lambda it: it.fact == "the rates" and it.path == "[0]",
        "The first step has `start_lr` itself.",
    ),
    "rates": When(
        lambda it: it.fact == "the rates" and it.key == "value",
        "Each rate is the one before times the same factor, from `start_lr` to "
        "`end_lr`.",
    ),
}
