"""02.1: compare models."""

from __future__ import annotations

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When
from courseware.tasks.t02 import judge_1_figures as figures
from courseware.tasks.t02 import judge_1_top5 as top5

KEYS, BATCHES = "the keys of the rows", "the shapes of the batches"
OTHERS = "other keys of the rows"
PASSES = "the number of passes"


def _columns(it):
    """Name the keys that are missing, and what is there in their place."""
    known = {key for row in it.right for key in row}
    lacking = sorted(known - set.intersection(*map(set, it.got)))
    others = ", ".join(f'"{key}"' for key in sorted(it.seen(OTHERS), key=str))
    missing = ", ".join(f'"{key}"' for key in lacking)
    there = f" (there is {others})" if others else ""
    return f"A figure is missing, or has another name: {missing} is not there{there}."


def _without_warmup(it):
    return it.fact == PASSES and it.got in (it.case.passes, it.case.passes + 1)


TASK = Task(
    title="Compare models",
    points=3,
    hints=(
        "Write it for one model first: remember `model.training`, call `eval()`, loop "
        "under `torch.inference_mode()`, and put the mode back with "
        "`model.train(remembered)`.",
        "Inside of the loop: `start = clock(); logits = model(image[None]); "
        "times.append(clock() - start)`. Drop the first `warmup` times.",
        "`1000 * statistics.median(times[warmup:])` are milliseconds; `sum(p.numel() for "
        "p in model.parameters())`; `logits[0].topk(5).indices.tolist()`",
    ),
    solution=figures.solution,
    tolerance=Tolerance(0, 1e-4),
    # One pass more may be made for the top 5, before or after.
    agree={
        PASSES: lambda got, right: right <= got <= right + 2,
        OTHERS: lambda got, right: True,
    },
    mistakes={
        "count": When(
            lambda it: it.fact == KEYS and it.key == "length" and not it.path,
            "One row a model: append inside of the loop over the models, and return "
            "after it.",
        ),
        "rows": When(
            lambda it: it.fact == KEYS and it.key == "type",
            "Each row is a dict with the four names as keys.",
        ),
        "columns": At(KEYS, _columns),
        "names-only": Raises(
            "'str' object ",
            "Going through a dict gives its keys, the names: `for name, model in "
            "models.items()` gives both.",
        ),
        "same-row": When(
            lambda it: it.fact == "the names" and len(set(map(str, it.got))) == 1,
            "The same row stands there twice: make a new dict for each model, inside of "
            "the loop.",
        ),
        "names": At(
            "the names",
            "One row a model, in the order of the dict: do not sort the rows.",
        ),
        "not-run": At(
            "the model was run", "Not every model was run: call `model(…)` for each."
        ),
        "no-batch": When(
            lambda it: it.fact == BATCHES and len(it.got[0]) < 4,
            "Models expect a batch: `image[None]` is a batch of one.",
        ),
        "batch-size": At(BATCHES, "Time a batch of one picture."),
        "train-mode": At(
            "each pass is in eval mode",
            "A model was run in train mode: dropout is at work, and BatchNorm's "
            "statistics move with each pass. Call `model.eval()` first.",
        ),
        "gradients": At(
            "no pass records a graph",
            "The passes record a graph for gradients, which costs time and memory: run "
            "them under `torch.inference_mode()`.",
        ),
        "own-clock": At(
            "clock() was called",
            "Take the time from `clock()`, which your function is given.",
        ),
        "no-warmup": When(
            _without_warmup,
            "Each model needs a warm-up of its own, beside its timed passes: `warmup` "
            "slow ones first, and then `passes` more.",
        ),
        "passes": At(PASSES, "Run `warmup` passes and then `passes` more."),
        "not-alone": At(
            "each timed pass stands alone between two readings",
            "Read the clock before and after every single pass: the time of the whole "
            "loop only gives a mean.",
        ),
        **figures.MISTAKES,
        **top5.MISTAKES,
        "changed-mode": "Remember `model.training` before `eval()`, and put it back "
        "with `model.train(remembered)`.",
    },
)
