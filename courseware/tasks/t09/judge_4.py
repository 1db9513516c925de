"""09.4: ask the teacher once."""

from __future__ import annotations

from functools import partial

import numpy as np

from courseware.grading.facts import Tolerance, difference
from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t09.judge_4_answers import (
    SHAPE,
    TYPES,
    like_the_right,
    solution,
    too_few,
)

TASK = Task(
    title="Ask the teacher once",
    points=3,
    hints=(
        "A DataLoader with its default order goes through all pictures, the last small "
        "batch included. What must the teacher's mode be meanwhile?",
        "First refuse: `if dataset.augmented: raise ValueError(…)`. Then `eval()`, "
        "`inference_mode()`, collect the logits of each batch, and `torch.cat` them.",
        "`with torch.inference_mode(): answers = [teacher(images) for images, _ in "
        "DataLoader(dataset, batch_size=64)]; teacher.train(training); return "
        "torch.cat(answers).float()`",
    ),
    solution=solution,
    agree={
        # Half precision rounds by the batch.
        "the answers, made in half precision": lambda got, right: (
            difference(got, right, Tolerance(2e-3, 1e-3)) is None
        ),
    },
    mistakes={
        "unbatched": Raises(
            "expected 4D input",
            "A net takes pictures in batches (N, 3, H, W), even a single one: "
            "`image[None]`, or a DataLoader.",
        ),
        "pair": Raises(
            "values to unpack",
            "`dataset[i]` is a pair (image, label), and a DataLoader gives pairs (images, "
            "labels): take them apart in the loop.",
        ),
        "refuses-all": Raises(
            "ValueError",
            "This dataset is not augmented: refuse only where `dataset.augmented` is "
            "True.",
        ),
        "stacked": Raises(
            "stack expects",
            "`stack` wants batches of one size, and the last is smaller: `torch.cat` puts "
            "their rows below each other.",
        ),
        "labels-first": Raises(
            "Input type (long",
            "These are labels, not images: a DataLoader gives pairs (images, labels), in "
            "this order.",
        ),
        "type": lambda it: TYPES.get(it.difference.got, TYPES["list"]),
        "classes": When(
            lambda it: it.fact == SHAPE and it.got == it.right[:1],
            "These are classes. Keep the logits of all classes: what the teacher thinks "
            "of the others is what the student learns from.",
        ),
        "batch-means": When(
            too_few(lambda got, right: got == -(-right // 64)),
            "There is a row for each batch. A row for each picture is asked for: "
            "`torch.cat`, and no mean.",
        ),
        "one-missing": When(
            too_few(lambda got, right: got == right - 1),
            "One picture is missing: `i` runs from 0 to `len(dataset) - 1`.",
        ),
        "one-kept": When(
            too_few(lambda got, right: got <= 64),
            "These are the answers of one batch. Collect those of all.",
        ),
        "last-batch": When(
            too_few(lambda got, right: True),
            "The last pictures are missing: they do not fill a batch. No `drop_last`, and "
            "no division that counts whole batches only.",
        ),
        "shape": At(
            SHAPE,
            "A row for each picture: put the batches together with `torch.cat`, not "
            "`stack`.",
        ),
        "dtype": At(
            "the dtype of the answers",
            "Return float32, whatever the teacher answers in: `.float()`.",
        ),
        "train-mode": At(
            "the modes in which the teacher answers",
            "The teacher answered in train mode: its answers then depend on the batch and "
            "on chance. `teacher.eval()` first.",
        ),
        "gradients": At(
            "no graph is built",
            "A graph was built for each answer, which costs memory: "
            "`torch.inference_mode()` or `no_grad()`.",
        ),
        "probabilities": Wrong(
            partial(solution, keep=lambda logits: logits.softmax(1)),
            "These are probabilities. Keep the logits: a temperature is applied to them "
            "later.",
        ),
        "log-probabilities": Wrong(
            partial(solution, keep=lambda logits: logits.log_softmax(1)),
            "These are log-probabilities. Keep the logits: a temperature is applied to "
            "them later.",
        ),
        "rounded": When(
            like_the_right(lambda rows: rows, 5e-3),
            "Nearly: the answers were rounded on the way, as through half precision. Keep "
            "float32 as it is.",
        ),
        "order": When(
            like_the_right(lambda rows: np.sort(rows, axis=0), 2e-3),
            "The rows are right, but not in the dataset's order: no shuffle, and no "
            "random sampler.",
        ),
        "value": "Row i is the teacher's logits for `dataset[i]`, in eval mode: the "
        "picture as it comes, the logits as they come.",
        "changed-mode": lambda it: (
            "Give the teacher back in the mode that it came in, all of its layers: keep "
            "`teacher.training`, and `teacher.train(training)` afterwards."
            + " Refuse before you change it."
            * it.case.augmented
        ),
        "one-batch": At(
            "batches of more than 64 pictures",
            "All pictures at once do not fit into memory when there are many: at most 64 "
            "a batch.",
        ),
        "not-refused": When(
            lambda it: it.fact == "what comes of it" and it.got == "an answer",
            "Its pictures are transformed by chance, so a kept answer belongs to another "
            "crop than the student sees: `raise ValueError(…)`.",
        ),
        "other-error": At("what comes of it", "Refuse with `raise ValueError(…)`."),
    },
)
