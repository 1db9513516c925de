"""09.4: the answers that are kept, how the teacher was asked, and what is refused."""

from __future__ import annotations

import torch
from torch import Tensor

from courseware.grading.observing import SIDE_EFFECTS, Case
from courseware.grading.values import ModelRecord
from courseware.tasks.t09.nets import Half, Pictures, modes_of, teacher_net, watch


def cases(seed):
    for count, mode, half in (
        (130 + 6 * (seed % 4), "train", False),
        (5, "eval", False),
        (70 + seed % 4, "train", True),
        (64, "eval", True),
    ):
        more = ", which answers in half precision" if half else ""
        given = f"{count} pictures, teacher in {mode} mode{more}"
        about = {"training": mode == "train", "half": half, "augmented": False}
        yield Case(given, count=count, seed=1000 * seed + count, **about)
    about = {"training": True, "half": False, "augmented": True}
    yield Case("a dataset with augmented = True", count=9, seed=seed, **about)


def observe(cache_answers, case, seen):
    torch.manual_seed(case.seed)
    drops = case.training and not case.augmented
    teacher = teacher_net(training=case.training, drops=drops)
    if case.half:
        teacher = Half(*teacher).train(case.training)
    dataset = Pictures(case.count, case.seed, augmented=case.augmented)
    look = _observe_refusal if case.augmented else _observe_answers
    look(cache_answers, teacher, dataset, seen)


def _observe_answers(cache_answers, teacher, dataset, seen):
    asked = watch(teacher)
    got = seen.call(cache_answers, teacher, dataset, keeps=ModelRecord.KINDS)
    seen.require("what your function returns", got, Tensor)
    graph = got.requires_grad or any(run.graph for run in asked)
    half = ", made in half precision" if isinstance(teacher, Half) else ""
    seen.notes(
        {
            "the shape of the answers": list(got.shape),
            "the dtype of the answers": str(got.dtype),
            "the modes in which the teacher answers": modes_of(asked, "eval"),
            "no graph is built": not graph,
            f"the answers{half}": got,
            "batches of more than 64 pictures": {r.size for r in asked if r.size > 64},
        }
    )


def _observe_refusal(cache_answers, teacher, dataset, seen):
    record = ModelRecord(teacher)
    error = seen.attempt(cache_answers, teacher, dataset).error
    kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
    seen.note("what comes of it", "an answer" if error is None else kind)
    seen.note(SIDE_EFFECTS, list(record.changes()))
