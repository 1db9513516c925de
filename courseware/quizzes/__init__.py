"""The lessons' quick checks: a file NN.toml each, shown by `Quiz("NN")`.

A file holds the questions, in the order in which they are asked, and the choices of each,
in the order in which they are shown. One is right; each has its reason, which stands after
"Right." or "Not this one.". Over the course the right one is as often first as last.

    [[question]]
    prompt = "What does `model.eval()` do?"

    [[question.choice]]
    right = true
    text = "It switches BatchNorm and dropout to inference"
    why = "Modes only."
"""

from courseware.quizzes.quiz import Quiz, quiz_ids, read_quiz

__all__ = ["Quiz", "quiz_ids", "read_quiz"]
