"""03.4: will it fit?"""

from __future__ import annotations

from math import isclose

from courseware.grading.facts import number_of
from courseware.grading.judging import Raises, Task, When
from courseware.tasks.t03 import judge_4_bytes as bytes_of_values
from courseware.tasks.t03 import judge_4_parts as parts

UNITS = (1e3, 1e6, 1e9, 2**10, 2**20, 2**30)


def _in_another_unit(it):
    found = (
        [number_of(n) for n in it.got.values()] if it.fact == "the bytes" else [None]
    )
    return all(type(number) in (int, float) for number in found) and any(
        all(isclose(a * unit, b) for a, b in zip(found, it.right.values(), strict=True))
        for unit in UNITS
    )


TASK = Task(
    title="Will it fit?",
    points=2,
    hints=(
        "Four parts: weights, gradients, the optimiser's state, activations. Which count "
        "all parameters, which only those that learn, which grow with the batch?",
        "Weights: num_params values. Gradients: trainable_params. State: trainable_params, "
        "once or twice. All of them times 4 bytes. Activations are bytes already.",
        "`4 * (num_params + (1 + states) * trainable_params) + batch_size * "
        'activation_bytes`, with `states = {"sgd": 1, "adam": 2}[optimizer]`.',
    ),
    solution=parts.solution,
    mistakes={
        "names": Raises(
            "KeyError", 'The names are `"sgd"` and `"adam"`, in small letters.'
        ),
        **parts.MISTAKES,
        **bytes_of_values.MISTAKES,
        "parts": When(
            lambda it: (
                it.key == "type" and it.difference.got in ("dict", "list", "tuple")
            ),
            "One number is asked for: add the four parts up.",
        ),
        "unit": When(
            _in_another_unit, "Return bytes, not kilobytes, megabytes or gigabytes."
        ),
        "float": When(
            lambda it: it.key == "type" and it.difference.got == "float",
            "Bytes are counted: return an int.",
        ),
        "value": "Work out the four parts one by one, and compare each.",
    },
)
