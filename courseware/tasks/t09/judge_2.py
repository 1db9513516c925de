"""09.2: a teacher that is moved by its pupil."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t09.judge_2_step import PASS, solution

TASK = Task(
    title="Find the bug: a teacher that is moved by its pupil",
    points=2,
    hints=(
        "What does train mode do to a net that only answers? And who needs a graph here?",
        "Teacher: `eval()`, then the forward pass under `torch.no_grad()`. Student: "
        "`train()` and a graph. They do not belong in one block.",
        "`training = teacher.training; teacher.eval(); with torch.no_grad(): answers = "
        "teacher(images); teacher.train(training); student.train()`; then the loss of "
        "`student(images)`, zero_grad, backward, step.",
    ),
    solution=solution,
    mistakes={
        "student-no-graph": Raises(
            "does not require grad",
            "The student was run under `no_grad()` as well, or detached: only the teacher "
            "is.",
        ),
        "classes": Raises(
            "Dimension out of range",
            "The loss takes logits (B, C), of the student and of the teacher: hand over "
            "those of all classes, without argmax.",
        ),
        "no-loss": At(
            "the loss that was given is called",
            "Call `loss(student_logits, teacher_logits, labels)`, which is given.",
        ),
        "teacher-train": When(
            lambda it: "teacher answers" in it.fact and it.got == {"train"},
            "The teacher answers in train mode: BatchNorm uses this batch and moves, "
            "dropout drops. `teacher.eval()` first.",
        ),
        "half-eval": At(
            "the modes in which the teacher answers",
            "Some of the teacher's layers are in train mode still. `teacher.eval()` "
            "reaches all: BatchNorm and dropout alike.",
        ),
        "detached": When(
            lambda it: it.fact == PASS and it.seen("these answers carry no graph"),
            "`detach()` throws the teacher's graph away after it has been built, with the "
            "memory that it took. Under `torch.no_grad()` none is built.",
        ),
        "graph": When(
            lambda it: it.fact in (PASS, "these answers carry no graph"),
            "The teacher's pass is recorded for `backward()`: `eval()` does not stop that, "
            "`torch.no_grad()` does.",
        ),
        "changed-weights": "The teacher's weights moved. Only the student's parameters "
        "learn.",
        "changed-statistics": "The teacher's BatchNorm moved: `eval()` before its forward "
        "pass.",
        "changed-requires_grad": "requires_grad of the teacher is another now. "
        "`torch.no_grad()` needs no such change.",
        "changed-mode": "Give the teacher back in the mode that it came in, all of its "
        "layers: keep `teacher.training`, and `teacher.train(training)` afterwards.",
        "swapped": Wrong(
            partial(solution, hand=lambda logits, answers: (answers, logits)),
            "The student's logits come first, the teacher's second.",
        ),
        "probabilities": Wrong(
            partial(
                solution, hand=lambda logits, answers: (logits, answers.softmax(1))
            ),
            "These are the teacher's probabilities. The loss takes logits: it divides "
            "them by a temperature, and has the softmax inside.",
        ),
        "answers": At(
            "the teacher's answers, as the loss is given them",
            "Hand over the teacher's logits for these pictures, as they are.",
        ),
        "student-eval": At(
            "the modes in which the student answers",
            "The student was in eval mode, at least in part: its BatchNorm has to learn "
            "too. It may come in eval mode; call `student.train()`.",
        ),
        "student-probabilities": Wrong(
            partial(
                solution, hand=lambda logits, answers: (logits.softmax(1), answers)
            ),
            "These are the student's probabilities. The loss takes logits: it has the "
            "softmax inside.",
        ),
        "student-logits": At(
            "the student's logits, as the loss is given them",
            "Hand over the student's logits for these pictures, as they are.",
        ),
        "labels": At(
            "the labels, as the loss is given them",
            "Hand over the labels that were given, not the teacher's guesses.",
        ),
        "no-step": At(
            "the student moves",
            "The student did not move: zero_grad, backward, step, in this order.",
        ),
        "stale-gradients": Wrong(
            partial(solution, zero=False),
            "Old gradients were added to those of this batch: `optimizer.zero_grad()` "
            "before `backward()`.",
        ),
        "two-steps": Wrong(
            partial(solution, steps=2), "Two steps were made: one is asked for."
        ),
        "step": At(
            "the student's weights",
            "One step of the given optimizer, by the gradient of the given loss for this "
            "batch, neither clipped nor scaled.",
        ),
        "twice": At(
            "the student's statistics",
            "The student's statistics moved more than once: run it once a step, and do "
            "not put them back.",
        ),
        "tensor": At(
            "the loss that comes back carries no graph",
            "The tensor keeps the whole graph alive: return `value.item()`.",
        ),
        "summed": Wrong(
            lambda *given: len(given[4]) * solution(*given),
            "Return the loss as it comes: it is a mean over the batch already.",
        ),
        "value": "Return the loss of this batch, as it was before the step.",
    },
)
