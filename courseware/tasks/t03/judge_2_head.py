"""03.2: what is mistaken in the new layer, and in the rest of the model."""

from __future__ import annotations

from courseware.grading.judging import At, When

HEAD = "the new head"

MISTAKES = {
    "on-logits": At(
        "the old head is out of the model",
        "The old head is still there, in front of the new layer, which learns from "
        "its logits. Replace it.",
    ),
    "other-layers": At(
        "layers that are gone",
        "More than the head was replaced or lost. Leave the other layers alone.",
    ),
    "softmax": When(
        lambda it: it.fact == HEAD and "oftmax" in str(it.got),
        "No softmax in the head: cross-entropy takes plain logits and has the softmax "
        "inside. Twice is too much.",
    ),
    "kind": When(
        lambda it: it.fact == HEAD and it.right[0] not in it.got,
        lambda it: (
            f"The head was a {it.right[0]}, and what stands around it expects one."
        ),
    ),
    "beside": At(
        HEAD,
        lambda it: f"A {it.right[0]} itself is asked for, and nothing beside it.",
    ),
    "width": At(
        "the width of the new head's input",
        "The old head says how wide its input is: in_features or in_channels. "
        "out_features is its number of classes, and no figure holds for all nets.",
    ),
    "kernel": At(
        "the new head's kernel",
        "Take the kernel size of the old head: `old.kernel_size`.",
    ),
    "run": At(
        "an error with two pictures",
        "The new model fails on a batch of two pictures: try it on `torch.rand(2, 3, 64, "
        "64)`.",
    ),
    "shape": At(
        "the shape of the logits", "One logit for each of num_classes classes."
    ),
    "frozen": At("the new head learns", "The new head must be trainable."),
    "hook-lost": At(
        "a hook that was there is there still",
        "A hook that the model came with is gone. Keep the handle of each hook of "
        "yours and call `handle.remove()`: that takes away yours only.",
    ),
    "changed-layers": "There is a layer beside the new one that was not there before.",
    "changed-weights": "Other weights changed: only the head is new.",
    "changed-statistics": "BatchNorm's statistics moved: call `eval()` before you run "
    "the images.",
    "changed-requires_grad": "requires_grad of other layers changed. Freezing is "
    "another step.",
    "changed-mode": "Give the model back in the mode in which it came: remember "
    "`model.training`.",
    "changed-hooks": "Hooks stayed behind: keep each handle, and call "
    "`handle.remove()`.",
}
