"""A lesson's quick check, whose tries outlive the cell and the kernel."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from course_utils.widgets import Question
from course_utils.widgets import Quiz as QuizView
from courseware.grading.record import QUIZZES, changed_record, read_record, say

_FOLDER = Path(__file__).parent


class Quiz(QuizView):
    """Ask the questions of a quiz by its id, as "04"; go on where one ended before.

    Tries are kept on this machine, beside those of the tasks, and by the words of
    question and choice: where a question is changed, its tries are forgotten.
    """

    def __init__(self, id: str):
        questions = read_quiz(id)
        entry = read_record().get(QUIZZES, {}).get(id, {})
        super().__init__(
            questions,
            tries=_tries(questions, entry.get("tries", {})),
            passed=entry.get("passed") is True,
            on_change=lambda quiz: _keep(id, questions, quiz),
        )


def quiz_ids() -> list[str]:
    """List the ids of all quizzes."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_quiz(id: str) -> list[Question]:
    """Read the questions of a quiz. Raises `ValueError` for an id that there is not."""
    if id not in quiz_ids():
        near = get_close_matches(str(id), quiz_ids(), n=3, cutoff=0.3)
        raise ValueError(f"no quiz {id!r}; there are {', '.join(near or quiz_ids())}")
    text = (_FOLDER / f"{id}.toml").read_text(encoding="utf-8")
    return [_question(part) for part in tomllib.loads(text)["question"]]


def _question(part: dict) -> Question:
    choices = part["choice"]
    right = [i for i, choice in enumerate(choices) if choice.get("right")]
    if len(right) != 1:
        raise ValueError(f"{part['prompt']!r} has {len(right)} right choices, not one")
    texts, why = zip(*((c["text"], c["why"]) for c in choices), strict=True)
    return Question(part["prompt"], list(texts), answer=right[0], why=list(why))


def _tries(questions: Sequence[Question], kept: dict) -> list[list[int]]:
    """The kept tries as places among the choices; what is not asked any more is left."""
    return [
        [question.choices.index(text) for text in texts if text in question.choices]
        for question in questions
        for texts in [kept.get(question.prompt, [])]
    ]


def _keep(id: str, questions: Sequence[Question], quiz: QuizView) -> None:
    """Write a quiz's tries to the learner's file; where that fails, a line says so."""
    pairs = zip(questions, quiz.tries, strict=True)
    tries = {q.prompt: [q.choices[i] for i in picked] for q, picked in pairs if picked}
    time = datetime.now().isoformat(timespec="seconds")
    try:
        with changed_record() as record:
            kept = record.setdefault(QUIZZES, {})
            kept[id] = {"tries": tries, "passed": quiz.passed, "time": time}
    except OSError as error:
        say("saved", error)
