"""02.5: what the table tells."""

from courseware.grading.choices import choice

TASK = choice(
    title="What the table tells",
    points=1,
    hints=(
        "Compare two rows that differ in one thing only.",
        "Which figures are the same for V1 and V2 of a net, and which is not?",
        "Accuracy on ImageNet says what it says: about ImageNet.",
    ),
    right="d",
    why={
        "a": "Look at resnet101 V1 and resnet50 V2: the smaller net is the more "
        "accurate one.",
        "b": "The table was measured on ImageNet. On other pictures the gap may be "
        "smaller, or turn round; only a measurement there tells.",
        "c": "Two things differ between these rows, depth and recipe. Compare nets of "
        "one recipe: V1 with V1, V2 with V2.",
        "e": "V1 and V2 have the same layers and need the same operations; only the "
        "numbers in the weights differ.",
    },
)
