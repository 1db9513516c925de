"""09.1: mistakes in the soft and the hard part, as losses in which it is another."""

from __future__ import annotations

from functools import partial

from torch.nn.functional import cross_entropy, mse_loss

from courseware.grading.judging import Wrong
from courseware.tasks.t09.judge_1_loss import divergence, kl, solution

PARTS = {
    "mean": Wrong(
        partial(solution, count=lambda s: 1 / s.shape[1]),
        '`reduction="mean"` divides by the number of classes too: take "batchmean".',
    ),
    "sum": Wrong(
        partial(solution, count=len),
        "The soft part is a sum over the batch: divide by the number of pictures.",
    ),
    "direction": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(t / T, s / T)),
        "The divergence is the wrong way round. `F.kl_div(input, target)` is "
        "KL(target ‖ input): the student's log-probabilities first, the teacher "
        "second.",
    ),
    "student-softmax": Wrong(
        partial(
            solution, soft=lambda s, t, T: kl((s / T).softmax(1), (t / T).softmax(1))
        ),
        "`kl_div` wants the student as *log*-probabilities: `log_softmax`.",
    ),
    "log-target": Wrong(
        partial(
            solution,
            soft=lambda s, t, T: kl(
                (s / T).log_softmax(1), (t / T).softmax(1), log_target=True
            ),
        ),
        "With `log_target=True` the target has to be log-probabilities as well.",
    ),
    "multiplied": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s * T, t * T)),
        "The temperature divides the logits; multiplied, it sharpens them.",
    ),
    "teacher-only": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s, t / T)),
        "Both nets' logits are divided by T, the student's as well as the teacher's.",
    ),
    "student-only": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s / T, t)),
        "Both nets' logits are divided by T, the teacher's as well as the student's.",
    ),
    "no-temperature": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s, t)),
        "The temperature is missing: both logits are divided by T before the softmax.",
    ),
    "logs-divided": Wrong(
        partial(
            solution,
            soft=lambda s, t, T: kl(
                s.log_softmax(1) / T, t.log_softmax(1) / T, log_target=True
            ),
        ),
        "The logits are divided by T before the softmax, not its logarithm after it.",
    ),
    "probabilities-divided": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s, t) / T),
        "The logits are divided by T before the softmax, not the probabilities "
        "behind it.",
    ),
    "dim": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s / T, t / T, dim=0)),
        "The softmax goes over the classes: `dim=1`, not over the batch.",
    ),
    "entropy": Wrong(
        partial(
            solution, soft=lambda s, t, T: cross_entropy(s / T, (t / T).softmax(1))
        ),
        "That is the cross-entropy with the teacher's probabilities. Its gradient is "
        "the same, but KL has the teacher's own entropy taken off.",
    ),
    "sign": Wrong(
        partial(solution, soft=lambda s, t, T: -divergence(s / T, t / T)),
        "The soft part has the wrong sign: a divergence is never negative.",
    ),
    "squares": Wrong(
        partial(solution, soft=lambda s, t, T: mse_loss(s / T, t / T)),
        "That is the squared distance of the logits. The divergence compares "
        "probabilities: their softmax over T.",
    ),
    "no-T2": Wrong(
        partial(solution, factor=lambda T: 1),
        "T² is missing. The soft part's gradient shrinks like 1 / T², and without the "
        "factor the teacher would hardly count at this temperature.",
    ),
    "T-once": Wrong(
        partial(solution, factor=lambda T: T),
        "The soft part is multiplied by T², not by T.",
    ),
    "T2-divides": Wrong(
        partial(solution, factor=lambda T: T**-2),
        "The soft part is multiplied by T², not divided: its gradient shrinks already.",
    ),
    "mean-no-T2": Wrong(
        partial(solution, count=lambda s: 1 / s.shape[1], factor=lambda T: 1),
        '`reduction="mean"` divides by the number of classes too: take "batchmean". And '
        "T² is missing.",
    ),
    "no-T": Wrong(
        partial(solution, soft=lambda s, t, T: divergence(s, t), factor=lambda T: 1),
        "T is without effect: both logits are divided by it, and the soft part is "
        "multiplied by T².",
    ),
    "hard-T": Wrong(
        partial(solution, hard=lambda s, t, labels, T: cross_entropy(s / T, labels)),
        "The cross-entropy with the labels has no temperature: it takes the student's "
        "logits as they are.",
    ),
    "hard-teacher": Wrong(
        partial(solution, hard=lambda s, t, labels, T: cross_entropy(t, labels)),
        "The cross-entropy is that of the student's logits with the labels.",
    ),
    "hard-sum": Wrong(
        partial(
            solution,
            hard=lambda s, t, labels, T: cross_entropy(s, labels, reduction="sum"),
        ),
        "The cross-entropy is a mean over the batch, not a sum.",
    ),
    "softmax-twice": Wrong(
        partial(
            solution, hard=lambda s, t, labels, T: cross_entropy(s.softmax(1), labels)
        ),
        "`cross_entropy` takes logits: it has the softmax inside.",
    ),
    "hard-soft": Wrong(
        partial(solution, hard=lambda s, t, labels, T: cross_entropy(s, t.argmax(1))),
        "The hard part is made of the teacher's answers: it uses the labels.",
    ),
    "smoothed": Wrong(
        partial(
            solution, hard=lambda s, t, y, T: cross_entropy(s, y, label_smoothing=0.1)
        ),
        "The labels are smoothed: the cross-entropy takes them as they are.",
    ),
}
