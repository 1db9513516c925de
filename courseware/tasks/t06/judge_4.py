"""06.4: the range test by hand."""

from __future__ import annotations

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.grading.observing import SIDE_EFFECTS
from courseware.tasks.t06.judge_4_rates import RATES
from courseware.tasks.t06.observe_4 import FINITE, LISTS, NO_GRAPH, PAIRED
from courseware.tasks.t06.range_test import LOSSES, solution

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
        "labels-first": Raises(
            "Input type (long",
            "These are labels, not images: a batch is a pair (images, labels), in this "
            "order.",
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
        **RATES,
        **LOSSES,
        "losses": When(
            lambda it: it.fact == "the losses" and it.key == "value",
            "A step takes one batch, the next in the list, in train mode: its loss, "
            "recorded as it is, zero_grad, backward, step at this step's rate, by SGD with "
            "nothing but `lr` on all parameters.",
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
