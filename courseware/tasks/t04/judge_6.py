"""04.6: what caching rules out."""

from courseware.grading.choices import choice

TASK = choice(
    title="What caching rules out",
    points=1,
    hints=(
        "A cached feature was computed from one picture, once.",
        "What happens behind the cut may change in every epoch.",
        "What happens before the cut may not.",
    ),
    right="b",
    why={
        "a": "The head still runs in every epoch, so its dropout works as usual.",
        "c": "The order of cached rows can be drawn anew in every epoch.",
        "d": "The learning rate acts on the head, which is not cached.",
    },
)
