"""06.4: the range test by hand."""

from __future__ import annotations

from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.grading.observing import SIDE_EFFECTS
from courseware.tasks.t06.observe_4 import FINITE, LISTS, NO_GRAPH, PAIRED
from courseware.tasks.t06.range_test import LOSSES, growing, logarithms, solution


def _lengths(test):
    """A test: the number of rates, against the right one and that of all steps."""
    return lambda it: (
        it.fact == "the rates"
        and it.key == "length"
        and test(len(it.got), len(it.right), it)
    )


TASK = Task(
    title="The range test by hand",
    points=4,
    hints=(
        "Three parts: keep what training will change, run the loop, put it all back. "
        "Write the loop first, and print the rates.",
        "Step i of n has the rate `start_lr * (end_lr / start_lr) ** (i / (n - 1))`; write "
        'it into `optimizer.param_groups[0]["lr"]` before `optimizer.step()`. Append '
        "`loss.item()` before the step, and `break` where `math.isfinite` says no.",
        "`kept = copy.deepcopy(model.state_dict())` and `mode = model.training` come first "
        "(`state_dict()` alone hands out the tensors themselves, which go on changing); "
        "`model.load_state_dict(kept)` and `model.train(mode)` come last, also after a "
        "`break`.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-12, 1e-5),
    mistakes={
        "tool": Raises(
            "lr_range_test",
            "The course's tool is another test: it stops early, and smooths. Write the "
            "loop by hand.",
        ),
        "two-lists": At(
            LISTS, "Return the rates and the losses: `return lrs, losses`."
        ),
        "graph": At(
            NO_GRAPH,
            "A loss that is kept as a tensor keeps its whole graph in memory: append "
            "`loss.item()`.",
        ),
        "not-finite": At(
            FINITE,
            "A loss that is NaN or infinite ends the test and is not recorded. "
            "`math.isfinite` tells both.",
        ),
        "lengths": At(
            PAIRED,
            "Each loss has its rate: append to both lists in the same step, after you know "
            "that the loss is finite.",
        ),
        "turned-over": Wrong(
            lambda *given: solution(*given)[::-1],
            "The rates come first, then the losses.",
        ),
        "constants": Wrong(
            lambda model, batches, *numbers: solution(model, batches),
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
            _lengths(lambda got, right, it: got == len(it.case.batches)),
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
            partial(
                solution, spaced=logarithms, used=lambda lrs: [10**lr for lr in lrs]
            ),
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
        **LOSSES,
        "losses": When(
            lambda it: it.fact == "the losses" and it.key == "value",
            "One step: loss of the next batch in train mode, record it, zero_grad, "
            "backward, step at this step's rate, by SGD with nothing but `lr`.",
        ),
        "stopped": When(
            lambda it: it.fact == SIDE_EFFECTS and it.case.stops,
            "Put everything back here too, where a loss that is not finite ended the "
            "test: use `break`, not `return`, or `try` and `finally`.",
        ),
        "changed-weights": "The weights are not what they were. `state_dict()` hands out "
        "the model's own tensors, which go on changing; so does a dict or list of them. "
        "Keep copies, `copy.deepcopy(model.state_dict())`, and put them back at the end.",
        "changed-statistics": "BatchNorm's statistics are not what they were. They are "
        "buffers, not parameters: `state_dict()` holds both.",
        "changed-mode": "Give the model back in the mode that it came in, with all its "
        "layers: remember `model.training`, and call `train(...)`.",
    },
)
