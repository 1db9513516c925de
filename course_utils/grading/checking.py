"""Check an answer against a task, property by property, and say what failed first."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.grading import progress as records
from course_utils.grading.registry import Task, find_task
from course_utils.grading.sandbox import (
    TIME_LIMIT,
    AskedForInput,
    Outcome,
    TookTooLong,
    call_safely,
)
from course_utils.grading.score import Score, Verdict

_PLAIN = (bool, int, float, str, type(None))


class _Failed(Exception):
    def __init__(self, **found: str):
        self.found = found


class _Unwritten(Exception):
    pass


def check(task_id: str, answer: Any) -> Score:
    """Check an answer; return its points as a float that shows as a card.

    Use it as the last line of a cell, without a semicolon. The try is recorded; more
    tries unfold stronger hints. Nothing is printed and nothing is raised for a wrong
    answer.
    """
    task = find_task(task_id)
    verdict = examine(task, answer)
    if verdict.status == "unwritten":
        return Score(0.0, verdict, task.points)
    passed = verdict.status == "passed"
    points = task.points if passed else 0.0
    count = records.record_try(task_id, points, passed=passed)
    if not passed:
        unfolded = task.hints[: max(0, count - 1)]
        verdict = Verdict(**{**vars(verdict), "more_hints": unfolded})
    return Score(points, verdict, task.points)


def examine(task: Task | str, answer: Any) -> Verdict:
    """Check an answer without recording a try."""
    task = find_task(task) if isinstance(task, str) else task
    checker = Checker()
    if answer is None or answer is Ellipsis:
        return _unwritten(task)

    def run() -> None:
        task.check(answer, checker)

    # The check itself runs guarded too: an answer may be an object that misbehaves
    # when it is merely looked at.
    outcome = call_safely(run, time_limit=4 * TIME_LIMIT)
    if outcome.error is None:
        return Verdict("passed", task.title)
    if isinstance(outcome.error, _Unwritten):
        return _unwritten(task)
    if isinstance(outcome.error, _Failed):
        return Verdict("failed", task.title, **outcome.error.found)
    found = _describe_error(outcome.error, "the check of your answer")
    return Verdict("failed", task.title, **found)


def hint(task_id: str, *, level: int | None = None) -> str:
    """Return a task's next hint: stronger with each try, or of a level from 1 on."""
    task = find_task(task_id)
    level = level if level is not None else records.tries(task_id) + 1
    if level < 1:
        raise ValueError(f"level must be at least 1, got {level}")
    return task.hints[min(level, len(task.hints)) - 1]


def _unwritten(task: Task) -> Verdict:
    how = "Replace the `...` or the `raise NotImplementedError` by your answer."
    return Verdict("unwritten", task.title, hint=how)


class Checker:
    """What a check may ask of an answer; the first property that fails ends it."""

    def fail(self, property: str, *, key: str, hint: str, **shown: Any) -> None:
        """End the check: name the property, and show `given`, `expected`, `got`."""
        found = {name: _shown(value) for name, value in shown.items()}
        raise _Failed(property=property, key=key, hint=hint, **found)

    def that(
        self, holds: bool, property: str, *, key: str, hint: str, **shown: Any
    ) -> None:
        """Require a condition that the check itself computed."""
        if holds is not True:
            self.fail(property, key=key, hint=hint, **shown)

    def type(self, value: Any, kinds: type | tuple, name: str) -> None:
        """Require a type; None and `...` count as not written yet or not returned."""
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        names = " or ".join(kind.__name__ for kind in kinds)
        if value is None:
            self.fail(f"type of {name}", key="none", expected=names, got="None",
                      hint="Is a `return` missing?")  # fmt: skip
        wrong = type(value) is bool and bool not in kinds
        if wrong or not issubclass(type(value), kinds):
            self.fail(f"type of {name}", key="type", expected=names,
                      got=type(value).__name__, hint=f"{name} should be {names}.")  # fmt: skip

    def tensor(
        self,
        value: Any,
        name: str,
        *,
        shape: Sequence[int] | None = None,
        dtype: torch.dtype | None = None,
        shape_hint: str = "Print the shape after each step.",
        dtype_hint: str = "Convert with .float() before computing.",
    ) -> None:
        """Require a tensor, its shape and its dtype."""
        self.type(value, Tensor, name)
        if shape is not None and tuple(value.shape) != tuple(shape):
            self.fail(f"shape of {name}", key="shape", expected=tuple(shape),
                      got=tuple(value.shape), hint=shape_hint)  # fmt: skip
        if dtype is not None and value.dtype != dtype:
            self.fail(f"dtype of {name}", key="dtype", expected=dtype,
                      got=value.dtype, hint=dtype_hint)  # fmt: skip

    def close(
        self,
        got: Any,
        expected: Any,
        name: str,
        *,
        key: str = "value",
        hint: str,
        atol: float = 1e-5,
        given: Any = "",
    ) -> None:
        """Require numbers to agree within `atol`; NaN never agrees."""
        a = torch.as_tensor(got).detach().to(torch.float64)
        b = torch.as_tensor(expected).detach().to(torch.float64)
        if a.shape != b.shape or not bool((a - b).abs().le(atol).all()):
            self.fail(f"value of {name}", key=key, hint=hint, given=given,
                      expected=expected, got=got)  # fmt: skip

    def same(
        self,
        got: Any,
        expected: Any,
        name: str,
        *,
        key: str = "value",
        hint: str,
        given: Any = "",
    ) -> None:
        """Require plain data (numbers, text, lists, tuples, dicts) to be equal."""
        if not _is_plain(got) or got != expected or type(got) is not type(expected):
            self.fail(f"value of {name}", key=key, hint=hint, given=given,
                      expected=expected, got=got)  # fmt: skip

    def choice(self, answer: Any, right: str, why: dict[str, str]) -> None:
        """Check a multiple choice: letters, each wrong one with its own reason."""
        self.type(answer, str, "the answer")
        letter = str(answer).strip().lower()
        if letter not in why and letter != right:
            self.fail("the choice", key="unknown", expected="one of the letters",
                      got=answer, hint="Answer with one letter, such as \"a\".")  # fmt: skip
        if letter != right:
            self.fail("the choice", key=letter, got=answer, hint=why[letter])

    def attempt(self, function: Callable, *args: Any, **kwargs: Any) -> Outcome:
        """Call the learner's code safely and return the outcome, error and all."""
        if not callable(function):
            self.fail("the answer", key="not-callable", got=type(function).__name__,
                      expected="a function",
                      hint="Hand over the function itself, without brackets.")  # fmt: skip
        outcome = call_safely(function, *args, **kwargs)
        if type(outcome.error) is NotImplementedError:
            raise _Unwritten
        return outcome

    def call(
        self,
        function: Callable,
        *args: Any,
        given: str = "",
        may_change: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Call the learner's code safely; errors and changed inputs fail the check."""
        outcome = self.attempt(function, *args, **kwargs)
        if outcome.error is not None:
            raise _Failed(
                given=given, **_describe_error(outcome.error, "your function")
            )
        if outcome.changed and not may_change:
            self.fail("side effects", key="mutated", given=given,
                      got=f"{', '.join(outcome.changed)} was changed in place",
                      hint="Work on a copy: avoid methods that end in an underscore, "
                      "and assignments into an argument.")  # fmt: skip
        return outcome.value


def _describe_error(error: BaseException, where: str) -> dict[str, str]:
    if isinstance(error, TookTooLong):
        return {
            "property": "it ends",
            "key": "too-long",
            "got": f"{where} did not end within {TIME_LIMIT:g} seconds",
            "hint": "Look for a loop whose condition never becomes false.",
        }
    if isinstance(error, AskedForInput):
        return {
            "property": "it runs alone",
            "key": "input",
            "got": "a call to input()",
            "hint": "Take values from the arguments; nobody is there to type.",
        }
    if isinstance(error, SystemExit):
        return {
            "property": "it returns",
            "key": "exit",
            "got": "a call to exit() or quit()",
            "hint": "Use `return` to leave a function.",
        }
    message = _cut(f"{type(error).__name__}: {error}")
    return {
        "property": "it runs without an error",
        "key": "error",
        "got": message,
        "hint": "Call your function in a cell of its own to see the whole traceback.",
    }


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(_is_plain(item) for item in value)
    if type(value) is dict:
        return all(_is_plain(k) and _is_plain(v) for k, v in value.items())
    return type(value) in _PLAIN


_shortener = reprlib.Repr()
_shortener.maxlist = _shortener.maxtuple = _shortener.maxset = _shortener.maxdict = 8
_shortener.maxstring = 200


def _shown(value: Any) -> str:
    """A short text for a value, also of an object whose repr misbehaves."""
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Tensor):
        flat = value.detach().flatten()[:6].tolist()
        numbers = ", ".join(f"{x:.4g}" if type(x) is float else str(x) for x in flat)
        dots = ", …" if value.numel() > 6 else ""
        return f"tensor of shape {tuple(value.shape)}: [{numbers}{dots}]"
    if isinstance(value, (torch.dtype, type)) or _is_plain(value):
        return _cut(_shortener.repr(value))
    return f"an object of type {type(value).__name__}"


def _cut(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
