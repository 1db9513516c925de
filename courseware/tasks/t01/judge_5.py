"""01.5: what eval() changes."""

from courseware.grading.choices import choice

TASK = choice(
    title="What eval() changes",
    points=1,
    hints=(
        "Lesson 01 asked each layer for its answer in both modes.",
        "`eval()` sets a flag that a few kinds of layer look at.",
        "Gradients are the business of `inference_mode()` and `no_grad()`.",
    ),
    right="c",
    why={
        "a": "Gradients are still computed after `eval()`: `output.requires_grad` was "
        "True.",
        "b": "Weights do not change. `requires_grad` does the freezing.",
        "d": "Preprocessing belongs to the transform, outside of the model.",
    },
)
