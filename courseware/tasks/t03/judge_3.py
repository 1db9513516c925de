"""03.3: the shape that leaves each layer."""

from __future__ import annotations

import torch

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t03 import judge_3_names as names
from courseware.tasks.t03.judge_3_names import solution, wrong

KINDS = "what the values are"

TASK = Task(
    title="The shape that leaves each layer",
    points=3,
    hints=(
        "`layer.register_forward_hook(f)` lets `f(layer, inputs, output)` run after each "
        "call of the layer. Register one on each layer without children, then run the "
        "model.",
        "A hook must know its layer's name: bind it with a default argument, `def "
        "note(layer, inputs, output, name=name)`. A layer may run twice: "
        "`shapes.setdefault(name, output.shape)` keeps the first.",
        "Keep the handles, run under `torch.inference_mode()` in eval mode, then "
        "`handle.remove()` for each, and `model.train(the mode it came in)`.",
    ),
    solution=solution,
    mistakes={
        "inputs-shape": Raises(
            "'tuple' object has no attribute 'shape'",
            "A hook gets the inputs of its layer as a tuple. The output is what is asked "
            "for: `output.shape`.",
        ),
        "hook-returns": When(
            lambda it: "tuple" in it.error or "torch.Size" in it.error,
            "What a hook returns takes the place of the layer's output, and the next "
            "layer gets a shape instead of a tensor. Return nothing (mind that a lambda "
            "returns its value).",
        ),
        "chained": Raises(
            "shapes cannot be multiplied",
            "Layers that are called one by one do not go the way of forward. Call the "
            "model itself, and let hooks look on.",
        ),
        **names.MISTAKES,
        "tensors": When(
            lambda it: it.fact == KINDS and "Tensor" in it.got,
            "These are the outputs themselves, which keeps them all in memory. Keep "
            "output.shape only.",
        ),
        "tuples": At(KINDS, "Each value is a shape, as a tuple."),
        "inputs": wrong(
            "These are the shapes of the inputs: a forward hook gets the layer, its "
            "inputs and its output, in this order.",
            shape=lambda layer, image: image.shape,
        ),
        "weights": wrong(
            "These are the shapes of the weights: a hook's third argument is the output.",
            shape=lambda layer, image: getattr(layer, "weight", torch.ones(())).shape,
        ),
        "batch": wrong(
            "The batch is missing: give the whole shape.",
            note=lambda shapes, name, shape: shapes.setdefault(name, shape[1:]),
        ),
        "one-picture": Wrong(
            lambda model, images: solution(model, images[:1]),
            "The batch is another one: run all the images that you were given.",
        ),
        "shapes": At(
            "the shapes", "Take output.shape of the images that you were given."
        ),
        "hook-changes": At(
            "the hooks leave the values as they are",
            "What a hook returns takes the place of the layer's output, and other values "
            "went on through the model. A hook that looks on returns nothing.",
        ),
        "gradients": At(
            "no pass records a graph",
            "The pass recorded a graph for gradients: run the model under "
            "`torch.inference_mode()` or `torch.no_grad()`.",
        ),
        "hook-lost": At(
            "a hook that was there is there still",
            "A hook that the model came with is gone. Keep the handle of each hook of "
            "yours and call `handle.remove()`: that takes away yours only.",
        ),
    },
)
