"""03.4: the bytes that are foretold, with either optimiser."""

from __future__ import annotations

from courseware.grading.observing import Case

# Parameters, those that learn, bytes of a picture's activations, pictures.
SHOWN = ((1_000, 130, 700, 6), (11_689_512, 11_689_512, 22_500_000, 32))
HIDDEN = ((5_000, 0, 900, 3), (2_600, 2_100, 150, 1), (977, 401, 13, 17))


def cases(seed):
    for tried in (SHOWN, HIDDEN):
        for n, t, a, b in tried:
            # None that learns stays none, all stay all, and one picture stays one.
            numbers = n + 96 * seed, t and t + 96 * seed, a + 38 * seed, b
            yield Case(
                f"{numbers[0]:,} parameters, {numbers[1]:,} learn, {numbers[2]:,} bytes a "
                f'picture, batch of {b}, optimizer = "sgd", then "adam"',
                numbers=numbers,
                hidden=tried is HIDDEN,
            )


def observe(training_bytes, case, seen):
    kinds = ("sgd", "adam")
    found = {name: seen.call(training_bytes, *case.numbers, name) for name in kinds}
    seen.note("the bytes", found)
