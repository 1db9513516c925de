"""03.5: why full fine-tuning needs more memory."""

from __future__ import annotations

from courseware.grading.choices import choice
from courseware.grading.judging import At

COUNT = "the count of the cell above"
PARTS = ("weights", "gradients", "optimizer", "activations")


def _is_counted(grown, _):
    kinds = {type(grown.get(p)) for p in PARTS} if isinstance(grown, dict) else {None}
    return kinds <= {int, float} and max(PARTS, key=grown.get) == "activations"


def counted(text, part):
    """A hint that quotes the count, where there is one."""
    quote = " Counted here: {:+.0f} MB, the largest part {:+.0f} MB.".format
    return lambda it: (
        text
        + (
            quote(it.seen(COUNT)[part], it.seen(COUNT)["activations"])
            if it.seen(COUNT)
            else ""
        )
    )


TASK = choice(
    title="Why does full fine-tuning need more memory?",
    points=1,
    hints=(
        "Which of the four parts grow when more layers learn? And which of them grows "
        "with the batch as well?",
        "ResNet-18 has 11.7 million weights. One picture leaves millions of values on its "
        "way through the layers, and there are 32 pictures.",
        "A frozen layer's output can go once the next layer has read it. A layer that "
        "learns needs it again, in the backward pass.",
    ),
    agree={COUNT: _is_counted},
    mistakes={
        "count": At(
            COUNT,
            "`grown` is not what the cell above counts for a ResNet-18 and 32 pictures: "
            "run that cell as it was handed out.",
        )
    },
    right="d",
    why={
        "a": counted("A weight takes 4 bytes, frozen or not.", "weights"),
        "b": counted(
            "They do grow, but a gradient is one value a weight, whatever the size of the "
            "batch.",
            "gradients",
        ),
        "c": counted(
            "It does grow, and is the second largest part, but does not know the batch of "
            "32.",
            "optimizer",
        ),
        "e": "The batch is the same in both: 32 pictures, held once. Something that each "
        "picture leaves behind in the layers is kept.",
    },
)
