"""A quick check: questions with an explanation for every choice.

The kernel judges: the browser, and whatever is saved of the widget or exported, holds
what was asked and what was answered, and of the reasons only those that were opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import traitlets

from course_utils.arguments import checked

from .base import CourseWidget, script, style
from .markup import inline_code

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
        """Return what the browser may know before an answer."""
        return {"prompt": self.prompt, "choices": list(self.choices)}

    def reply(self, choice: int) -> dict[str, Any]:
        """Return what the browser is told of a choice that was taken."""
        right = choice == self.answer
        return {
            "choice": choice,
            "right": right,
            "verdict": "Right." if right else "Not this one.",
            "why": _without_verdict(self.why[choice]),
        }


class Quiz(CourseWidget):
    """Ask questions; explain each choice at once, and why a wrong one is wrong.

    A question's first try counts. After it, the other choices can still be opened to
    read their explanations. "Start again" clears all tries; a quiz in which every right
    choice has been found was passed, and stays so.

    `tries` (choices by question, the first one first) and `passed` take up where an
    earlier one ended, and `on_change` is called with the quiz after each try.

    >>> from course_utils.widgets import Question, Quiz
    >>> one = Question("2 + 2?", ["4", "5"], answer=0, why=["Yes.", "Count again."])
    >>> quiz = Quiz([one])
    >>> quiz.answer(0, 1)
    >>> quiz.answers, quiz.score, quiz.passed
    ([1], 0, False)
    """

    _esm = script("quiz")
    _css = style("quiz")

    questions = traitlets.List(traitlets.Dict()).tag(sync=True)
    replies = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    passed = traitlets.Bool(False).tag(sync=True)
    one_at_a_time = traitlets.Bool(True).tag(sync=True)
    position = traitlets.Int(0).tag(sync=True)

    @checked
    def __init__(
        self,
        questions: Sequence[Question],
        *,
        one_at_a_time: bool = True,
        tries: Sequence[Sequence[int]] | None = None,
        passed: bool = False,
        on_change: Callable[[Quiz], None] | None = None,
    ):
        if not questions:
            raise ValueError("a quiz needs at least one question")
        self._questions, self._on_change = list(questions), on_change
        tries = [[] for _ in questions] if tries is None else tries
        self._check_tries(tries)
        super().__init__(
            questions=[question.as_dict() for question in questions],
            replies=self._judged(tries),
            passed=passed,
            one_at_a_time=one_at_a_time,
            position=next((i for i, picked in enumerate(tries) if not picked), 0),
        )
        self.on_msg(self._hear)

    def _check_tries(self, tries: Sequence[Sequence[int]]) -> None:
        if len(tries) != len(self._questions):
            raise ValueError("`tries` needs one list for each question")
        for question, picked in zip(self._questions, tries, strict=True):
            for choice in picked:
                _check_choice(question, choice)

    def _judged(self, tries: Sequence[Sequence[int]]) -> list[list[dict]]:
        pairs = zip(self._questions, tries, strict=True)
        return [
            [question.reply(choice) for choice in picked] for question, picked in pairs
        ]

    def _hear(self, _: object, message: dict, buffers: object) -> None:
        """Do what the browser asks: {"pick": [question, choice]} or {"again": true}."""
        if message.get("again"):
            self.start_again()
        elif pick := message.get("pick"):
            self.answer(*pick)

    @property
    def tries(self) -> list[list[int]]:
        """Return the choices taken, by question, the first one first."""
        return [[reply["choice"] for reply in taken] for taken in self.replies]

    @property
    def answers(self) -> list[int | None]:
        """Return the first choice for each question, None where not yet answered."""
        return [picked[0] if picked else None for picked in self.tries]

    @property
    def score(self) -> int:
        """Return the number of questions that were right at the first try."""
        return sum(bool(taken) and taken[0]["right"] for taken in self.replies)

    @checked
    def answer(self, question: int, choice: int) -> None:
        """Choose as a click does; question and choice are counted from 0."""
        if not 0 <= question < len(self._questions):
            raise ValueError(f"no question {question}; they are counted from 0")
        asked = self._questions[question]
        _check_choice(asked, choice)
        if choice in self.tries[question]:
            return
        replies = [list(taken) for taken in self.replies]
        replies[question].append(asked.reply(choice))
        self.replies = replies
        self.passed = self.passed or all(map(_is_found, replies))
        self._tell()

    def start_again(self) -> None:
        """Clear all tries; whether the quiz was passed stays."""
        self.replies = [[] for _ in self._questions]
        self.position = 0
        self._tell()

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self)

    def static_html(self) -> str:
        """Return the questions and their choices, and how to answer."""
        parts = [_question_html(i, q) for i, q in enumerate(self.questions, start=1)]
        return f"<p><b>Quick check</b></p>{''.join(parts)}<p><i>{_HOW}</i></p>"

    def static_text(self) -> str:
        """Return the questions and their lettered choices, and how to answer."""
        lines = ["Quick check"]
        for i, question in enumerate(self.questions, start=1):
            lines.append(f"{i}. {question['prompt']}")
            lines += [
                f"   {letter}) {choice}"
                for letter, choice in zip(_LETTERS, question["choices"], strict=False)
            ]
        return "\n".join([*lines, _HOW])


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_HOW = (
    "To answer, run this cell in JupyterLab: each choice is judged and explained there."
)


def _check_choice(question: Question, choice: int) -> None:
    if not 0 <= choice < len(question.choices):
        raise ValueError(f"{question.prompt!r} has no choice {choice}")


def _is_found(taken: list[dict]) -> bool:
    return any(reply["right"] for reply in taken)


def _without_verdict(text: str) -> str:
    """Return an explanation without a leading "Right:"; the widget says it itself."""
    for prefix in ("Right: ", "Right. ", "Right, "):
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            return rest[:1].upper() + rest[1:]
    return text


def _question_html(number: int, question: dict[str, Any]) -> str:
    """Return one question with its choices."""
    choices = "".join(f"<li>{inline_code(c)}</li>" for c in question["choices"])
    return (
        f"<p><b>{number}.</b> {inline_code(question['prompt'])}</p>"
        f'<ol type="a">{choices}</ol>'
    )
