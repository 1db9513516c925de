"""A quick check: questions with an explanation for every choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import traitlets

from course_utils.arguments import checked

from .base import CourseWidget, inline_code, script, style

__all__ = ["Question", "Quiz"]


@checked
@dataclass(frozen=True)
class Question:
    """Hold a prompt, its choices, the index of the right one, and a reason for each.

    Text between `backticks` is shown as code. Raises `ValueError` where the parts do
    not fit each other.

    >>> from course_utils.widgets import Question
    >>> Question("2 + 2?", ["4", "5"], answer=2, why=["Yes.", "Count again."])
    Traceback (most recent call last):
        ...
    ValueError: '2 + 2?': answer=2, but the choices are numbered 0 to 1
    """

    prompt: str
    choices: Sequence[str]
    answer: int
    why: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise ValueError(f"{self.prompt!r} needs at least 2 choices")
        if not 0 <= self.answer < len(self.choices):
            raise ValueError(
                f"{self.prompt!r}: answer={self.answer}, but the choices are numbered "
                f"0 to {len(self.choices) - 1}"
            )
        if len(self.why) != len(self.choices):
            raise ValueError(
                f"{self.prompt!r} has {len(self.choices)} choices and {len(self.why)} "
                "explanations in `why`: give one for each choice"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return what the browser needs."""
        return {
            "prompt": self.prompt,
            "choices": list(self.choices),
            "answer": self.answer,
            "verdicts": [self.verdict(i) for i in range(len(self.choices))],
            "why": [_without_verdict(text) for text in self.why],
        }

    def verdict(self, choice: int) -> str:
        """Return the word that stands before the explanation of a choice."""
        return "Right." if choice == self.answer else "Not this one."


class Quiz(CourseWidget):
    """Ask questions; explain each choice at once, and why a wrong one is wrong.

    A question's first try counts. After it, the other choices can still be opened to
    read their explanations. "Start again" clears all tries.

    >>> from course_utils.widgets import Question, Quiz
    >>> one = Question("2 + 2?", ["4", "5"], answer=0, why=["Yes.", "Count again."])
    >>> quiz = Quiz([one])
    >>> quiz.answer(0, 1)
    >>> quiz.answers, quiz.score
    ([1], 0)
    """

    _esm = script("quiz")
    _css = style("quiz")

    questions = traitlets.List(traitlets.Dict()).tag(sync=True)
    tries = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    one_at_a_time = traitlets.Bool(True).tag(sync=True)
    position = traitlets.Int(0).tag(sync=True)

    @checked
    def __init__(self, questions: Sequence[Question], *, one_at_a_time: bool = True):
        if not questions:
            raise ValueError("a quiz needs at least one question")
        super().__init__(
            questions=[question.as_dict() for question in questions],
            tries=[[] for _ in questions],
            one_at_a_time=one_at_a_time,
        )

    @traitlets.validate("tries")
    def _valid_tries(self, proposal: dict) -> list[list[int]]:
        tries = proposal["value"]
        if len(tries) != len(self.questions):
            raise traitlets.TraitError("`tries` needs one list for each question")
        for question, picked in zip(self.questions, tries, strict=True):
            if any(not 0 <= i < len(question["choices"]) for i in picked):
                raise traitlets.TraitError(
                    f"{question['prompt']!r} has no choice {picked}"
                )
        return tries

    @property
    def answers(self) -> list[int | None]:
        """Return the first choice for each question, None where not yet answered."""
        return [picked[0] if picked else None for picked in self.tries]

    @property
    def score(self) -> int:
        """Return the number of questions that were right at the first try."""
        return sum(
            given == question["answer"]
            for given, question in zip(self.answers, self.questions, strict=True)
        )

    def answer(self, question: int, choice: int) -> None:
        """Choose as a click does; question and choice are counted from 0."""
        tries = [list(picked) for picked in self.tries]
        if choice not in tries[question]:
            tries[question].append(choice)
        self.tries = tries

    def static_html(self) -> str:
        """Return the questions, each with its answers folded away."""
        parts = [_question_html(i, q) for i, q in enumerate(self.questions, start=1)]
        return "<p><b>Quick check</b></p>" + "".join(parts)

    def static_text(self) -> str:
        """Return the questions and their lettered choices, without the answers."""
        lines = ["Quick check"]
        for i, question in enumerate(self.questions, start=1):
            lines.append(f"{i}. {question['prompt']}")
            lines += [
                f"   {letter}) {choice}"
                for letter, choice in zip(_LETTERS, question["choices"], strict=False)
            ]
        return "\n".join(lines)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _without_verdict(text: str) -> str:
    """Return an explanation without a leading "Right:"; the widget says it itself."""
    for prefix in ("Right: ", "Right. ", "Right, "):
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            return rest[:1].upper() + rest[1:]
    return text


def _question_html(number: int, question: dict[str, Any]) -> str:
    """Return one question with its choices, and the explanations in `<details>`."""
    choices = "".join(f"<li>{inline_code(c)}</li>" for c in question["choices"])
    reasons = "".join(
        f"<li><b>{verdict}</b> {inline_code(why)}</li>"
        for verdict, why in zip(question["verdicts"], question["why"], strict=True)
    )
    return (
        f"<p><b>{number}.</b> {inline_code(question['prompt'])}</p>"
        f'<ol type="a">{choices}</ol>'
        f'<details><summary>Answer</summary><ol type="a">{reasons}</ol></details>'
    )
