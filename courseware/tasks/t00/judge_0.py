"""00.0: the shape of a batch."""

from courseware.grading.judging import Task, Wrong

TASK = Task(
    title="The shape of a batch",
    points=1,
    kind="value",
    hints=(
        "Four numbers: how many pictures, then what one picture is made of.",
        "PyTorch puts the channels before height and width.",
        "(number of pictures, colour channels, height, width)",
    ),
    solution=(32, 3, 64, 64),
    mistakes={
        "channels-last": Wrong(
            (32, 64, 64, 3),
            "That is the order of image files and matplotlib. PyTorch puts the channels "
            "second.",
        ),
        "batch-first": Wrong((3, 32, 64, 64), "The batch comes first."),
        "batch-last": Wrong(
            (64, 64, 3, 32), "The batch comes first, then the channels."
        ),
        "channels": Wrong(
            (32, 1, 64, 64), "The pictures are in colour: how many channels is that?"
        ),
        "one-picture": Wrong(
            (1, 3, 64, 64), "That is a batch of one picture: how many enter here?"
        ),
        "length": "A batch has four dimensions: the pictures, and three of each picture.",
        "type": "A shape is a row of whole numbers (int) in brackets, such as (1, 2, 3).",
        "value": "32 pictures, 3 channels, 64 rows, 64 columns, in PyTorch's order.",
    },
)
