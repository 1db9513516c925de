"""05.6: validation accuracy falls after epoch 5."""

from courseware.grading.choices import choices

TASK = choices(
    title="Validation accuracy falls after epoch 5",
    points=1,
    what="run",
    hints=(
        "Look at both accuracies: does training accuracy fall too? At once, or slowly? "
        "And does the run ever reach what the head alone reaches?",
        "Training up and validation down is overfitting. Both down in the epoch in which "
        "stages wake is a step too large.",
        "In run C the head was random when all stages began to learn from it.",
    ),
    right={"A": "a", "B": "b", "C": "c"},
    why={
        "A": {
            "b": "A rate that is too high throws both accuracies back at once. Here the "
            "training accuracy goes on rising.",
            "c": "Its stages did learn from the start, but the accuracies rise for five "
            "epochs and stand above the linear probe's. What does training accuracy do "
            "after that?",
            "d": "A stage that the optimiser does not have changes nothing: the curves "
            "would stay level.",
            "e": "The net gets every training picture right in the end: it fits more than "
            "well enough.",
        },
        "B": {
            "a": "Overfitting shows as training accuracy that rises while the other falls. "
            "Here both fall, in the epoch in which the stages wake.",
            "c": "The head had learned for five epochs before anything else woke. What was "
            "the rate of the woken stages?",
            "d": "A stage that the optimiser does not have changes nothing. Here something "
            "changed at once.",
            "e": "Until epoch 5 it did well. A longer run does not explain a fall within "
            "one epoch.",
        },
        "C": {
            "a": "Training accuracy is as low as validation accuracy: nothing is learned "
            "by heart here.",
            "b": "The same rate did no harm in the run in which the head had learned "
            "first. What is different here?",
            "d": "All stages are in the optimiser from the start, and they move: too soon.",
            "e": "The same net on the same pictures reaches 0.78 with its head alone.",
        },
    },
)
