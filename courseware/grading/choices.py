"""Tasks that are answered by a letter, or by a letter for each part of a question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from courseware.grading.judging import Finding, Hint, Mistake, Task, When
from courseware.grading.observing import ANSWER


def choice(
    *, right: str, why: Mapping[str, Hint], mistakes: Mapping = {}, **about: Any
) -> Task:
    """Make the task of a multiple choice; each wrong letter has its own reason.

    `mistakes` stand before the letters, `about` is what `Task` needs: title, points, hints.

    >>> from courseware.grading.choices import choice
    >>> about = {"title": "One", "points": 1, "hints": ("", "", "")}
    >>> choice(right="b", why={"a": "No."}, **about).options
    2
    """
    letters = {letter: When(partial(_is, letter), hint) for letter, hint in why.items()}
    text = 'Answer with one letter, such as "a".'
    unknown = When(lambda it: it.fact == ANSWER and it.key == "value", text)
    table = {**mistakes, **letters, "unknown": unknown, "type": text}
    options = len(why) + 1
    return Task(solution=right, mistakes=table, kind="choice", options=options, **about)


def _is(letter: str, it: Finding) -> bool:
    return it.fact == ANSWER and it.got == letter


def choices(
    *,
    right: Mapping[str, str],
    why: Mapping[str, Mapping[str, Hint]],
    what: str = "case",
    mistakes: Mapping[str, Mistake] = {},
    **about: Any,
) -> Task:
    """Make the task of a letter for each part; each wrong one has its own reason.

    >>> from courseware.grading.choices import choices
    >>> about = {"title": "Two", "points": 1, "hints": ("", "", "")}
    >>> why = {"A": {"b": "No."}, "B": {}}
    >>> task = choices(right={"A": "a", "B": "b"}, why=why, **about)
    >>> list(task.mistakes)
    ['cases', 'A-b', 'unknown', 'type']
    """
    example = ", ".join(f'"{name}": "…"' for name in right)
    table = {
        **mistakes,
        f"{what}s": When(
            lambda it: it.key == "keys",
            f"Give a letter for each {what}: {{{example}}}.",
        ),
    }
    for name, letters in why.items():
        for letter, hint in letters.items():
            table[f"{name}-{letter}"] = When(partial(_says, name, letter), hint)
    each = f"Answer with one letter for each {what}: {{{example}}}."
    table["unknown"] = When(lambda it: it.key == "value", each)
    table["type"] = When(lambda it: it.key in ("type", "none"), each)
    options = max(len(letters) for letters in why.values()) + 1
    solution = dict(right)
    return Task(
        solution=solution, mistakes=table, kind="choice", options=options, **about
    )


def _says(name: str, letter: str, it: Finding) -> bool:
    return it.path == f"[{name!r}]" and it.key == "value" and it.got.get(name) == letter
