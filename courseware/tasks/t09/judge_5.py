"""09.5: the T² that was forgotten."""

from __future__ import annotations

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong
from courseware.tasks.t09.judge_shares import number, told

SHARE = 0.7 / (0.7 + 0.3 * 4**2)


def _is_measured(got, right):
    return got is None or (type(got) is float and abs(got - SHARE) < 0.003)


def quoting(why):
    """A reason, and the share that was measured."""
    return told(why, " Measured above: {:.3f}.")


TASK = Task(
    title="The T² that was forgotten",
    points=3,
    kind="value",
    hints=(
        "Write the right loss with an unknown share a: a · 16 · KL + (1 - a) · CE. Its "
        "direction depends on the ratio of the two weights only.",
        "The forgotten one has the ratio 0.7 : 0.3, the right one 16 a : (1 - a).",
        "16 a / (1 - a) = 0.7 / 0.3. Solve it for a.",
    ),
    solution=SHARE,
    tolerance=Tolerance(6e-3, 0.0),
    agree={"the measurement": _is_measured},
    mistakes={
        "measurement": At(
            "the measurement",
            "`measured` is not what the cells above measure: run them as they were handed "
            "out, after your answer.",
        ),
        "percent": When(
            number(lambda share: abs(share - 100 * SHARE) < 0.6),
            "Write it as a share from 0 to 1, not in per cent.",
        ),
        "unchanged": Wrong(
            0.7,
            quoting(
                "The teacher's part of the step does shrink: T² is a factor of 16 here, "
                "and it is missing in one of the two parts only."
            ),
        ),
        "labels-unchanged": Wrong(
            0.3,
            quoting(
                "0.3 is the labels' weight in the forgotten loss, and not their share."
            ),
        ),
        "not-normalised": Wrong(
            0.7 / 16,
            quoting(
                "0.7 / 16 is the weight of T² · KL that is left. The weights 0.7 / 16 and "
                "0.3 do not add up to 1 any more: divide by their sum."
            ),
        ),
        "T-once": Wrong(
            0.7 / (0.7 + 0.3 * 4), quoting("That is for a factor of T. T² is 16.")
        ),
        "T-once-not-normalised": Wrong(
            0.7 / 4,
            quoting("That is for a factor of T, and the weights do not add up to 1."),
        ),
        "other-way": Wrong(
            0.7 * 16 / (0.7 * 16 + 0.3),
            quoting(
                "That is what T² would do a second time. Without it, the teacher counts "
                "for less."
            ),
        ),
        "labels": Wrong(
            1 - SHARE,
            quoting("That is the labels' share. Asked for is the teacher's, alpha."),
        ),
        "range": When(
            number(lambda share: not 0 <= share <= 1),
            "A share lies from 0 to 1.",
        ),
        "rounded": When(
            number(lambda share: abs(share - SHARE) < 0.02),
            "Close, but not right to two decimals: reckon it out.",
        ),
        "value": quoting(
            "Compare the ratio of the two parts' weights, with T² and without."
        ),
        "type": "The answer is a number, such as 0.5.",
    },
)
