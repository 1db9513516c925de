"""05.7: which frozen weights move?"""

from __future__ import annotations

from courseware.grading.judging import At, Task

_MOVING = "bcf"
_LETTERS = 'Write the letters of the cases in which the weights move, such as "ad".'


def _case(letter, why):
    measured = f"{why} Measured above."
    return At(f"case {letter}", lambda it: measured if it.more.get("moved") else why)


TASK = Task(
    title="Which frozen weights move?",
    points=1,
    kind="choice",
    options=2 ** len("abcdef"),
    hints=(
        "An optimiser looks at `p.grad`, not at `p.requires_grad`. Is the gradient None in "
        "each case, or a tensor of zeros?",
        "None: passed over. Zeros: a step is made, and it has a length if momentum, a "
        "running mean or weight decay has something to add.",
        "`zero_grad()` leaves None; `zero_grad(set_to_none=False)` leaves zeros, but only "
        "where there was a gradient before.",
    ),
    solution=_MOVING,
    agree={"the measurement": lambda got, right: got in (None, _MOVING)},
    mistakes={
        "count": At(
            "the measurement",
            "`moved` is not what the cell above measures: run that cell as it was handed "
            "out.",
        ),
        "unknown": At("what is no case", _LETTERS),
        "a": _case(
            "a",
            "`zero_grad()` sets gradients to None since PyTorch 2.0, and the optimiser "
            "passes over a parameter whose gradient is None: neither momentum nor weight "
            "decay acts.",
        ),
        "b": _case(
            "b",
            "The gradient is a tensor of zeros here, not None: the optimiser makes its "
            "step, and the momentum gathered before carries the weights on.",
        ),
        "c": _case(
            "c",
            "The gradient is a tensor of zeros, not None: the optimiser makes its step, "
            "and weight decay adds its share to the gradient, whatever that is.",
        ),
        "d": _case(
            "d",
            "The optimiser makes its step, but a gradient of zero without momentum and "
            "without weight decay is a step of length zero.",
        ),
        "e": _case(
            "e",
            "It was frozen before the first backward pass, so it never had a gradient: "
            "there is nothing to set to zero, and None is passed over.",
        ),
        "f": _case(
            "f",
            "Adam makes its step with a gradient of zero, and its running mean of earlier "
            "gradients is not zero yet: the weights go on moving.",
        ),
        "type": _LETTERS,
    },
)
